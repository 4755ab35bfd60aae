"""Play the built-in stream through a workspace: a first release, an update an increment, a service beside them."""

import platform
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from freshtune import front_door
from freshtune.cycle.champion import bundle_of, trunk_cache
from freshtune.demo.result import Change, DemoResult, DomainResult, FirstRelease, IncrementResult
from freshtune.demo.service import RunningService, running_service
from freshtune.demo.stream import DOMAINS, LENGTHS, Increment, Review, open_stream
from freshtune.demo.verdicts import CHINESE, decided, headline
from freshtune.errors import FreshtuneError
from freshtune.intake.ingest import IngestReport
from freshtune.intake.mapping import ColumnMapping
from freshtune.judge.evaluate import evaluate
from freshtune.learn.fit import threads
from freshtune.phases import Phases
from freshtune.processor import processor
from freshtune.records import Delta, Estimate, Example, Outcome, Verdict
from freshtune.workspace import create_workspace

TASK = "sentiment"
SENTENCE = "房间又小又吵，空调还坏了，前台态度倒是不错，下次不会再来。"
"""What the first and the last release are asked: a hotel review of our own, which says both good and bad."""

MAPPING = ColumnMapping(task=TASK, id="id", text="text", label="label", category="category")
SETTINGS = [f"[tasks.{TASK}]", "", "[model]", "max_tokens = 64", "", "[intake]", "held_out = 0.3", ""]
SALT = b"the built-in reviews are public: no secret"
"""Fixed, so that each run masks, splits and learns alike."""

_RESAMPLES = 2_000


@dataclass
class _Played:
    """What is known of the stream so far: every held-out example, and each live release's outcomes on them."""

    held_out: list[Example] = field(default_factory=list)
    outcomes: dict[str, dict[str, Outcome]] = field(default_factory=dict)

    def score(self, release: str, examples: Sequence[Example]) -> float:
        """Share of right answers."""
        return float(np.mean(self.right(release, examples))) if examples else float("nan")

    def right(self, release: str, examples: Sequence[Example]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        known = self.outcomes[release]
        return np.array([known[each.id].prediction == known[each.id].target for each in examples], np.float64)

    def of(self, domain: str) -> list[Example]:
        return [each for each in self.held_out if each.category == domain]


def play(root: Path, length: str, tell: Callable[[str], None], phases: Callable[[], Phases]) -> DemoResult:
    """Play the stream in a new workspace.

    Args:
        root: the new folder.
        length: a name in ``stream.LENGTHS``.
        tell: given each line of the story as it happens.
        phases: gives the timer of the next act.
    """
    started = time.perf_counter()
    stream = open_stream(LENGTHS[length])
    create_workspace(root, SETTINGS, SALT)
    shop, played = front_door.open(root), _Played()
    with closing(shop.store.registry):
        first = _first(shop, stream.first, played, phases(), tell)
        scores = [_by_domain(played, first.release)]
        live, increments = first.release, []
        with running_service(root) as service:
            service.wait_for(TASK, first.release)
            before = service.ask(TASK, SENTENCE)
            for increment in stream.increments:
                result = _increment(shop, increment, played, live, service, phases(), tell)
                live = result.release if result.promoted else live
                increments.append(result)
                scores[-1].setdefault(increment.domain, result.fresh.before)
                scores.append(_by_domain(played, live))
            after = service.ask(TASK, SENTENCE)
        _measure(shop, played, first.release)
    domains = tuple(_domain(played, each, first.release, live, scores, increments) for each in DOMAINS)
    return DemoResult(
        length=length,
        backbone=shop.settings.model.backbone,
        metric="accuracy",
        first=first,
        increments=tuple(increments),
        domains=domains,
        sentence=SENTENCE,
        replies=(before, after),
        machine=_machine(),
        total_seconds=time.perf_counter() - started,
    )


def _first(
    shop: front_door.OpenWorkspace,
    reviews: Sequence[Review],
    played: _Played,
    phases: Phases,
    tell: Callable[[str], None],
) -> FirstRelease:
    report = _arrive(shop, reviews, phases)
    delta = _held_out(shop, played)
    release = shop.train(TASK, phases)
    _measure(shop, played, release.id)
    score = played.score(release.id, played.held_out)
    tell(
        f"first release · 首个版本: {report.kept} {reviews[0].domain} reviews, {len(delta.labelled)} to learn, "
        f"{len(delta.held_out)} held out · accuracy {score:.3f} · {_total(phases)} · {_verdict(release.verdict)}"
    )
    if not release.verdict.promote:
        why = " ".join(release.verdict.reasons)
        raise FreshtuneError("The first release was not promoted: the story cannot go on.", why)
    return FirstRelease(
        release=release.id,
        events=report.read,
        kept=report.kept,
        duplicates=_duplicates(report, delta),
        trained_on=len(delta.labelled),
        held_out=len(delta.held_out),
        seconds=dict(phases.seconds),
        score=score,
    )


def _increment(
    shop: front_door.OpenWorkspace,
    increment: Increment,
    played: _Played,
    live: str,
    service: RunningService,
    phases: Phases,
    tell: Callable[[str], None],
) -> IncrementResult:
    report = _arrive(shop, increment.reviews, phases)
    earlier = list(played.held_out)
    delta = _held_out(shop, played)
    arrived = played.held_out[len(earlier) :]
    release = shop.update(TASK, phases)
    decision = decided(release.verdict)
    now = release.id if decision == "promoted" else live
    with phases("swap"):
        service.wait_for(TASK, now)
    _measure(shop, played, live)
    _measure(shop, played, release.id)
    fresh = Change(played.score(live, arrived), played.score(release.id, arrived))
    old = Change(played.score(live, earlier), played.score(release.id, earlier))
    tell(
        f"{increment.name:<12} events {report.read} kept {report.kept} duplicates {_duplicates(report, delta)} · "
        f"fresh {fresh.before:.3f} → {fresh.after:.3f} · old {old.before:.3f} → {old.after:.3f} · {_total(phases)} · "
        + _verdict(release.verdict)
    )
    return IncrementResult(
        name=increment.name,
        domain=increment.domain,
        events=report.read,
        kept=report.kept,
        duplicates=_duplicates(report, delta),
        held_out=len(arrived),
        seconds=dict(phases.seconds),
        fresh=fresh,
        old=old,
        verdict=release.verdict.reasons or tuple(each.words for each in release.verdict.findings[:2]),
        decision=decision,
        promoted=decision == "promoted",
        release=release.id,
    )


def _arrive(shop: front_door.OpenWorkspace, reviews: Sequence[Review], phases: Phases) -> IngestReport:
    with phases("ingest"):
        return shop.ingest((review.record() for review in reviews), MAPPING)


def _held_out(shop: front_door.OpenWorkspace, played: _Played) -> Delta:
    """What is pending; its held-out side joins the examples that every live release is measured on."""
    delta = shop.pending(TASK)
    known = {each.id for each in played.held_out}
    played.held_out += [each for each in delta.held_out if each.id not in known]
    return delta


def _measure(shop: front_door.OpenWorkspace, played: _Played, release: str) -> None:
    """A release on every held-out example that has arrived; what was measured before is not measured again."""
    task, settings = shop.settings.task(TASK), shop.settings.model
    known = played.outcomes.setdefault(release, {})
    if all(each.id in known for each in played.held_out):
        return
    with trunk_cache(shop.store, task, settings) as cache:
        model = bundle_of(shop.store, shop.store.registry.get(release), settings, cache).predictor()
        card = evaluate(model, task, played.held_out, "demo", known)
    known |= {outcome.id: outcome for outcome in card.outcomes}


def _by_domain(played: _Played, release: str) -> dict[str, float]:
    arrived = [domain for domain in DOMAINS if played.of(domain)]
    return {domain: played.score(release, played.of(domain)) for domain in arrived}


def _domain(
    played: _Played,
    domain: str,
    first: str,
    last: str,
    scores: Sequence[Mapping[str, float]],
    increments: Sequence[IncrementResult],
) -> DomainResult:
    examples = played.of(domain)
    frozen, final = played.right(first, examples), played.right(last, examples)
    learned = max((place for place, each in enumerate(increments, 1) if each.domain == domain), default=0)
    return DomainResult(
        domain=domain,
        examples=len(examples),
        frozen=float(frozen.mean()),
        final=float(final.mean()),
        difference=_paired(final - frozen),
        scores=tuple(each.get(domain) for each in scores),
        learned=scores[learned][domain],
    )


def _paired(differences: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Estimate:
    """The mean difference with its 95 % bootstrap interval."""
    rows = np.random.default_rng(0).integers(0, len(differences), (_RESAMPLES, len(differences)))
    low, high = np.quantile(differences[rows].mean(axis=1), (0.025, 0.975))
    return Estimate(float(differences.mean()), float(low), float(high))


def _duplicates(report: IngestReport, delta: Delta) -> int:
    return report.duplicates + delta.counts.exact_duplicates + delta.counts.near_duplicates


def _total(phases: Phases) -> str:
    return f"{sum(phases.seconds.values()):.1f} s"


def _verdict(verdict: Verdict) -> str:
    """What was decided, and the plain line of each reason against; the report has the numbers."""
    said = f"{decided(verdict)} · {CHINESE[decided(verdict)]}"
    return f"{said}: {'; '.join(headline(reason)[0] for reason in verdict.reasons)}" if verdict.reasons else said


def _machine() -> dict[str, str]:
    import torch

    return {
        "processor": processor(),
        "cores": str(threads()),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
