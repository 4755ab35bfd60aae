"""What the gate said of a release and what people did with it, as lines to read."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freshtune.records import Finding, Verdict
    from freshtune.ship.release_rows import Promotion, ReleaseSummary


def verdict_lines(verdict: "Verdict") -> Iterator[str]:
    """One line a rule: ✓ passed, ✗ refused, – had nothing to look at."""
    for finding in verdict.findings:
        yield f"{mark(finding)} {finding.rule}: {finding.words}"


def mark(finding: "Finding") -> str:
    """What a rule said, in one character."""
    if not finding.passed:
        return "✗"
    return "✓" if finding.examined else "–"


def standing(summary: "ReleaseSummary") -> str:
    """Where a release stands, in two or three words.

    A promoted one is live or has been; a good one that nobody has promoted yet is only recorded.
    """
    return f"{summary.outcome.replace('_', ' ')}{', live' if summary.live else ''}"


def short_reason(summary: "ReleaseSummary") -> str:
    """Why a release stands where it does, in one phrase; empty where the gate promoted it and nobody objected."""
    if summary.rolled_back_by is not None:
        return _by("rolled back", summary.rolled_back_by, summary.rolled_back_why)
    if summary.forced_by is not None:
        return _by("forced past the gate", summary.forced_by, summary.forced_why)
    return next(iter(summary.reasons), "")


def history_lines(release: str, history: "Sequence[Promotion]") -> Iterator[str]:
    """What happened to a release, oldest first.

    Args:
        release: its id.
        history: the promotions and rollbacks in which it came or went.
    """
    for step in history:
        yield f"{step.time:%Y-%m-%d %H:%M} {_by(_act(release, step), step.by, step.why)}"


def _act(release: str, step: "Promotion") -> str:
    came, other = step.release == release, step.replaced if step.release == release else step.release
    if step.action == "rollback":
        act = f"live again, {other} was rolled back" if came else f"rolled back to {other}"
        return act + (" across a change of trunk" if step.forced else "")
    if not came:
        return f"replaced when {other} was promoted"
    return ("forced past the gate" if step.forced else "promoted") + (f" in place of {other}" if other else "")


def _by(act: str, by: str, why: str | None) -> str:
    return f"{act} by {by}" + (f": {why}" if why else "")
