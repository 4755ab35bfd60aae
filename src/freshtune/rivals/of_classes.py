"""Strategies that know classes alone say so before they begin."""

from freshtune.errors import UsageError
from freshtune.model.heads import Head
from freshtune.model.heads.classes import Classes
from freshtune.tasks import Task


def classes_alone(strategy: str, task: Task, head: Head) -> Classes:
    """The head of a strategy that answers with one of several classes; UsageError where the task's is another."""
    if not isinstance(head, Classes):
        raise UsageError(
            f"The strategy {strategy} cannot play {task.name}.",
            f"It knows one class a text, and {task.name} answers with {_ANSWERS.get(head.kind, 'something else')}.",
            "Leave it out of --strategies.",
        )
    return head


_ANSWERS = {"ordinal": "a step of a scale", "score": "a grade on a scale", "several": "several names"}
