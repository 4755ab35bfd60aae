"""The model card of an exported release: what it is, what it learned from, how good it is, what it forgot."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from freshtune.records import Estimate, Json, Release, Scorecard
from freshtune.ship.card_snippet import snippet

DATA_WINDOW = "data_window.json"
"""Optional file of a release: its DataWindow, as ``record_json.dumps`` writes it."""

_PIPELINES = {"classes": "text-classification", "ordinal": "text-classification", "score": "text-ranking"}
_GLOSSARY = {
    "champion": "the release that was live before this one",
    "majority": "always the most frequent label",
    "tfidf": "a linear model of counted words",
    "accuracy": "share of right answers",
    "macro_f1": "F1, averaged over the labels",
    "balanced_accuracy": "share of right answers, averaged over the labels",
    "quadratic_kappa": "agreement with the true step of the scale, far misses weighing more; 1 is perfect, 0 is chance",
    "mae": "mean distance from the true value; lower is better",
    "nll": "negative log-likelihood of the true answer; lower is better",
    "ece": "how far stated probabilities are from how often they are right; lower is better",
    "ndcg_at_10": "how well the ten first titles of a query are ordered; 1 is perfect",
    "mrr": "1 / place of the first relevant title, averaged over queries",
}
"""What the tables' models and metrics are."""
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
        known_to_trunk: examples that were known when its trunk was made; 0 where nothing says so.
        since_trunk: those that were learned since, by tops alone.
    """

    first: datetime | None
    last: datetime | None
    events: int
    labelled: int
    unlabelled: int
    held_out: int
    remembered: int = 0
    known_to_trunk: int = 0
    since_trunk: int = 0


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
    place = f"the successor of `{release.parent}`" if release.parent else "the first of its task"
    decision, chinese = _decision(release)
    return (
        f"A model for the task **{release.task}** on a shop's Chinese and English texts. Its answer is "
        f"{_answers(described)}. It was trained from {origin}.\n\n"
        f"Release of {release.created:%Y-%m-%d %H:%M} UTC, {place}. It was made with freshtune, which updates a shop's "
        f"models from what arrives and judges each release on held-out texts before it may answer: the gate "
        f"**{decision}**.\n\n"
        f"本模型用于电商中英文文本的 **{release.task}** 任务，由 freshtune 随新到的事件增量更新。"
        f"门控检验结果：{chinese}。\n\n"
        "**Intended use.** Search, recommendation and reporting in the shop whose events it learned from, or a similar "
        "one. Personal data was masked before training; mask it in what you ask, too.\n\n"
        "**Licence.** Choose one before you share this: the weights follow the licence of the base model and whatever "
        "your customers agreed to for their texts."
    )


def _answers(described: Mapping[str, Json]) -> str:
    """What an answer looks like, by the head."""
    head = described["head"]
    facts = head if isinstance(head, dict) else {}
    labels = facts.get("labels")
    if isinstance(labels, list) and facts.get("kind") == "several":
        return f"any of {', '.join(f'`{label}`' for label in labels)}, each with its probability"
    if isinstance(labels, list):
        return f"one of {', '.join(f'`{label}`' for label in labels)}, each with its probability"
    scale = f"from {facts.get('lowest')} to {facts.get('highest')}"
    if facts.get("kind") == "ordinal":
        return f"a whole number {scale}, each with its probability"
    return f"a score {scale}"


def _decision(release: Release) -> tuple[str, str]:
    """What the gate decided, in English and in Chinese."""
    if release.verdict.promote:
        return "passed it", "通过"
    if release.verdict.undecided:
        return "left it undecided, for too little evidence", "证据不足，待定"
    return "refused it", "未通过"


def _positions(release: Release) -> str:
    if release.range.since == release.range.upto:
        return f"none; the trunk was made again from what was remembered at {release.range.upto:,}"
    return f"after {release.range.since:,} up to {release.range.upto:,}"


def _remembered(release: Release) -> str:
    if release.range.since == release.range.upto:
        return "remembered examples learned again"
    return "older examples mixed in, against forgetting"


def _data(release: Release, window: DataWindow | None) -> str:
    lines = [
        "## Data",
        "",
        "What this release learned from: events of one shop, such as reviews with their labels."
        + (" What came before was learned by the releases before it." if release.range.since else ""),
        "",
        "| what | value |",
        "|---|---|",
        f"| positions in the shop's event log | {_positions(release)} |",
    ]
    if window is not None:
        lines += [
            f"| time of the events | {_span(window)} |",
            f"| events of this task | {window.events:,} |",
            f"| labelled examples learned from | {window.labelled:,} |",
            f"| {_remembered(release)} | {window.remembered:,} |",
            f"| unlabelled examples | {window.unlabelled:,} |",
            f"| examples newly held out | {window.held_out:,} |",
        ]
    for held_out, card in _own(release).items():
        lines.append(f"| held-out examples judged on, *{held_out}* | {card.examples:,} |")
    lines += [
        "",
        "Held-out examples are never learned from, by this release or by any other. *new* are the latest of them,",
    ]
    return "\n".join([*lines, "*old* is a sample of those before."])


def _scores(release: Release) -> str:
    lines = ["## Scores", "", "| held out | model | metric | value | 95 % interval |", "|---|---|---|---|---|"]
    named: dict[str, None] = {}
    for held_out in _own(release):
        for name, card in sorted(release.scorecards.items(), key=lambda item: (item[0] == held_out, item[0])):
            if name.rpartition("/")[2] == held_out:
                lines += _rows(held_out, name.rpartition("/")[0] or "**this release**", card)
                named |= dict.fromkeys([name.rpartition("/")[0], *card.metrics])
    told = [f"- {name}: {_GLOSSARY[name]}" for name in named if name in _GLOSSARY]
    return "\n".join([*lines, "", *told, "", "### Forgetting", "", _forgetting(release)])


def _rows(held_out: str, model: str, card: Scorecard) -> list[str]:
    return [
        f"| {held_out} | {model} | {metric} | {_number(estimate.value)} | {_interval(estimate)} |"
        for metric, estimate in card.metrics.items()
    ]


def _forgetting(release: Release) -> str:
    before, after = release.scorecards.get("champion/old"), release.scorecards.get("old")
    metric = primary_metric(release)
    if before is None or after is None or metric not in before.metrics or metric not in after.metrics:
        return "Nothing can be said: it was not compared with a release before it."
    lost = before.metrics[metric].value - after.metrics[metric].value
    change = (
        f"**{abs(lost) * 100:.2f} points {'lost' if lost > 0 else 'gained: it got better'}**" if lost else "the same"
    )
    return (
        f"On *old*, what earlier releases had learned, {metric} went from {_number(before.metrics[metric].value)} (the "
        f"release before) to {_number(after.metrics[metric].value)} (this release): {change}."
    )


def primary_metric(release: Release) -> str:
    """The metric that the task is judged by, the first one scored."""
    return next((metric for card in release.scorecards.values() for metric in card.metrics), "")


def _gate(release: Release) -> str:
    lines = ["## What the gate said", "", f"The gate **{_decision(release)[0]}**; its rules:", ""]
    for finding in release.verdict.findings:
        said = "failed" if not finding.passed else "passed" if finding.examined else "not looked at"
        lines.append(f"- {said} – {finding.rule}: {finding.words}")
    if release.forced_by:
        lines += ["", f"A person overruled the gate. The reason given: {release.forced_why}"]
    return "\n".join(lines)


def _usage(kind: str, two_texts: bool) -> str:
    call = "answer(query, title)" if two_texts else "answer(text)"
    given = "the score" if kind == "score" else "the probability of each answer"
    return (
        "## Use\n\nRun this in the folder; it needs `pip install numpy onnxruntime tokenizers` and nothing else. "
        f"`{call}` gives {given}.\n\n```python\n{snippet(kind, two_texts)}```"
    )


def _limits(described: Mapping[str, Json]) -> str:
    return (
        "## Limits\n\n"
        f"- Texts are read up to {described['max_tokens']} tokens; what is longer is cut.\n"
        "- It learned from one shop's customers. Elsewhere, in other languages than Chinese and English, or for other "
        "kinds of products it may do worse; how much is not known.\n"
        "- Labels are as customers and staff gave them, mistakes and fashions included.\n"
        "- It goes stale: the scores hold for texts like those of the data above, not for later ones.\n"
        "- Not meant for decisions about persons."
    )


def _own(release: Release) -> dict[str, Scorecard]:
    return {name: card for name, card in release.scorecards.items() if "/" not in name}


def _number(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else "–"


def _interval(estimate: Estimate) -> str:
    return f"{_number(estimate.low)} to {_number(estimate.high)}"


def _span(window: DataWindow) -> str:
    if window.first is None or window.last is None:
        return "not known: the events carry none"
    return f"{window.first:%Y-%m-%d %H:%M} to {window.last:%Y-%m-%d %H:%M}"
