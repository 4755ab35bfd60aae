"""What callers send: the shapes of request bodies, checked and documented from one place."""

from typing import TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from freshtune.model.predictor import Input
from freshtune.serve.limits import Limits
from freshtune.serve.refusals import DOCUMENTED, Refusal


class Call(BaseModel):
    """Every body is exact: an unknown field is an error, nothing is coerced."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class PredictInput(Call):
    """One input; ``pair`` is the second text of a two-text task, which answers nothing without it."""

    text: str
    pair: str | None = None


class PredictCall(Call):
    """Ask one task."""

    inputs: list[str | PredictInput] = Field(min_length=1)


class PredictTasksCall(PredictCall):
    """Ask several tasks about the same inputs."""

    tasks: list[str] = Field(min_length=1, max_length=32)


class PromoteCall(Call):
    """Why, and which release is expected to be live: where another one is, nothing is changed.

    ``force`` overrules the gate, or goes back across a trunk boundary; it is kept with who and why.
    """

    expected_live: str | None = None
    why: str = Field(default="", max_length=1_000)
    force: bool = False


class InferTensor(Call):
    """A tensor of the Open Inference Protocol, JSON form."""

    name: str
    shape: list[int] = Field(min_length=1, max_length=2)
    datatype: str
    data: list[str] | list[list[str]]
    parameters: dict[str, object] | None = None


class InferCall(BaseModel):
    """An inference request of the Open Inference Protocol: BYTES tensors ``text`` and, for two-text tasks, ``pair``."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    id: str | None = Field(default=None, max_length=256)
    inputs: list[InferTensor] = Field(min_length=1, max_length=2)


ACall = TypeVar("ACall", bound=BaseModel)


def read_call(shape: type[ACall], body: bytes) -> ACall:
    """Parse and check a body.

    Raises:
        Refusal: 400 for what is no JSON (or over 1,024 deep, or with lone surrogates), 422 for another shape.
    """
    try:
        return shape.model_validate(orjson.loads(body or b"{}"))
    except orjson.JSONDecodeError:
        words = "It is not valid JSON in UTF-8, or nested over 1,024 deep."
        raise Refusal(400, "broken_json", "The body cannot be read.", words, DOCUMENTED) from None
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        told = "; ".join(map(_in_words, found[:3]))
        raise Refusal(
            422, "wrong_shape", "The body has another shape than this path takes.", f"{told}.", DOCUMENTED
        ) from None


def _in_words(found: ErrorDetails) -> str:
    at = ".".join(str(part)[:40] for part in found["loc"][:4]) or "the body"
    return f"{at}: {'Input should be an object' if found['type'] == 'model_type' else found['msg'][:120]}"


def to_inputs(sent: list[str | PredictInput], limits: Limits) -> list[Input]:
    """The model's inputs, bounded.

    Raises:
        Refusal: 413 for too many or too long texts.
    """
    inputs = [Input(each) if isinstance(each, str) else Input(each.text, each.pair) for each in sent]
    if len(inputs) > limits.texts:
        raise too_many(limits)
    if any(len(each.text) > limits.characters or len(each.pair or "") > limits.characters for each in inputs):
        words = f"A text has {limits.characters:,} characters at most."
        raise Refusal(413, "too_long", "A text is too long.", words, "Shorten it.")
    return inputs


def too_many(limits: Limits) -> Refusal:
    """More texts than a call may have."""
    words = f"A call has {limits.texts:,} texts at most, counted for each task."
    return Refusal(413, "too_many", "These are too many texts.", words, "Send several calls.")
