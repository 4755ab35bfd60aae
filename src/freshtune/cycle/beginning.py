"""Where there is no champion yet: what a first release must be able to learn from, and to be judged on."""

from collections import Counter
from collections.abc import Iterable, Sequence

from freshtune.cycle.gathering import Gathered
from freshtune.errors import UsageError
from freshtune.judge.baselines import require_enough_labels
from freshtune.model.heads import OneAnswer
from freshtune.model.predictor import Predictor
from freshtune.records import Delta, Example, Label, names_of
from freshtune.tasks import Task, answering, class_names

_SHOWN_LABELS = 10


def require_a_beginning(gathered: Gathered, task: Task) -> None:
    """Refuse to begin where nothing could be learned, or nothing could judge the result.

    Raises:
        UsageError: fewer than 50 labels, all of them the same, none held out, or all that is held out the same.
    """
    history, head = gathered.delta, task.head()
    learned, held_out = ({example.label for example in part} - {None} for part in (history.labelled, history.held_out))
    if len(learned | held_out) == 1:
        raise UsageError(
            f"A first release of {task.name} cannot be made from one label.",
            "All examples have the same.",
            "Ingest examples of another label; if the file has some, look at --label and --label-map.",
        )
    require_enough_labels(history.labelled, head)
    if not any(gathered.held_out.values()):
        raise UsageError(
            f"A first release of {task.name} cannot be judged.",
            f"All {len(history.labelled)} labelled examples fall on the training side, none is held out.",
            "Ingest labelled examples of more different texts or queries, then train again.",
        )
    if len(held_out) == 1:
        raise UsageError(
            f"A first release of {task.name} cannot be judged.",
            "All that is held out has one label: whoever always says that makes no mistake.",
            "Ingest more examples of the other labels, then train again.",
        )


def begun_with(task: Task, incumbent: Predictor | None, examples: Iterable[Example]) -> Task:
    """The task with the classes of all history, those that the live release has in their places there."""
    examples = tuple(examples)
    met = {name for example in examples for name in names_of(example.label)}
    before = () if incumbent is None else class_names(incumbent.head)
    return answering(task, [name for name in before if name in met], examples)


def by_side(history: Delta, task: Task) -> str:
    """Each side's examples by label, in a sentence each; of at most ten labels."""
    sides = {"To learn": history.labelled, "Held out": history.held_out}
    task = answering(task, (), (*history.labelled, *history.held_out))
    return " ".join(f"{side}: {_by_label(examples, task)}." for side, examples in sides.items() if examples)


def _by_label(examples: Sequence[Example], task: Task) -> str:
    """How many there are of each label, in the order of the head's numbers: ``30 negative, 18 positive``."""
    counts = _labels(examples, task)
    shown = [f"{count:,} {label}" for label, count in _in_order(counts, task)]
    return ", ".join(shown[:_SHOWN_LABELS]) + (" …" if len(shown) > _SHOWN_LABELS else "")


def _labels(examples: Iterable[Example], task: Task) -> Counter[Label]:
    """How often each label occurs; of several names each counts."""
    head = task.head()
    labels = [example.label for example in examples if example.label is not None]
    if isinstance(head, OneAnswer):
        return Counter(head.name(head.number(label)) for label in labels)
    return Counter(name for label in labels for name in names_of(label))


def _in_order(counts: Counter[Label], task: Task) -> list[tuple[Label, int]]:
    """By the head's numbers, or where an answer has several names the most frequent first."""
    head = task.head()
    if not isinstance(head, OneAnswer):
        return counts.most_common()
    return sorted(counts.items(), key=lambda item: head.number(item[0]))
