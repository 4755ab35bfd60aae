"""What a tuning varies of a recipe: a few numbers and choices, each with its way from a recipe and back into one."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import TypeAdapter

from freshtune.learn.losses import Loss
from freshtune.learn.losses.distillation import Distillation
from freshtune.learn.losses.fgm import Fgm
from freshtune.learn.losses.l2_sp import L2Sp
from freshtune.learn.losses.listwise import Listwise
from freshtune.learn.losses.pairwise import Pairwise
from freshtune.learn.losses.r_drop import RDrop
from freshtune.learn.losses.supervised import Supervised
from freshtune.learn.memory import MEMORIES, Memory
from freshtune.learn.memory.sampled import Sampled
from freshtune.learn.optimisers.rates import DEFAULT_RATES
from freshtune.model.adapters import ADAPTERS, Adapter
from freshtune.settings import LearnSettings

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Value: TypeAlias = str | float | int
Params: TypeAlias = Mapping[str, Value]

TERMS: Mapping[str, tuple[type[Loss], tuple[float, ...]]] = {
    "fgm": (Fgm, (0.0, 0.3, 1.0)),
    "r_drop": (RDrop, (0.0, 0.3, 1.0)),
    "l2_sp": (L2Sp, (0.0, 0.001, 0.01, 0.1)),
    "pairwise": (Pairwise, (0.0, 0.3, 1.0)),
    "listwise": (Listwise, (0.0, 0.3, 1.0)),
}
"""Terms beside the labels' and the champion's → weights that are tried; 0 is without."""
COMPARING = ("pairwise", "listwise")
"""Those of a ranking alone."""
_ABOVE = ("bias_only", "ia3", "top_layers", "lora", "adalora")
"""Adapters of layers that are tried where some lie above the trunk; all of them merge."""
_RANKED = ("lora", "adalora")


@dataclass(frozen=True, slots=True)
class Range:
    """A number between two others.

    Attributes:
        log: tried evenly over its logarithm.
        whole: tried as a whole number.
    """

    name: str
    low: float
    high: float
    log: bool = True
    whole: bool = False

    def with_room_for(self, value: float) -> "Range":
        """The same, wide enough for a value that a recipe has now."""
        if not math.isfinite(value) or (self.log and value <= 0):
            return self
        return replace(self, low=min(self.low, value), high=max(self.high, value))

    def nearest(self, value: Value) -> Value:
        """The value in it that lies nearest."""
        held = min(max(float(value), self.low), self.high)
        return round(held) if self.whole else held

    def distribution(self) -> "BaseDistribution":
        """As Optuna has it."""
        from optuna.distributions import FloatDistribution, IntDistribution

        if self.whole:
            return IntDistribution(round(self.low), round(self.high), log=self.log)
        return FloatDistribution(self.low, self.high, log=self.log)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some names or numbers."""

    name: str
    options: tuple[Value, ...]

    def nearest(self, value: Value) -> Value:
        """The option that is, or lies nearest to, a value; of names that are none, the first."""
        if value in self.options:
            return value
        numbers = [option for option in self.options if not isinstance(option, str)]
        if isinstance(value, str) or not numbers:
            return self.options[0]
        return min(numbers, key=lambda option: abs(option - float(value)))

    def distribution(self) -> "BaseDistribution":
        """As Optuna has it."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(self.options)


Dimension: TypeAlias = Range | Choice


@dataclass(frozen=True, slots=True)
class Space:
    """The recipes that are tried: the current one with some values in the place of its own.

    Attributes:
        current: what is not varied stays as it is here.
        above: layers above the trunk; what learns must be among them.
    """

    current: LearnSettings
    dimensions: tuple[Dimension, ...]
    above: int

    def recipe(self, params: Params) -> LearnSettings:
        """The recipe at a point."""
        now = self.current
        fit = replace(
            now.fit,
            learning_rate=_short(params["learning_rate"]),
            epochs=int(params["epochs"]),
            weight_decay=_short(params["weight_decay"]),
        )
        return replace(
            now,
            fit=fit,
            adapter=_adapter(now.adapter, params, self.above),
            losses=_losses(now.losses, params),
            memory=_memory(now.memory, params),
            average=_shares(now.average, _short(params["average"])),
        )

    def params(self, recipe: LearnSettings) -> dict[str, Value]:
        """The point that lies nearest to a recipe."""
        values = _values(recipe, self.above)
        return {each.name: each.nearest(values[each.name]) for each in self.dimensions}

    def written(self, recipe: LearnSettings) -> dict[str, Any]:
        """What a recipe has in the place of what is varied, as plain values: the keys of a ``[recipes.TASK]``."""
        whole = TypeAdapter(LearnSettings).dump_python(recipe, mode="json")
        varied = {"adapter", "memory"} & {each.name for each in self.dimensions}
        fit = {key: whole["fit"][key] for key in ("learning_rate", "epochs", "weight_decay")}
        return {"average": whole["average"], "losses": whole["losses"], "fit": fit} | {
            key: whole[key] for key in varied
        }

    def near(self, params: Params) -> dict[str, Value] | None:
        """The nearest point to another tuning's; None where that lacks one of the dimensions."""
        if any(each.name not in params for each in self.dimensions):
            return None
        return {each.name: each.nearest(params[each.name]) for each in self.dimensions}

    def distributions(self) -> "dict[str, BaseDistribution]":
        """As Optuna has them, by name."""
        return {each.name: each.distribution() for each in self.dimensions}


def space_of(current: LearnSettings, above: int, ranks: bool, fixed: bool = True) -> Space:
    """What can be varied.

    Three things are not. The cut between trunk and top is the workspace's. The size of a memory is a budget, and what
    may be kept a matter of law: no trial keeps more than the workspace does, nor anything where it keeps nothing.

    Args:
        current: the recipe as it is; every range has room for its values.
        above: layers above the trunk.
        ranks: whether the task ranks, so that terms that compare answers make sense.
        fixed: whether the settings name the cut. Where they do not, it follows from the adapter, and only adapters
            from which the same one follows are tried.
    """
    values = _values(current, above)
    dimensions = (
        *_of_the_loop(above, fixed),
        *_of_the_losses(current.losses, ranks),
        *_of_the_memory(current.memory, above),
    )
    widened = (each.with_room_for(float(values[each.name])) if isinstance(each, Range) else each for each in dimensions)
    return Space(current, tuple(widened), above)


def _of_the_loop(above: int, fixed: bool) -> Iterator[Dimension]:
    if above:
        yield Choice("adapter", (*(("head_only",) if fixed else ()), *_ABOVE))
        if fixed and above > 1:
            yield Range("layers", 1, above, log=False, whole=True)
        yield Range("rank", 2, 32, whole=True)
    yield Range("learning_rate", *((1e-5, 5e-3) if above else (1e-4, 2e-2)))
    yield Range("epochs", 1, 6 if above else 40, whole=True)
    yield Range("weight_decay", *((1e-3, 1.0) if above else (1e-2, 100.0)))
    yield Range("average", 0.2, 1.0, log=False)


def _of_the_losses(losses: Sequence[Loss], ranks: bool) -> Iterator[Dimension]:
    if any(isinstance(term, Supervised) for term in losses):
        yield Range("supervised.new", 0.25, 4.0)
        yield Range("supervised.label_smoothing", 0.0, 0.2, log=False)
    yield Range("distillation.remembered", 0.0, 8.0, log=False)
    yield Range("distillation.new", 0.0, 2.0, log=False)
    for name, (_, weights) in TERMS.items():
        if ranks or name not in COMPARING:
            yield Choice(name, weights)


def _of_the_memory(memory: Memory, above: int) -> Iterator[Dimension]:
    if isinstance(memory, Sampled):
        yield Choice("memory", tuple(name for name, member in MEMORIES.items() if issubclass(member, Sampled)))
        if memory.size:
            yield Range("memory.size", max(1, memory.size // 20), memory.size, whole=True)
        yield Range("memory.mix", *((0.25, 4.0) if above else (0.5, 50.0)))


def _values(recipe: LearnSettings, above: int) -> dict[str, Value]:
    """Where a recipe stands in every dimension that there is."""
    fit, adapter, memory = recipe.fit, recipe.adapter, recipe.memory
    rates = DEFAULT_RATES.get(str(getattr(fit.optimiser, "name", "")), DEFAULT_RATES["adamw"])
    supervised, distillation = _first(recipe.losses, Supervised), _first(recipe.losses, Distillation)
    found: dict[str, Value] = {
        "adapter": str(getattr(adapter, "name", "")),
        "layers": int(getattr(adapter, "k", above or 1)),
        "rank": int(getattr(adapter, "rank", 8)),
        "learning_rate": fit.learning_rate or rates["layers" if above else "head"],
        "epochs": fit.epochs,
        "weight_decay": fit.weight_decay,
        "average": max(recipe.average),
        "supervised.new": supervised.new if supervised else 1.0,
        "supervised.label_smoothing": supervised.label_smoothing if supervised else 0.0,
        "distillation.remembered": distillation.weight * distillation.remembered if distillation else 0.0,
        "distillation.new": distillation.weight * distillation.new if distillation else 0.0,
    }
    found |= {name: term.weight if (term := _first(recipe.losses, kind)) else 0.0 for name, (kind, _) in TERMS.items()}
    if isinstance(memory, Sampled):
        found |= {"memory": memory.name, "memory.size": memory.size, "memory.mix": memory.mix}
    return found


def _shares(now: Sequence[float], largest: float) -> tuple[float, ...]:
    """The largest share that is tried, and those that are smaller anyway."""
    return (*(share for share in now if share < largest), largest)


def _adapter(now: Adapter, params: Params, above: int) -> Adapter:
    """The adapter of a point; one of the current kind keeps what is not varied of it."""
    if "adapter" not in params:
        return now
    name, layers, rank = str(params["adapter"]), int(params.get("layers", above)), int(params["rank"])
    kind: Any = ADAPTERS[name]
    start: Any = now if isinstance(now, kind) else kind()
    if name in _RANKED:
        start = replace(start, rank=rank, **({"target_rank": max(1, rank // 2)} if name == "adalora" else {}))
    return start if name == "head_only" else replace(start, k=layers)  # type: ignore[no-any-return]


def _losses(now: Sequence[Loss], params: Params) -> tuple[Loss, ...]:
    """The terms of a point; those that are not varied stay as they are."""
    losses: list[Loss] = []
    for term in now:
        if isinstance(term, Supervised):
            smoothing = _short(params["supervised.label_smoothing"])
            term = replace(term, new=_short(params["supervised.new"]), label_smoothing=smoothing)
        if not isinstance(term, (Distillation, *(kind for name, (kind, _) in TERMS.items() if name in params))):
            losses.append(term)
    kept, fresh = _short(params["distillation.remembered"]), _short(params["distillation.new"])
    if kept or fresh:
        losses.append(replace(_first(now, Distillation) or Distillation(), weight=1.0, remembered=kept, new=fresh))
    for name, (kind, _) in TERMS.items():
        if weight := float(params.get(name, 0.0)):
            term_now: Any = _first(now, kind) or kind()
            losses.append(replace(term_now, weight=weight))
    return tuple(losses)


def _memory(now: Memory, params: Params) -> Memory:
    if not isinstance(now, Sampled):
        return now
    kind: Any = MEMORIES[str(params["memory"])]
    start: Any = now if isinstance(now, kind) else kind(max_bytes=now.max_bytes, max_mix=now.max_mix)
    size = int(params.get("memory.size", now.size))
    return replace(start, size=size, mix=_short(params["memory.mix"]))  # type: ignore[no-any-return]


def _first(losses: Sequence[Loss], kind: Any) -> Any:
    return next((term for term in losses if isinstance(term, kind)), None)


def _short(value: Value) -> float:
    """Three digits: no more are known, and a recipe is read by people."""
    return float(f"{float(value):.3g}")
