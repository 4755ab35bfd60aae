"""Any order of record, promote, rollback, include, prune and reopening keeps what the registry promises."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from freshtune.errors import NotFound
from freshtune.records import LogRange
from freshtune.ship.prune import prune
from freshtune.ship.registry import Conflict, Refused
from freshtune.ship.verify import verify
from tests.ship.drafts import draft, files, open_registry

TASK = "sentiment"


class RegistryStates(RuleBasedStateMachine):
    """The registry beside a model of it: a stack of live releases, and who was refused, rolled back, brought back."""

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.registry = open_registry(self.folder)
        self.stack: list[str] = []
        self.ranges: dict[str, LogRange] = {}
        self.parents: dict[str, str | None] = {}
        self.quarantined: set[str] = set()
        self.refused: set[str] = set()
        self.head = self.steps = self.watermark = 0

    def teardown(self) -> None:
        self.registry.close()
        shutil.rmtree(self.folder)

    @property
    def live(self) -> str | None:
        return self.stack[-1] if self.stack else None

    def chosen(self, number: int) -> str | None:
        return list(self.ranges)[number % len(self.ranges)] if self.ranges else None

    @rule(events=st.integers(1, 50), good=st.booleans())
    def record(self, events: int, good: bool) -> None:
        self.head += events
        part = self.registry.pending(TASK, self.head)[0]
        name = f"r{len(self.ranges)}"
        made = draft(self.live, part.since, part.upto, good, accuracy=len(self.ranges) / 1000)
        release = self.registry.record(made, files(self.folder, name))
        self.ranges[release.id], self.parents[release.id] = part, self.live
        if not good:
            self.refused.add(release.id)
            self.quarantined.add(release.id)

    @rule(number=st.integers(0, 1000), force=st.booleans())
    def promote(self, number: int, force: bool) -> None:
        release = self.chosen(number)
        if release is None:
            return
        if self.registry.summary(release).pruned:
            with pytest.raises(NotFound):
                self.registry.promote(release, self.live, "test", "why", force)
        elif release in self.refused and not force:
            with pytest.raises(Refused):
                self.registry.promote(release, self.live, "test")
        else:
            self.registry.promote(release, self.live, "test", "why", force)
            self.quarantined.discard(release)
            if release != self.live:
                self.stack.append(release)
                self.steps += 1

    @rule(number=st.integers(0, 1000))
    def promote_on_a_stale_view(self, number: int) -> None:
        release = self.chosen(number)
        if release is not None and not self.registry.summary(release).pruned:
            with pytest.raises(Conflict):
                self.registry.promote(release, "sentiment-000000000000", "test", "why", force=True)

    @rule()
    def rollback(self) -> None:
        live = self.live
        if len(self.stack) < 2 or self.registry.summary(self.stack[-2]).pruned:
            with pytest.raises(NotFound):
                self.registry.rollback(TASK, live or "", "test")
            return
        assert live is not None
        self.registry.rollback(TASK, live, "test")
        self.stack.pop()
        self.quarantined.add(live)
        self.quarantined.discard(self.stack[-1])
        self.steps += 1

    @rule(number=st.integers(0, 1000))
    def include(self, number: int) -> None:
        out = sorted(self.quarantined - self.lineage())
        if out:
            wanted = self.ranges[out[number % len(out)]]
            for part in self.registry.include(TASK, wanted):
                assert wanted.since <= part.range.since <= part.range.upto <= wanted.upto
                self.quarantined.remove(part.release)

    @rule(keep=st.integers(0, 3))
    def prune(self, keep: int) -> None:
        prune(self.registry, keep, grace=0.0)

    @rule()
    def reopen(self) -> None:
        self.registry.close()
        self.registry = open_registry(self.folder)

    def lineage(self) -> set[str]:
        found, step = set(), self.live
        while step is not None:
            found.add(step)
            step = self.parents[step]
        return found

    @invariant()
    def one_live_release_and_it_is_promoted(self) -> None:
        assert self.registry.live_id(TASK) == self.live
        assert [summary.id for summary in self.registry.list() if summary.live] == ([self.live] if self.live else [])
        if self.live:
            assert self.registry.summary(self.live).outcome == "promoted"
            assert not self.registry.summary(self.live).pruned

    @invariant()
    def history_is_consistent(self) -> None:
        history = self.registry.history(TASK)
        assert len(history) == self.steps
        assert [step.replaced for step in history] == [None, *(step.release for step in history)][: len(history)]
        assert self.live == (history[-1].release if history else None)

    @invariant()
    def the_watermark_never_goes_back(self) -> None:
        assert self.registry.watermark(TASK) >= self.watermark
        self.watermark = self.registry.watermark(TASK)

    @invariant()
    def what_is_consumed_is_learned_or_quarantined(self) -> None:
        consumed = {part.release: part.outcome for part in self.registry.consumed(TASK)}
        assert {release for release, outcome in consumed.items() if outcome == "promoted"} == self.lineage()
        assert set(consumed) - self.lineage() == self.quarantined - self.lineage()
        gaps = self.registry.pending(TASK, self.head)
        covered = {position for release in consumed for position in span(self.ranges[release])}
        assert {position for gap in gaps for position in span(gap)} == set(range(1, self.head + 1)) - covered

    @invariant()
    def every_release_is_whole(self) -> None:
        assert verify(self.registry).whole


def span(part: LogRange) -> range:
    return range(part.since + 1, part.upto + 1)


TestRegistryStates = RegistryStates.TestCase
TestRegistryStates.settings = settings(deadline=None, derandomize=True, max_examples=15, stateful_step_count=25)
