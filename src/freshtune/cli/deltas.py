"""What the next update would learn, and log ranges that are brought back out of quarantine."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from freshtune.cli.terminal import line, note
from freshtune.errors import UsageError

if TYPE_CHECKING:
    import freshtune
    from freshtune.records import Delta
    from freshtune.ship.consumption import Consumed

COUNTED: Mapping[str, str] = {
    "events": "events that speak to the task",
    "exact_duplicates": "texts that are word for word an earlier one",
    "near_duplicates": "texts that are almost an earlier one",
    "late_labels": "labels that came after their example and joined it",
    "corrections": "earlier examples whose label is another now",
    "conflicts": "labels that contradict the one said before of the same text (--json names the examples)",
    "rerendered": "earlier examples that come again because their product's text has changed",
    "refused_labels": "labels that the task does not accept",
    "waiting_labels": "labels whose example has not come yet",
}
"""The counts of a delta, in words."""


def delta_document(delta: "Delta") -> dict[str, object]:
    """A delta as JSON: its range, its sides, and all counts."""
    return {
        "task": delta.task,
        "range": [delta.range.since, delta.range.upto],
        "labelled": len(delta.labelled),
        "unlabelled": len(delta.unlabelled),
        "held_out": len(delta.held_out),
        "counts": asdict(delta.counts),
    }


def delta_told(delta: "Delta", waits: str | None) -> None:
    """The same for people; of what did not happen nothing is said.

    Args:
        waits: why an update would not learn it yet.
    """
    line(
        f"log {delta.range.since}–{delta.range.upto}: {len(delta.labelled):,} to learn, "
        f"{len(delta.held_out):,} held out, {len(delta.unlabelled):,} without a label"
    )
    counts = {words: getattr(delta.counts, name) for name, words in COUNTED.items()}
    for words, count in counts.items():
        if count:
            line(f"{count:,} {words}")
    if waits:
        line(waits)


def bring_back(
    shop: "freshtune.OpenWorkspace", task: str, include: str | None, dry_run: bool = False
) -> "tuple[Consumed, ...]":
    """Take quarantined log ranges back, and say which; with ``dry_run`` only say it.

    Args:
        include: as written on the command line, ``SINCE:UPTO``; None takes nothing back.
    """
    if include is None:
        return ()
    since, upto = _range(include)
    found = shop.include(task, since, upto, dry_run)
    for part in found:
        would_be = "would come out of quarantine and" if dry_run else "is out of quarantine and will"
        note(f"Log {part.range.since}–{part.range.upto} {would_be} be learned.")
    if not found:
        note(f"Log {since}–{upto} is back already: none of it is in quarantine.")
    return found


def _range(written: str) -> tuple[int, int]:
    since, colon, upto = written.partition(":")
    if not colon or not since.isdigit() or not upto.isdigit():
        raise UsageError(f"{written!r} is no log range.", "", "Write it as SINCE:UPTO, such as 1500:2000.")
    return int(since), int(upto)
