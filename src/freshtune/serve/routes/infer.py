"""The Open Inference Protocol, version 2, in its JSON form: other clients' way to the same answers."""

import math

import orjson
from starlette.requests import Request
from starlette.responses import Response

from freshtune import __version__
from freshtune.model.predictor import Input
from freshtune.records import Json
from freshtune.serve import infer_shapes as shapes
from freshtune.serve.batching import Answered
from freshtune.serve.calls import InferCall, InferTensor, read_call, to_inputs
from freshtune.serve.refusals import DOCUMENTED, Refusal, json_reply
from freshtune.serve.replies import readable
from freshtune.serve.routes.route import Route, one_or_two
from freshtune.serve.serving import Serving


def _wrong(why: str) -> Refusal:
    return Refusal(422, "wrong_shape", "The tensors are not what this path takes.", why, DOCUMENTED)


def _texts(tensor: InferTensor) -> list[str]:
    data = [text for row in tensor.data for text in ([row] if isinstance(row, str) else row)]
    if tensor.datatype != "BYTES" or any(size < 0 for size in tensor.shape) or math.prod(tensor.shape) != len(data):
        raise _wrong(f"{tensor.name[:40]}: BYTES with as many elements as its shape says are needed.")
    return data


def _inputs(call: InferCall) -> list[Input]:
    tensors = {tensor.name: _texts(tensor) for tensor in call.inputs}
    if "text" not in tensors or not tensors.keys() <= {"text", "pair"} or len(tensors) != len(call.inputs):
        raise _wrong("The inputs are text and, for two-text tasks, pair.")
    pairs = tensors.get("pair", [None] * len(tensors["text"]))
    if len(pairs) != len(tensors["text"]) or not pairs:
        raise _wrong("text and pair have the same, positive, number of elements.")
    return [Input(text, pair) for text, pair in zip(tensors["text"], pairs, strict=True)]


def _outputs(answered: Answered) -> list[dict[str, object]]:
    answers = readable(answered.head, answered.answers)
    rows = answered.answers.probabilities
    count, classes = rows.shape
    outputs: list[dict[str, object]] = [
        {"name": "label", "datatype": "BYTES", "shape": [count], "data": [_text(each["label"]) for each in answers]},
        {"name": "score", "datatype": "FP32", "shape": [count], "data": [each["score"] for each in answers]},
    ]
    if classes:
        names = answered.head.columns(classes)
        told: dict[str, object] = {"classes": ",".join(names), "names": orjson.dumps(names).decode()}
        data = rows.ravel().tolist()
        outputs.append(
            {"name": "probabilities", "datatype": "FP32", "shape": [count, classes], "data": data, "parameters": told}
        )
    return outputs


def _text(label: Json) -> str:
    """A label as one element of a tensor; several names as a JSON array."""
    return orjson.dumps(label).decode() if isinstance(label, list) else str(label)


async def infer(serving: Serving, request: Request) -> Response:
    """Answer; ``model_version`` is the release."""
    task = serving.known(request.path_params["task"])
    if "inference-header-content-length" in request.headers:
        words = "The binary form is not spoken here."
        raise Refusal(415, "binary", "The request cannot be read.", words, "Send the tensors as JSON.")
    call = read_call(InferCall, await request.body())
    inputs = _inputs(call)
    to_inputs([each.text for each in inputs], serving.service.settings.limits)
    answered = await serving.predict(task, inputs)
    reply = {"model_name": task, "model_version": answered.release, "outputs": _outputs(answered)}
    return json_reply(reply | ({"id": call.id} if call.id else {}))


async def server(_serving: Serving, _request: Request) -> Response:
    """Who answers."""
    return json_reply({"name": "freshtune", "version": __version__, "extensions": []})


async def live(_serving: Serving, _request: Request) -> Response:
    """The protocol's liveness."""
    return json_reply({"live": True})


async def ready(serving: Serving, _request: Request) -> Response:
    """The protocol's readiness; 400 when not, as the protocol says."""
    return json_reply({"ready": serving.live.ready}, 200 if serving.live.ready else 400)


async def model(serving: Serving, request: Request) -> Response:
    """A task as the protocol describes a model; its versions are the release that answers."""
    task = serving.known(request.path_params["task"])
    now = serving.live.current(task)
    text, number = {"datatype": "BYTES", "shape": [-1]}, {"datatype": "FP32", "shape": [-1]}
    return json_reply(
        {
            "name": task,
            "versions": [now.release.id] if now else [],
            "platform": "onnxruntime",
            "inputs": [{"name": "text", **text}, {"name": "pair", **text}],
            "outputs": [
                {"name": "label", **text},
                {"name": "score", **number},
                {"name": "probabilities", **number, "shape": [-1, -1]},
            ],
        }
    )


async def model_ready(serving: Serving, request: Request) -> Response:
    """Whether a task answers; 400 when not."""
    task = serving.known(request.path_params["task"])
    answers = serving.live.current(task) is not None
    return json_reply({"name": task, "ready": answers}, 200 if answers else 400)


def _tensors(**texts: str) -> Json:
    return {
        "inputs": [{"name": name, "shape": [1], "datatype": "BYTES", "data": [text]} for name, text in texts.items()]
    }


_ASKED = one_or_two(_tensors(text="房间很干净，下次还来"), _tensors(text="手机壳", pair="透明防摔手机壳"))

ROUTES = (
    Route("GET", "/v2", "predict", server, "Open Inference: the server.", shapes.InferServer),
    Route("GET", "/v2/health/live", "predict", live, "Open Inference: alive.", shapes.InferLive),
    Route("GET", "/v2/health/ready", "predict", ready, "Open Inference: ready.", shapes.InferReady),
    Route("GET", "/v2/models/{task}", "predict", model, "Open Inference: a task's tensors.", shapes.InferModel),
    Route(
        "GET",
        "/v2/models/{task}/ready",
        "predict",
        model_ready,
        "Open Inference: does the task answer?",
        shapes.InferModelReady,
    ),
    Route(
        "POST",
        "/v2/models/{task}/infer",
        "predict",
        infer,
        "Open Inference: ask a task.",
        shapes.InferReply,
        InferCall,
        _ASKED,
    ),
)
