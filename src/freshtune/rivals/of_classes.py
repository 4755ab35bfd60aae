"""Strategies that know classes alone say so before they begin."""

from freshtune.errors import UsageError
from freshtune.tasks import Task


def require_classes(strategy: str, task: Task) -> None:
    """UsageError where the task's answers are no classes."""
    if task.head().kind != "classes":
        raise UsageError(
            f"The strategy {strategy} cannot play {task.name}.",
            f"It knows classes, and {task.name} is answered on a scale.",
            "Leave it out of --strategies.",
        )
