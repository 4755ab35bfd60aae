"""What callers read: the shape of every JSON reply, with an example; tests hold replies to them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict, JsonValue

Label = str | int | float | list[str]
RELEASE, BEFORE, TIME = "sentiment-1f0c5e9a77b2", "sentiment-9b1d4c02ee51", "2026-01-31T08:00:00+00:00"
"""What stands in the examples."""


def shown(example: JsonDict) -> ConfigDict:
    """The settings of a shape that brings an example along."""
    examples: JsonValue = [example]
    return ConfigDict(extra="forbid", json_schema_extra={"examples": examples})


class Reply(BaseModel):
    """Every reply is exact: what is not described is not sent."""

    model_config = ConfigDict(extra="forbid")


class Alive(Reply):
    """The process runs."""

    model_config = shown({"alive": True})
    alive: bool


class Ready(Reply):
    """Whether every task that has a live release is answered."""

    model_config = shown({"ready": True})
    ready: bool


class Answer(Reply):
    """What the model says of one input."""

    label: Label = Field(description="Of a task that answers with several names, a list of them.")
    score: float = Field(
        description="Probability of the label; for rating and relevance the expected value; of several names, how sure "
        "the least sure one is."
    )
    probabilities: dict[str, float] = Field(description="By label; empty where the task has no classes.")


_ANSWERS: JsonDict = {
    "release": RELEASE,
    "answers": [{"label": "positive", "score": 0.97, "probabilities": {"negative": 0.03, "positive": 0.97}}],
}


class Answers(Reply):
    """Answers in the order of the inputs, all by one release."""

    model_config = shown(_ANSWERS)
    release: str
    answers: list[Answer]


class TaskAnswers(Reply):
    """For each task its answers."""

    model_config = shown({"tasks": {"sentiment": _ANSWERS}})
    tasks: dict[str, Answers]


class RejectedEvent(Reply):
    """An event that was not stored; it is kept among the dead letters."""

    index: int = Field(description="Its place in the batch, from 0.")
    reason: str = Field(description="One of the reasons that the schema Event lists.")
    detail: str


class Stored(Reply):
    """What became of a batch; it is on disk."""

    model_config = shown(
        {
            "read": 2,
            "kept": 1,
            "duplicates": 0,
            "masked": 0,
            "shortened": 0,
            "dead_letters": {"missing_text": 1},
            "rejected": [
                {
                    "index": 1,
                    "reason": "missing_text",
                    "detail": "text is empty, and a review event needs one",
                }
            ],
        }
    )
    read: int
    kept: int = Field(description="Stored now.")
    duplicates: int = Field(description="Stored before, under the same id.")
    masked: int = Field(description="Personal values that were replaced.")
    shortened: int = Field(description="Events with a text that was cut.")
    dead_letters: dict[str, int] = Field(description="Refused events by reason.")
    rejected: list[RejectedEvent]


class LoadFailed(Reply):
    """A live release that could not be loaded; the one before it answers."""

    release: str
    error: str


class LastRelease(Reply):
    """The latest attempt at this task's model, and what came of it."""

    release: str
    created: str
    outcome: Literal["recorded", "undecided", "promoted", "refused", "rolled_back"]
    reasons: list[str] = Field(description="Why the gate did not promote it.")


class TaskStatus(Reply):
    """One task."""

    release: str | None = Field(description="The release that answers; null while there is none.")
    since: str | None = Field(description="When it was made live.")
    load_seconds: float | None
    failed: LoadFailed | None
    pending_events: int = Field(description="Events in the log, of whatever kind, that this task is yet to look at.")
    last: LastRelease | None


class Status(Reply):
    """What the service is doing."""

    model_config = shown(
        {
            "version": "0.1.0",
            "ready": True,
            "log_head": 1_512,
            "tasks": {
                "sentiment": {
                    "release": RELEASE,
                    "since": TIME,
                    "load_seconds": 0.1,
                    "failed": None,
                    "pending_events": 12,
                    "last": {"release": BEFORE, "created": TIME, "outcome": "refused", "reasons": ["No gain."]},
                }
            },
        }
    )
    version: str
    ready: bool
    log_head: int = Field(description="Events in the log.")
    tasks: dict[str, TaskStatus]


class ErrorWords(Reply):
    """``reason`` is for programs and stays; the others are for people."""

    reason: str
    what: str
    why: str
    mend: str


class ErrorReply(Reply):
    """A request that was refused, or that failed here."""

    model_config = shown(
        {
            "error": {
                "reason": "wrong_scope",
                "what": "This key may not do this.",
                "why": "It opens predict; GET /v1/status needs the scope read.",
                "mend": "Make a key that may: `freshtune keys create NAME --scope read`.",
            }
        }
    )
    error: ErrorWords
