"""Ask the live models."""

import asyncio
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from freshtune.records import Json
from freshtune.serve.batching import Answered
from freshtune.serve.calls import PredictCall, PredictTasksCall, read_call, to_inputs, too_many
from freshtune.serve.refusals import json_reply
from freshtune.serve.replies import readable
from freshtune.serve.reply_shapes import Answers, TaskAnswers
from freshtune.serve.routes.route import JSON, Route, one_or_two
from freshtune.serve.serving import Serving
from freshtune.tasks import Task


def _reply(answered: Answered) -> dict[str, object]:
    return {"release": answered.release, "answers": readable(answered.head, answered.answers)}


async def predict(serving: Serving, request: Request) -> Response:
    """Answers of one task, in the order of the inputs, all by the release that is named."""
    task = serving.known(request.path_params["task"])
    call = read_call(PredictCall, await request.body())
    inputs = to_inputs(call.inputs, serving.service.settings.limits)
    return json_reply(_reply(await serving.predict(task, inputs)))


async def predict_tasks(serving: Serving, request: Request) -> Response:
    """Answers of several tasks about the same inputs; each task names its own release."""
    call = read_call(PredictTasksCall, await request.body())
    limits = serving.service.settings.limits
    tasks = [serving.known(task) for task in dict.fromkeys(call.tasks)]
    inputs = to_inputs(call.inputs, limits)
    if len(inputs) * len(tasks) > limits.texts:
        raise too_many(limits)
    answered = await asyncio.gather(*(serving.predict(task, inputs) for task in tasks))
    return json_reply({"tasks": {task: _reply(each) for task, each in zip(tasks, answered, strict=True)}})


_TEXTS: list[Json] = ["房间很干净，下次还来", "the phone is broken"]
_PAIRS: list[Json] = [{"text": "手机壳", "pair": "透明防摔手机壳"}]


def _of_tasks(tasks: Mapping[str, Task]) -> Mapping[str, Mapping[str, Json]]:
    named: list[Json] = [*tasks]
    inputs = _PAIRS if any(task.pairs for task in tasks.values()) else _TEXTS
    return {JSON: {"example": {"tasks": named[:32], "inputs": inputs}}}


ROUTES = (
    Route(
        "POST",
        "/v1/predict/{task}",
        "predict",
        predict,
        "Ask one task.",
        Answers,
        PredictCall,
        one_or_two({"inputs": _TEXTS}, {"inputs": _PAIRS}),
    ),
    Route(
        "POST",
        "/v1/predict",
        "predict",
        predict_tasks,
        "Ask several tasks; each answer with its own release.",
        TaskAnswers,
        PredictTasksCall,
        _of_tasks,
    ),
)
