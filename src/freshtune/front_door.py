"""freshtune from Python: one workspace and everything that can be done with it. The command line is thin over this.

>>> import freshtune as ft
>>> ws = ft.create("/tmp/shop", ["sentiment"])                              # doctest: +SKIP
>>> ws.ingest("reviews.csv", task="sentiment", text="review", label="label")  # doctest: +SKIP
>>> ws.train("sentiment").id                                                  # doctest: +SKIP
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from freshtune import cycle
from freshtune.cycle.beginning import by_side
from freshtune.cycle.companion import companion_of
from freshtune.cycle.extras import require_extra
from freshtune.errors import NotFound, UsageError
from freshtune.intake.checks import EventChecks
from freshtune.intake.ingest import IngestReport, ingest_file, ingest_records
from freshtune.intake.labelled import LabelledData, read_labelled
from freshtune.intake.mapping import ColumnMapping, unknown_task
from freshtune.intake.sources import Record
from freshtune.judge.evaluate import evaluate
from freshtune.judge.gate import change_between
from freshtune.model.onnx_model import OnnxModel, open_onnx_model
from freshtune.model.predictor import Input
from freshtune.phases import Phases
from freshtune.records import Delta, Estimate, Json, LogRange, Release, Scorecard
from freshtune.serve.replies import readable
from freshtune.settings import Settings, first_tables, read_settings
from freshtune.ship.checkout import checkout
from freshtune.ship.consumption import Consumed
from freshtune.tasks import TASKS, Task, answering, class_names, first_without_pair
from freshtune.tune import Limits, Trial, Tuning, tune
from freshtune.workspace import Workspace, create_workspace, open_workspace

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Evaluation:
    """A release on labelled data.

    Attributes:
        scorecard: how good it is: metrics with intervals, slices, every outcome.
        data: what it was judged on, and what of it was refused or passed over.
        baseline: TF-IDF on the same, where it was asked for.
        gain: the primary metric over the baseline's, with its 95 % interval.
    """

    scorecard: Scorecard
    data: LabelledData
    baseline: Scorecard | None = None
    gain: Estimate | None = None


@dataclass(frozen=True)
class OpenWorkspace:
    """A workspace and its settings, open for use.

    Attributes:
        store: the folder's stores.
        settings: of ``freshtune.toml``, the environment and the flags given.
    """

    store: Workspace
    settings: Settings

    @cached_property
    def checks(self) -> EventChecks:
        """What every event must pass on its way in."""
        return EventChecks(self.settings.tasks, self.store.masker, self.settings.intake.limits)

    def task(self, name: str) -> Task:
        """One task of the workspace.

        Raises:
            UsageError: it has none of that name.
        """
        if name not in self.settings.tasks:
            raise unknown_task(name, self.settings.tasks)
        return self.settings.tasks[name]

    def ingest(
        self,
        source: str | Path | Iterable[Record],
        mapping: ColumnMapping,
        progress: Callable[[IngestReport], None] | None = None,
    ) -> IngestReport:
        """Store the events of a file, or of records at hand; what is counted is on disk.

        Args:
            source: a csv, jsonl or parquet file, plain or gz; or records.
            mapping: which column is what.
            progress: told after each batch.
        """
        mapping.check(self.settings.tasks, None)
        if isinstance(source, str | Path):
            return ingest_file(Path(source), mapping, self.store.events, self.checks, progress)
        return ingest_records(source, mapping, self.store.events, self.checks, progress=progress)

    def train(self, task: str, phases: Phases | None = None) -> Release:
        """Make a release from all history; see ``cycle.train``."""
        of = self.task(task)
        try:
            return cycle.train(self.store, of, self.settings, phases)
        except UsageError as error:
            raise _with_counts(error, self.store, of, self.settings) from None

    def update(self, task: str, phases: Phases | None = None) -> Release:
        """Make the next release from what is new; see ``cycle.update``."""
        return cycle.update(self.store, self.task(task), self.settings, phases)

    def refresh(self, task: str, phases: Phases | None = None) -> Release:
        """Make the trunk again from what is remembered; see ``cycle.refresh``."""
        return cycle.refresh(self.store, self.task(task), self.settings, phases)

    def reason_to_refresh(self, task: str) -> str | None:
        """In a sentence, why the trunk of the live release is due to be made again; None where it is not."""
        return cycle.reason_to_refresh(self.store, self.task(task), self.settings)

    def tune(
        self,
        task: str,
        limits: Limits,
        seed: int = 0,
        phases: Phases | None = None,
        on_trial: Callable[[Trial], None] = lambda _: None,
    ) -> Tuning:
        """Search for a better recipe and write it into the workspace; see ``tune.tune``. Open the workspace again to
        learn by it."""
        return tune(self.store, self.task(task), self.settings, limits, seed, phases, on_trial)

    def pending(self, task: str, back: Iterable[Consumed] = ()) -> Delta:
        """The delta that the next update would learn; nothing is written.

        Args:
            back: quarantined ranges, of ``include(…, dry_run=True)``: as if they were brought back.
        """
        lifted = {part.release for part in back}
        return cycle.pending_delta(self.store, self.task(task), self.settings, lifted)

    def reason_to_wait(self, delta: Delta) -> str | None:
        """Why an update would not learn a delta yet; None where it would."""
        waits = cycle.reason_to_wait(self.store, self.task(delta.task), self.settings, delta)
        return None if waits is None else f"{waits.what} {waits.why}"

    def include(self, task: str, since: int, upto: int, dry_run: bool = False) -> tuple[Consumed, ...]:
        """Bring quarantined log ranges back: the next update learns them again.

        Args:
            since, upto: log positions; ranges inside are brought back.
            dry_run: only say which ones.

        Returns:
            What was brought back; nothing where it is back already and waits to be learned.

        Raises:
            NotFound: no range that lies inside was ever quarantined, or one only in part.
        """
        registry, name = self.store.registry, self.task(task).name
        try:
            return registry.include(name, LogRange(since, upto), dry_run)
        except NotFound:
            bad = [part.range for part in registry.consumed(name) if part.outcome != "promoted"]
            waiting = registry.pending(name, self.store.events.head())
            if not _meets(bad, since, upto) and _meets(waiting, since, upto):
                return ()
            raise

    def release_of(self, task: str, release: str | None = None) -> str:
        """The id of a named release, or of the live one.

        Raises:
            NotFound: there is none.
        """
        name = self.store.registry.live_id(self.task(task).name)
        if release is not None:
            return self.store.registry.summary(release).id
        if name is None:
            raise NotFound(f"{task} has no live release yet.", "", f"Make one: freshtune train {task}")
        return name

    def model(self, task: str, release: str | None = None) -> OnnxModel:
        """A release as it is served: the live one, or one that is named.

        Raises:
            NotFound: there is none.
            ConfigurationError: the packages that serve are not installed.
        """
        require_extra("serve", "Asking a model")
        folder = checkout(self.store.registry, self.release_of(task, release), self.store.checkouts)
        return open_onnx_model(folder, None, cycle.cores(self.settings.model))

    def predict(self, task: str, inputs: Sequence[str | Input], release: str | None = None) -> list[dict[str, Json]]:
        """Ask a release, after the masking that its training data went through.

        Returns:
            For each input its ``label``, ``score`` and ``probabilities`` by label, as the service answers.

        Raises:
            NotFound: there is no such release.
            UsageError: an input is no text, or lacks the second text that the task reads.
        """
        name, masked = self.release_of(task, release), self.masked(inputs)
        _require_pairs(self.task(task), masked)
        model = self.model(task, name)
        return readable(model.head, model.head.answers(model.logits(masked)))

    def masked(self, inputs: Sequence[str | Input]) -> list[Input]:
        """Inputs without personal data.

        Raises:
            UsageError: one holds half of a surrogate pair, which is no character.
        """

        def clean(text: str) -> str:
            if not text.isascii() and _SURROGATE.search(text):
                raise UsageError("An input is no text.", "It holds half of a surrogate pair.", "Decode it as UTF-8.")
            return self.store.masker.mask(text).text

        given = [Input(each) if isinstance(each, str) else each for each in inputs]
        return [Input(clean(text), None if pair is None else clean(pair)) for text, pair in given]

    def evaluate(
        self,
        task: str,
        source: str | Path | Iterable[Record],
        mapping: ColumnMapping,
        release: str | None = None,
        baseline: bool = False,
    ) -> Evaluation:
        """Judge a release on labelled data; nothing of it is stored or learned.

        Args:
            source: a csv, jsonl or parquet file, plain or gz; or records.
            mapping: which column is what.
            release: the live one unless named.
            baseline: judge TF-IDF beside it, fitted on what the release could learn.

        Raises:
            NotFound: no such file or release.
            UsageError: the mapping does not fit, or no record is left that could judge: says why.
        """
        of = self.task(task)
        if baseline:
            require_extra("train", "A baseline")
        data = read_labelled(source, mapping, self.checks, of)
        model = self.model(task, release)
        of = answering(of, class_names(model.head), data.examples)
        ours = evaluate(model, of, data.examples, "data")
        if not baseline:
            return Evaluation(ours, data)
        upto = self.store.registry.get(self.release_of(task, release)).range.upto
        theirs = evaluate(companion_of(self.store, of, self.settings, upto), of, data.examples, "data")
        return Evaluation(ours, data, theirs, change_between(ours, theirs))


def _meets(ranges: Iterable[LogRange], since: int, upto: int) -> bool:
    """Whether one of the ranges has a position in common with ``since < position <= upto``."""
    return any(max(part.since, since) < min(part.upto, upto) for part in ranges)


def _require_pairs(task: Task, inputs: Sequence[Input]) -> None:
    place = first_without_pair(task, inputs)
    if place is not None:
        raise UsageError(
            f"{task.name} cannot answer about one text alone.",
            f"Input {place} (counted from 0) has no second text, and {task.name} reads two.",
            'Name its column with --pair COLUMN; from Python and over HTTP send {"text": …, "pair": …}.',
        )


def _with_counts(error: UsageError, store: Workspace, task: Task, settings: Settings) -> UsageError:
    """The refusal of a first training, with what the log holds for the task and how to see it."""
    try:
        delta = cycle.pending_delta(store, task, settings)
    except NotFound:
        return error
    if delta.range.since:  # a training looks at everything, this delta only at what came last
        return error
    counts = (
        f"The log's {delta.range.upto:,} events hold for {task.name}: {len(delta.labelled):,} labelled examples to "
        f"learn, {len(delta.held_out):,} held out, {len(delta.unlabelled):,} without a label"
    )
    return UsageError(
        error.what,
        f"{error.why.rstrip('.')}. {counts}. {by_side(delta, task)}".rstrip(),
        f"{error.mend} freshtune update {task.name} --dry-run shows what there is, "
        "freshtune ingest --dead-letters what was refused.",
    )


def open(root: str | Path, flags: Sequence[str] = ()) -> OpenWorkspace:  # noqa: A001 (read as freshtune.open)
    """Open a workspace folder.

    Args:
        root: made by :func:`create`.
        flags: settings that win over ``freshtune.toml``, such as ``learn.fit.epochs=3``.
    """
    store = open_workspace(Path(root))
    return OpenWorkspace(store, read_settings(store.root, flags))


def create(root: str | Path, tasks: Sequence[str]) -> OpenWorkspace:
    """Make a folder a workspace for the given tasks, with all settings at their defaults.

    Raises:
        UsageError: there is no such task, or the folder holds something already.
    """
    unknown = [name for name in tasks if name not in TASKS]
    if unknown:
        raise UsageError(f"There is no task {unknown[0]!r}.", "", f"Name one of {', '.join(TASKS)}.")
    store = create_workspace(Path(root), first_tables(tasks))
    return OpenWorkspace(store, read_settings(store.root))
