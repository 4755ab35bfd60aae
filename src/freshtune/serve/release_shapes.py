"""Replies about releases."""

from typing import Literal

from pydantic import Field
from pydantic.config import JsonDict

from freshtune.serve.reply_shapes import RELEASE, TIME, Reply, shown

_DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


class ReleaseLine(Reply):
    """A release in a list."""

    id: str
    task: str
    parent: str | None
    created: str
    range: list[int] = Field(description="Log positions: after the first, up to the second.")
    outcome: str
    live: bool
    pruned: bool
    forced_by: str | None
    forced_why: str | None
    rolled_back_by: str | None
    rolled_back_why: str | None
    bytes: int
    scores: dict[str, dict[str, float]]
    reasons: list[str] = Field(description="Why the gate did not promote it.")


_LINE: JsonDict = {
    "id": RELEASE,
    "task": "sentiment",
    "parent": None,
    "created": TIME,
    "range": [0, 1500],
    "outcome": "promoted",
    "live": True,
    "pruned": False,
    "forced_by": None,
    "forced_why": None,
    "rolled_back_by": None,
    "rolled_back_why": None,
    "bytes": 41_000_000,
    "scores": {"new": {"accuracy": 0.91}},
    "reasons": [],
}


class Releases(Reply):
    """Releases, newest first."""

    model_config = shown({"releases": [_LINE]})
    releases: list[ReleaseLine]


class Scores(Reply):
    """A release on one held-out set; each metric as value, and low and high of its 95 % interval."""

    held_out: str
    examples: int
    metrics: dict[str, tuple[float, float, float]]
    slices: dict[str, dict[str, float]]


class RuleFinding(Reply):
    """What one rule of the gate said."""

    rule: str
    passed: bool
    examined: bool
    numbers: dict[str, float | None]
    words: str


class HistoryStep(Reply):
    """A promotion or a rollback in which the release came or went."""

    action: Literal["promote", "rollback"]
    release: str
    replaced: str | None
    time: str
    by: str
    why: str
    forced: bool


class ReleaseDetails(Reply):
    """Everything about a release but its files."""

    model_config = shown(
        {
            "id": RELEASE,
            "task": "sentiment",
            "parent": None,
            "created": TIME,
            "range": [0, 1500],
            "outcome": "promoted",
            "live": True,
            "pruned": False,
            "promote": True,
            "reasons": [],
            "forced_by": None,
            "forced_why": None,
            "trunk": _DIGEST,
            "vector_space": _DIGEST,
            "recipe": "top_layers",
            "artefacts": {"top.onnx": _DIGEST},
            "scorecards": {
                "new": {"held_out": "new", "examples": 300, "metrics": {"accuracy": [0.91, 0.87, 0.94]}, "slices": {}}
            },
            "findings": [
                {"rule": "gain", "passed": True, "examined": True, "numbers": {"gain": 0.02}, "words": "It is better."}
            ],
            "history": [
                {
                    "action": "promote",
                    "release": RELEASE,
                    "replaced": None,
                    "time": TIME,
                    "by": "shop",
                    "why": "",
                    "forced": False,
                }
            ],
        }
    )
    id: str
    task: str
    parent: str | None
    created: str
    range: list[int]
    outcome: str
    live: bool
    pruned: bool
    promote: bool = Field(description="What the gate said.")
    reasons: list[str]
    forced_by: str | None
    forced_why: str | None
    trunk: str
    vector_space: str
    recipe: str
    artefacts: dict[str, str] = Field(description="File → sha256.")
    scorecards: dict[str, Scores]
    findings: list[RuleFinding]
    history: list[HistoryStep]


class Changed(Reply):
    """The release that is live now; /v1/status tells when it answers."""

    model_config = shown({"live": RELEASE, "task": "sentiment"})
    live: str
    task: str


class RolledBack(Changed):
    """The release that is live again, and what is left out of the updates to come."""

    model_config = shown({"live": RELEASE, "task": "sentiment", "quarantined": [[1500, 2000]]})
    quarantined: list[tuple[int, int]] = Field(
        description="What the other one had learned: log positions, after the first, up to the second. "
        "`freshtune update TASK --include FIRST:SECOND` brings a range back."
    )
