"""What becomes of a pretrained model before it is a trunk: fewer layers, the shop's own texts, a teacher's lessons."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freshtune.cycle.adapting import adapted
from freshtune.cycle.gathering import Gathered
from freshtune.cycle.teaching import Teacher, taught
from freshtune.learn.fit import Step
from freshtune.learn.state import Run
from freshtune.model.shortening import kept_layers, shortened
from freshtune.model.tokens import Tokens
from freshtune.records import Example
from freshtune.settings import Settings

if TYPE_CHECKING:
    from freshtune.model.backbone import TextModel


@dataclass(frozen=True)
class Prepared:
    """A model that is ready to become a trunk.

    Attributes:
        examples: what its head is fitted on.
        changed: whether its layers are others than the pretrained ones.
    """

    model: "TextModel"
    examples: Sequence[Example]
    changed: bool


def prepared(
    model: "TextModel",
    tokens: Tokens,
    gathered: Gathered,
    settings: Settings,
    run: Run,
    teacher: Teacher | None,
    on_step: Callable[[Step], None],
) -> Prepared:
    """Shorten a pretrained model, adapt it, let it be taught: in this order, each only where the settings ask for it.

    Raises:
        ConfigurationError: it has fewer layers than a student is to have.
    """
    examples: Sequence[Example] = gathered.to_learn
    student, adapts = settings.learn.student, settings.learn.adapt.on
    if teacher and student.layers is not None:
        kept = kept_layers(model.layers, student.layers, student.keep)
        model = shortened(model, kept, settings.model.taps)
    if adapts:
        adapted(model, tokens, gathered, settings, run, on_step)
    if teacher:
        examples = taught(model, tokens, teacher, gathered, settings, run, on_step)
    return Prepared(model, examples, adapts or teacher is not None)
