"""The model card of an exported release: what it is, what it learned from, how good it is, what it forgot."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from freshtune.records import Estimate, Json, Release, Scorecard
from freshtune.ship.card_snippet import snippet
from freshtune.tasks import TASKS

DATA_WINDOW = "data_window.json"
"""Optional file of a release: its DataWindow, as ``record_json.dumps`` writes it."""

_PIPELINES = {"classes": "text-classification", "ordinal": "text-classification", "score": "text-ranking"}
_BASES = {
    "bundled:multilingual-e5-small": ("intfloat/multilingual-e5-small", "MIT"),
    "bundled:minilm": ("sentence-transformers/all-MiniLM-L6-v2", "Apache-2.0"),
    "bundled:bert-tiny": ("google/bert_uncased_L-2_H-128_A-2", "Apache-2.0"),
}


@dataclass(frozen=True, slots=True)
class DataWindow:
    """What a release learned from, in numbers.

    Attributes:
        first, last: times of the earliest and the latest event of its log range; None where no event had one.
        events: events in the range that concern the task.
        labelled, unlabelled, held_out: examples made of them.
        remembered: older examples that were mixed in.
    """

    first: datetime | None
    last: datetime | None
    events: int
    labelled: int
    unlabelled: int
    held_out: int
    remembered: int = 0


def model_card(release: Release, described: Mapping[str, Json], window: DataWindow | None) -> str:
    """Markdown with a YAML head, complete and self-contained.

    Args:
        release: what is exported. In its scorecards, ``<held-out set>`` is this model and
            ``champion/<held-out set>`` (or another model's name in front) what it was compared with.
        described: its ``model.json``.
        window: what it learned from; None where the release does not say.
    """
    head = described["head"]
    kind = str(head["kind"]) if isinstance(head, dict) else ""
    parts = [
        _front_matter(release, kind, str(described.get("backbone", ""))),
        f"# {release.id}",
        _purpose(release, described),
        _data(release, window),
        _scores(release),
        _gate(release),
        _usage(kind, release.task == "relevance"),
        _limits(described),
    ]
    return "\n\n".join(parts) + "\n"


def base_model(backbone: str) -> tuple[str, str] | None:
    """Hub id and licence of a backbone by its freshtune name; None for a folder, whose path is nobody else's business.

    >>> base_model("bundled:minilm")
    ('sentence-transformers/all-MiniLM-L6-v2', 'Apache-2.0')
    >>> base_model("hfl/chinese-roberta-wwm-ext")
    ('hfl/chinese-roberta-wwm-ext', 'see its own card')
    >>> base_model("/data/models/mine") is None
    True
    """
    if backbone in _BASES:
        return _BASES[backbone]
    return (backbone, "see its own card") if re.fullmatch(r"[\w-]+(/[\w.-]+)?", backbone) else None


def _front_matter(release: Release, kind: str, backbone: str) -> str:
    base = base_model(backbone)
    lines = [
        "---",
        "language:",
        "- zh",
        "- en",
        "license: other",
        "license_name: not-yet-chosen",
        f"pipeline_tag: {_PIPELINES[kind]}",
        "library_name: onnxruntime",
        *(["base_model:", f"- {json.dumps(base[0])}"] if base else []),
        "tags:",
        "- freshtune",
        f"- {release.task}",
        *_model_index(release, kind),
        "---",
    ]
    return "\n".join(lines)


def _model_index(release: Release, kind: str) -> list[str]:
    """The scores as the hub reads them; JSON strings are YAML."""
    lines = ["model-index:", f"- name: {json.dumps(release.id)}", "  results:"]
    for held_out, card in _own(release).items():
        lines += [
            f"  - task: {{type: {_PIPELINES[kind]}}}",
            f"    dataset: {{type: private, name: {json.dumps(f'{release.task}, held out: {held_out}')}}}",
            "    metrics:",
            *(
                f"    - {{type: {metric}, value: {estimate.value:.6f}}}"
                for metric, estimate in card.metrics.items()
                if math.isfinite(estimate.value)
            ),
        ]
    return lines if _own(release) else []


def _purpose(release: Release, described: Mapping[str, Json]) -> str:
    base = base_model(str(described.get("backbone", "")))
    origin = f"`{base[0]}` (licence: {base[1]})" if base else "a model from a local folder"
    parent = f"It was tuned on from release `{release.parent}`." if release.parent else "It is a first release."
    return (
        f"A model for the task **{release.task}** on a shop's Chinese and English texts, from {origin}. {parent} "
        f"Published {release.created:%Y-%m-%d %H:%M} UTC.\n\n"
        f"本模型用于电商中英文文本的 **{release.task}** 任务，由 freshtune 从事件流中增量更新，经门控检验后发布。\n\n"
        "**Intended use.** Search, recommendation and reporting in the shop whose events it learned from, or a similar "
        "one. Personal data was masked before training; mask it in what you ask, too.\n\n"
        "**Licence.** Choose one before you share this: the weights follow the licence of the base model and whatever "
        "your customers agreed to for their texts."
    )


def _data(release: Release, window: DataWindow | None) -> str:
    lines = [
        "## Data",
        "",
        "| what | value |",
        "|---|---|",
        f"| event log positions | after {release.range.since:,} up to {release.range.upto:,} |",
    ]
    if window is not None:
        lines += [
            f"| time of the events | {_time(window.first)} to {_time(window.last)} |",
            f"| events | {window.events:,} |",
            f"| labelled examples learned from | {window.labelled:,} |",
            f"| older examples mixed in | {window.remembered:,} |",
            f"| unlabelled examples | {window.unlabelled:,} |",
            f"| newly held out | {window.held_out:,} |",
        ]
    for held_out, card in _own(release).items():
        lines.append(f"| examples judged on, {held_out} | {card.examples:,} |")
    return "\n".join([*lines, "", "Held-out examples are never learned from, by this release or by any other."])


def _scores(release: Release) -> str:
    lines = ["## Scores", "", "| held out | model | metric | value | 95 % interval |", "|---|---|---|---|---|"]
    for held_out in _own(release):
        for name, card in sorted(release.scorecards.items(), key=lambda item: (item[0] == held_out, item[0])):
            if name.rpartition("/")[2] == held_out:
                lines += _rows(held_out, name.rpartition("/")[0] or "**this release**", card)
    return "\n".join([*lines, "", "### Forgetting", "", _forgetting(release)])


def _rows(held_out: str, model: str, card: Scorecard) -> list[str]:
    return [
        f"| {held_out} | {model} | {metric} | {_number(estimate.value)} | {_interval(estimate)} |"
        for metric, estimate in card.metrics.items()
    ]


def _forgetting(release: Release) -> str:
    before, after = release.scorecards.get("champion/old"), release.scorecards.get("old")
    metric = primary_metric(release)
    if before is None or after is None or metric not in before.metrics or metric not in after.metrics:
        return "There was no release before it to forget anything of, or it was not compared."
    change = after.metrics[metric].value - before.metrics[metric].value
    word = "lost" if change < 0 else "gained"
    return (
        f"On what earlier releases had learned, {metric} went from {_number(before.metrics[metric].value)} to "
        f"{_number(after.metrics[metric].value)}: {abs(change) * 100:.2f} points {word}."
    )


def primary_metric(release: Release) -> str:
    """The metric that the task is judged by; of a task that is not listed, the first one scored."""
    if release.task in TASKS:
        return str(TASKS[release.task]().metrics[0])
    return next((metric for card in release.scorecards.values() for metric in card.metrics), "")


def _gate(release: Release) -> str:
    decision = "promoted" if release.verdict.promote else "refused"
    lines = ["## What the gate said", "", f"The gate **{decision}** it:", ""]
    for finding in release.verdict.findings:
        said = "failed" if not finding.passed else "passed" if finding.examined else "not looked at"
        lines.append(f"- {said} – {finding.rule}: {finding.words}")
    if release.forced_by:
        lines += ["", f"A person overruled the gate. The reason given: {release.forced_why}"]
    return "\n".join(lines)


def _usage(kind: str, two_texts: bool) -> str:
    return (
        "## Use\n\nRun this in the folder; it needs `pip install numpy onnxruntime tokenizers` and nothing else.\n\n"
        f"```python\n{snippet(kind, two_texts)}```"
    )


def _limits(described: Mapping[str, Json]) -> str:
    return (
        "## Limits\n\n"
        f"- Texts are read up to {described['max_tokens']} tokens; what is longer is cut.\n"
        "- It learned from one shop's customers: scores elsewhere, in other languages than Chinese and English, or for "
        "other kinds of products may be lower, and are not known.\n"
        "- Labels are as customers and staff gave them, mistakes and fashions included.\n"
        "- It goes stale: the scores hold for the data window above.\n"
        "- Not meant for decisions about persons."
    )


def _own(release: Release) -> dict[str, Scorecard]:
    return {name: card for name, card in release.scorecards.items() if "/" not in name}


def _number(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else "–"


def _interval(estimate: Estimate) -> str:
    return f"{_number(estimate.low)} to {_number(estimate.high)}"


def _time(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M}" if time else "not known"
