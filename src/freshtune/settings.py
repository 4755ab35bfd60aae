"""freshtune.toml, the environment and flags → one frozen tree, made of the families' own dataclasses.

Later sources win: defaults, ``freshtune.toml``, what ``freshtune tune`` wrote into ``tuned.toml``, variables such as
``FRESHTUNE__LEARN__FIT__EPOCHS=3``, then flags such as ``--set learn.fit.epochs=3``. An unknown key is an error that
names the nearest one.
"""

import dataclasses
import hashlib
import os
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import orjson
from pydantic import Field, TypeAdapter

from freshtune.errors import ConfigurationError
from freshtune.intake.limits import Limits
from freshtune.intake.mapping import ColumnMapping
from freshtune.judge.case import Gate
from freshtune.judge.label_test import LabelTest
from freshtune.judge.windows import WindowSizes
from freshtune.learn.adaptation import Adapt
from freshtune.learn.challenger import Learn, TrunkTuning
from freshtune.learn.fit import Fit
from freshtune.learn.losses import LOSSES, Loss
from freshtune.learn.memory import MEMORIES, Memory
from freshtune.learn.memory.balanced import Balanced
from freshtune.learn.optimisers import OPTIMISERS, Optimiser
from freshtune.learn.optimisers.adamw import AdamW
from freshtune.learn.schedules import SCHEDULES, Schedule
from freshtune.learn.schedules.linear import Linear
from freshtune.learn.student import Student
from freshtune.learn.suited import suited_to, suited_to_names
from freshtune.model.adapters import ADAPTERS, Adapter
from freshtune.model.adapters.full import Full
from freshtune.model.adapters.head_only import HeadOnly
from freshtune.nearest import did_you_mean
from freshtune.serve.service import ServeSettings
from freshtune.settings_files import TUNED, parsed, put, put_over, tuned_recipes
from freshtune.settings_values import FILE, built
from freshtune.ship.compression import COMPRESSIONS, Compression
from freshtune.ship.compression.int8 import Int8
from freshtune.tasks import TASKS, Task
from freshtune.tasks.custom import Custom

ENVIRONMENT = "FRESHTUNE__"

if TYPE_CHECKING:
    AnyAdapter: TypeAlias = Adapter
    AnyLoss: TypeAlias = Loss
    AnyMemory: TypeAlias = Memory
    AnyOptimiser: TypeAlias = Optimiser
    AnySchedule: TypeAlias = Schedule
    AnyCompression: TypeAlias = Compression
else:  # the members themselves, told apart by their ``name``
    AnyAdapter = Annotated[reduce(or_, ADAPTERS.values()), Field(discriminator="name")]
    AnyLoss = Annotated[reduce(or_, LOSSES.values()), Field(discriminator="name")]
    AnyMemory = Annotated[reduce(or_, MEMORIES.values()), Field(discriminator="name")]
    AnyOptimiser = Annotated[reduce(or_, OPTIMISERS.values()), Field(discriminator="name")]
    AnySchedule = Annotated[reduce(or_, SCHEDULES.values()), Field(discriminator="name")]
    AnyCompression = Annotated[reduce(or_, COMPRESSIONS.values()), Field(discriminator="name")]


@dataclass(frozen=True)
class ModelSettings:
    """``[model]``: what all tasks of the workspace share.

    Attributes:
        backbone: ``bundled:NAME``, a folder, or a hub id.
        max_tokens: longest input.
        taps: how deep the head reads, as shares of all layers, side by side; where layers learn, the last alone.
        units: of an inner layer of the head; 0 has none. Only a head above the whole network has one, or a table.
        words: rows of the head's table of words and pairs of words, at most; 0 reads none.
        cut: layers of the trunk, counted from below; the rest is top. Negative counts from above. Left out, it lies
            just below what an update trains.
        cache_gigabytes: disk for the trunk's outputs.
        threads: 0 takes every core.
        nice: by how much ``freshtune train`` and ``freshtune update`` lower their own priority, so that a service
            beside them keeps its latency; 0 leaves it. From Python, ``ws.update`` leaves it as it is.
    """

    backbone: str = "bundled:multilingual-e5-small"
    max_tokens: Annotated[int, Field(ge=8, le=8_192)] = 128
    taps: tuple[Annotated[float, Field(gt=0, le=1)], ...] = (0.5, 0.67, 0.83, 1.0)
    units: Annotated[int, Field(ge=0, le=4_096)] = 256
    words: Annotated[int, Field(ge=0, le=1 << 22)] = 1 << 17
    cut: int | None = None
    cache_gigabytes: Annotated[float, Field(ge=0)] = 2.0
    threads: Annotated[int, Field(ge=0)] = 0
    nice: Annotated[int, Field(ge=0, le=19)] = 10


@dataclass(frozen=True)
class IntakeSettings:
    """``[intake]``.

    Attributes:
        held_out: share of split keys that no release is ever trained on.
        columns: which column is what, where flags do not say.
        limits: bounds on records.
    """

    held_out: Annotated[float, Field(gt=0, lt=1)] = 0.2
    columns: ColumnMapping = field(default_factory=ColumnMapping)
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class FitSettings(Fit):
    """``[learn.fit]`` and ``[learn.first]``, with the families' members spelled out."""

    optimiser: AnyOptimiser = AdamW()
    schedule: AnySchedule = Linear()

    @staticmethod
    def like(fit: Fit) -> "FitSettings":
        """The same values."""
        return FitSettings(**{place.name: getattr(fit, place.name) for place in dataclasses.fields(fit)})


@dataclass(frozen=True)
class TrunkTuningSettings(TrunkTuning):
    """``[learn.trunk]``, with the families' members spelled out."""

    adapter: AnyAdapter = Full()
    fit: FitSettings = FitSettings.like(TrunkTuning.fit)


@dataclass(frozen=True)
class LearnSettings(Learn):
    """``[learn]``, with the families' members spelled out."""

    trunk: TrunkTuningSettings = TrunkTuningSettings()
    first: FitSettings = FitSettings.like(Learn.first)
    fit: FitSettings = FitSettings.like(Learn.fit)
    adapter: AnyAdapter = HeadOnly()
    losses: tuple[AnyLoss, ...] = Learn.losses
    memory: AnyMemory = Balanced()
    adapt: Adapt = Adapt()
    student: Student = Student()


@dataclass(frozen=True)
class JudgeSettings:
    """``[judge]``."""

    gate: Gate = Gate()
    windows: WindowSizes = WindowSizes()
    labels: LabelTest = LabelTest()


@dataclass(frozen=True)
class ShipSettings:
    """``[ship]``."""

    compression: AnyCompression = Int8()


@dataclass(frozen=True)
class ServerSettings(ServeSettings):
    """``[serve]``, and where it listens."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8_800


@dataclass(frozen=True)
class Settings:
    """Everything that a workspace can be told; ``[recipes.TASK]`` is what a task has of its own over ``[learn]``."""

    tasks: Mapping[str, Task]
    model: ModelSettings = ModelSettings()
    intake: IntakeSettings = field(default_factory=IntakeSettings)
    learn: LearnSettings = field(default_factory=LearnSettings)
    judge: JudgeSettings = JudgeSettings()
    ship: ShipSettings = ShipSettings()
    serve: ServerSettings = field(default_factory=ServerSettings)
    recipes: Mapping[str, LearnSettings] = field(default_factory=dict)

    def of(self, task: str) -> "Settings":
        """The settings as they are for one task: ``learn`` is its own recipe, where it has one."""
        return dataclasses.replace(self, learn=self.recipes.get(task, self.learn), recipes={})

    def task(self, name: str) -> Task:
        """One task of the workspace; ConfigurationError where it has none of that name."""
        if name not in self.tasks:
            raise ConfigurationError(
                f"This workspace has no task {name!r}.",
                f"It has {', '.join(self.tasks)}. {did_you_mean(name, self.tasks)}".rstrip(),
                f"Add a table [tasks.{name}] to {FILE}." if name in TASKS else f"The tasks are {', '.join(TASKS)}.",
            )
        return self.tasks[name]


def read_settings(root: Path, flags: Sequence[str] = (), environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of a workspace folder.

    Args:
        root: holds ``freshtune.toml``.
        flags: ``dotted.key=value``, the value in TOML; a bare word is a string.
        environment: looked at for keys that begin with ``FRESHTUNE__``.

    Raises:
        ConfigurationError: a key that does not exist, or a value that does not fit; names the key.
    """
    try:
        tree = parsed(root / FILE)
    except FileNotFoundError:
        raise ConfigurationError(
            f"{root} is no workspace.", f"It holds no {FILE}.", f"Make one: freshtune init {root} --task sentiment"
        ) from None
    for task, recipe in tuned_recipes(root).items():
        put_over(tree.setdefault("recipes", {}).setdefault(task, {}), recipe)
    for name, value in environment.items():
        if name.startswith(ENVIRONMENT):
            put(tree, name.removeprefix(ENVIRONMENT).lower().split("__"), value)
    for flag in flags:
        key, equals, value = flag.partition("=")
        if not equals:
            raise ConfigurationError(f"--set {flag} sets nothing.", "", "Write --set key=value.")
        put(tree, key.strip().split("."), value.strip())
    return settings_of(tree)


def settings_of(tree: Mapping[str, Any]) -> Settings:
    """Check a tree of plain values and build the settings from it."""
    tree = dict(tree)
    named, recipes = tree.pop("tasks", {}), tree.pop("recipes", {})
    if not isinstance(named, dict) or not named:
        raise ConfigurationError("The workspace has no task.", "", "Add a table such as [tasks.sentiment].")
    if not isinstance(recipes, dict):
        raise ConfigurationError("The setting recipes is no table.", "", "Write [recipes.TASK] for a task.")
    tasks = {name: _task(name, value) for name, value in named.items()}
    settings = built(_Untasked, tree, "", _defaults(tree))
    usual = dict.fromkeys(recipes, settings.learn) | {
        name: dataclasses.replace(settings.learn, first=suited_to_names(settings.learn, tree, recipes.get(name, {})))
        for name, task in tasks.items()
        if task.head().kind == "several"
    }
    made = {name: _recipe(name, recipes.get(name, {}), tasks, learn) for name, learn in usual.items()}
    return typing.cast(Settings, dataclasses.replace(settings, tasks=tasks, recipes=made))


def _recipe(name: str, value: Any, tasks: Mapping[str, Task], usual: LearnSettings) -> LearnSettings:
    """One task's own recipe: what is said of it over what ``[learn]`` says for all."""
    if name not in tasks:
        raise ConfigurationError(
            f"There is a recipe for {name!r}, which is no task of this workspace.",
            did_you_mean(name, tasks),
            f"Delete the table [recipes.{name}] of {FILE} or {TUNED}, or add a table [tasks.{name}].",
        )
    return typing.cast(LearnSettings, built(LearnSettings, value, f"recipes.{name}", usual))


def _task(name: str, value: Any) -> Task:
    """The task of a table: the one of that name, or a custom one where the table says ``like = "custom"``."""
    like = value.get("like", name) if isinstance(value, dict) else name
    if not isinstance(like, str) or like not in TASKS:
        raise ConfigurationError(
            f"There is no task {like!r}.", did_you_mean(str(like), TASKS), f"The tasks are {', '.join(TASKS)}."
        )
    if like != name and TASKS[like] is not Custom:
        raise ConfigurationError(
            f"The table [tasks.{name}] is like {like!r}.",
            f"Only a custom task may have a name of its own; {like} is [tasks.{like}].",
            f'Rename the table, or write like = "{Custom.name}" and say what it answers.',
        )
    if isinstance(value, dict):
        value = {key: each for key, each in value.items() if key != "like"}
        if TASKS[like] is Custom:
            if value.get("name", name) != name:
                raise ConfigurationError(
                    f"The table [tasks.{name}] names its task {value['name']!r}.",
                    "A task's name is its table's.",
                    "Take name out, or rename the table.",
                )
            value |= {"name": name}
    task = typing.cast(Task, built(TASKS[like], value, f"tasks.{name}"))
    try:
        task.head()
    except ValueError as error:
        raise ConfigurationError(
            f"The settings of tasks.{name} are wrong.", str(error), f"Mend the table [tasks.{name}] of {FILE}."
        ) from None
    return task


def first_tables(tasks: Sequence[str]) -> list[str]:
    """The lines of a new workspace's ``freshtune.toml``.

    Raises:
        ConfigurationError: there is no such task.
    """
    settings_of({"tasks": {name: {} for name in tasks}})
    lines = ["# Every setting and its default: freshtune config show"]
    return [*lines, *(f"[tasks.{name}]" for name in tasks), ""]


def recipe_digest(settings: Settings) -> str:
    """Sha256 of all settings that a release depends on."""
    shown = {
        name: TypeAdapter(type(value)).dump_python(value, mode="json")
        for name, value in (
            ("model", dataclasses.replace(settings.model, nice=0)),  # decides when, not what
            ("learn", settings.learn),
            ("judge", settings.judge),
            ("ship", settings.ship),
        )
    }
    return hashlib.sha256(orjson.dumps(shown, option=orjson.OPT_SORT_KEYS)).hexdigest()


def as_tree(settings: Settings) -> dict[str, Any]:
    """The settings as plain values, for ``config show``."""
    tasks = {name: task_table(task) for name, task in settings.tasks.items()}
    rest = {
        place.name: TypeAdapter(type(value)).dump_python(value, mode="json")
        for place in dataclasses.fields(settings)
        if place.name not in ("tasks", "recipes") and (value := getattr(settings, place.name)) is not None
    }
    recipes = {
        name: TypeAdapter(LearnSettings).dump_python(each, mode="json") for name, each in settings.recipes.items()
    }
    return {"tasks": tasks, **rest, **({"recipes": recipes} if recipes else {})}


def task_table(task: Task) -> dict[str, Any]:
    """A task as its table in ``freshtune.toml`` says it."""
    table: dict[str, Any] = TypeAdapter(type(task)).dump_python(task, mode="json")
    if isinstance(task, Custom):
        del table["name"]  # the table's own
        return {"like": Custom.name} | table
    return table


@dataclass(frozen=True)
class _Untasked(Settings):
    """Settings whose tasks are put in afterwards: their type is a Protocol, which cannot be validated."""

    tasks: Annotated[Any, Field(default_factory=dict)] = field(default_factory=dict)


def _defaults(tree: Mapping[str, Any]) -> _Untasked:
    """What suits what learns. A head above layers that learn reads the last of them: a tap below the cut is no more."""
    (suits, is_head), like = suited_to(tree), FitSettings.like
    trunk, first, fit = (
        TrunkTuningSettings(suits.trunk.share, fit=like(suits.trunk.fit)),
        like(suits.first),
        like(suits.fit),
    )
    learn = LearnSettings(trunk=trunk, first=first, fit=fit, memory=suits.memory, average=suits.average)
    return _Untasked(model=ModelSettings() if is_head else ModelSettings(taps=(1.0,)), learn=learn)
