"""How an evaluation is shown: what was left out, the metrics, the slices."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from freshtune.cli.terminal import line, note, table

if TYPE_CHECKING:
    from freshtune.front_door import Evaluation
    from freshtune.intake.labelled import LabelledData
    from freshtune.records import Outcome, Scorecard


def evaluation_document(found: "Evaluation") -> dict[str, object]:
    """Scores, intervals and slices by name, and what became of the records that were read."""
    card, data = found.scorecard, found.data
    document: dict[str, object] = {
        "read": data.read,
        "refused": dict(data.refused),
        "unlabelled": data.unlabelled,
        "examples": card.examples,
        "scores": {metric: estimate.value for metric, estimate in card.metrics.items()},
        "intervals": {metric: [estimate.low, estimate.high] for metric, estimate in card.metrics.items()},
        "slices": {category: dict(values) for category, values in card.slices.items()},
    }
    if found.baseline is not None and found.gain is not None:
        document["baseline"] = {
            "name": "tfidf",
            "scores": {metric: estimate.value for metric, estimate in found.baseline.metrics.items()},
            "intervals": {metric: [each.low, each.high] for metric, each in found.baseline.metrics.items()},
            "gain": {"value": found.gain.value, "low": found.gain.low, "high": found.gain.high},
        }
    return document


def evaluation_told(release: str, found: "Evaluation") -> None:
    """The same for people."""
    card = found.scorecard
    line(f"{release} on {card.examples:,} examples of {found.data.read:,} records")
    _left_out_told(found.data)
    _metrics_told(found)
    if card.slices:
        line("")
        _slices_told(card)


def _metrics_told(found: "Evaluation") -> None:
    """Each metric, beside the baseline's where there is one, and what the primary one gains over it."""
    metrics, other = found.scorecard.metrics, found.baseline.metrics if found.baseline else None
    columns = {"metric": "left", "value": "right", "95 % interval": "right"}
    rows = [[m, f"{e.value:.4f}", f"{e.low:.4f} – {e.high:.4f}"] for m, e in metrics.items()]
    if other is not None:
        columns["TF-IDF"] = "right"
        rows = [[*row, f"{other[row[0]].value:.4f}"] for row in rows]
    table(columns, rows)
    if found.gain is not None:
        value, low, high = (100 * each for each in (found.gain.value, found.gain.low, found.gain.high))
        line(f"{next(iter(metrics))} over TF-IDF: {value:+.2f} points, 95 % interval {low:+.2f} to {high:+.2f}")


def silent_queries_told(outcomes: "Sequence[Outcome]") -> None:
    """Warn on stderr where a ranking is judged on queries that have nothing to rank."""
    grades: defaultdict[str, list[float]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.group:
            grades[outcome.group].append(outcome.target)
    silent = sum(len(set(of_query)) == 1 for of_query in grades.values())
    if 2 * silent > len(grades):
        note(f"! {silent:,} of {len(grades):,} queries have one title or equal grades: nDCG says nothing of them.")


def _left_out_told(data: "LabelledData") -> None:
    for letter in data.first_refused:
        words = f" ({letter.source}: {letter.detail})" if letter.detail else ""
        line(f"refused {data.refused[letter.reason]:,} · {letter.reason}{words}")
    if data.unlabelled:
        line(f"passed over {data.unlabelled:,} · without a label, or without what the task reads")


def _slices_told(card: "Scorecard") -> None:
    """Each category with its share of the primary metric, the largest first."""
    primary = next(iter(card.metrics))
    largest = sorted(card.slices.items(), key=lambda each: -each[1]["examples"])
    rows = [[category, f"{values['examples']:,.0f}", f"{values[primary]:.4f}"] for category, values in largest]
    table({"category": "left", "examples": "right", primary: "right"}, rows)
