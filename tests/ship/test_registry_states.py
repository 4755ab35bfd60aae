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
    """The registry beside a model of it: a stack of live releases, and who was refused, rolled back, brought back.

    Log ranges are sets of positions in the model.
    """

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.registry = open_registry(self.folder)
        self.stack: list[str] = []
        self.ranges: dict[str, LogRange] = {}
        self.parents: dict[str, str | None] = {}
        self.outcomes: dict[str, str] = {}
        self.included: dict[str, int] = {}
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
    def update(self, events: int, good: bool) -> None:
        self.head += events
        self.record(self.registry.pending(TASK, self.head)[0], good)

    @rule(events=st.integers(1, 50), good=st.booleans())
    def train(self, events: int, good: bool) -> None:
        self.head += events
        self.record(LogRange(0, self.head), good)

    def record(self, part: LogRange, good: bool) -> None:
        name = f"r{len(self.ranges)}"
        made = draft(self.live, part.since, part.upto, good, accuracy=len(self.ranges) / 1000)
        release = self.registry.record(made, files(self.folder, name))
        self.ranges[release.id], self.parents[release.id] = part, self.live
        self.outcomes[release.id] = "recorded" if good else "refused"
        if not good:
            self.refused.add(release.id)

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
            self.outcomes[release] = "promoted"
            self.included.pop(release, None)
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
        self.outcomes |= {live: "rolled_back", self.stack[-1]: "promoted"}
        self.included.pop(live, None)
        self.included.pop(self.stack[-1], None)
        self.steps += 1

    @rule(number=st.integers(0, 1000))
    def include(self, number: int) -> None:
        out = [part for part in self.registry.consumed(TASK) if part.outcome != "promoted"]
        if out:
            wanted = out[number % len(out)].range
            for part in self.registry.include(TASK, wanted):
                assert wanted.since <= part.range.since <= part.range.upto <= wanted.upto
                self.included[part.release] = len(self.ranges)

    @rule(keep=st.integers(0, 3))
    def prune(self, keep: int) -> None:
        prune(self.registry, keep, grace=0.0)

    @rule()
    def reopen(self) -> None:
        self.registry.close()
        self.registry = open_registry(self.folder)

    def lineage(self, release: str | None = None) -> set[str]:
        """A release and its ancestors; the live one's."""
        found, step = set(), release or self.live
        while step is not None:
            found.add(step)
            step = self.parents[step]
        return found

    def bad(self, release: str) -> set[int]:
        """What a release quarantines: a refused training nothing, one rolled back what no ancestor had learned."""
        training, positions = self.ranges[release].since == 0, set(span(self.ranges[release]))
        if self.outcomes[release] == "rolled_back":
            ancestors = self.lineage(release) - {release} if training else set()
            return positions - {position for each in ancestors for position in span(self.ranges[each])}
        return positions if self.outcomes[release] == "refused" and not training else set()

    def learned(self, release: str) -> set[int]:
        """What it learned: not what was in quarantine then, and has been brought back since."""
        number = list(self.ranges).index(release) + 1
        passed_over = {place for each, since in self.included.items() if since >= number for place in self.bad(each)}
        return set(span(self.ranges[release])) - passed_over

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
        consumed: dict[str, set[int]] = {}
        for part in self.registry.consumed(TASK):
            assert (part.outcome == "promoted") == (part.release in self.lineage())
            consumed.setdefault(part.release, set()).update(span(part.range))
        expected = {release: self.learned(release) for release in self.lineage()}
        expected |= {each: self.bad(each) for each in self.ranges if each not in expected and each not in self.included}
        assert consumed == {release: positions for release, positions in expected.items() if positions}
        gaps = self.registry.pending(TASK, self.head)
        covered = {position for positions in consumed.values() for position in positions}
        assert {position for gap in gaps for position in span(gap)} == set(range(1, self.head + 1)) - covered

    @invariant()
    def every_release_is_whole(self) -> None:
        assert verify(self.registry).whole


def span(part: LogRange) -> range:
    return range(part.since + 1, part.upto + 1)


TestRegistryStates = RegistryStates.TestCase
TestRegistryStates.settings = settings(deadline=None, derandomize=True, max_examples=15, stateful_step_count=25)
