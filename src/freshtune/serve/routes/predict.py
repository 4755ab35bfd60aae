"""Ask the live models."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from freshtune.records import Json
from freshtune.serve.batching import Answered
from freshtune.serve.calls import PredictCall, PredictTasksCall, read_call, to_inputs
from freshtune.serve.refusals import Refusal, json_reply
from freshtune.serve.replies import readable
from freshtune.serve.routes.route import Route
from freshtune.serve.serving import Serving


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
        raise Refusal(
            413, "too_many", f"A call has {limits.texts:,} texts at most, over all tasks.", "Send several calls."
        )
    answered = await asyncio.gather(*(serving.predict(task, inputs) for task in tasks))
    return json_reply({"tasks": {task: _reply(each) for task, each in zip(tasks, answered, strict=True)}})


_ANSWERS: Json = {
    "release": "sentiment-1f0c5e9a77b2",
    "answers": [{"label": "positive", "score": 0.97, "probabilities": {"negative": 0.03, "positive": 0.97}}],
}

ROUTES = (
    Route("POST", "/v1/predict/{task}", "predict", predict, "Ask one task.", PredictCall, _ANSWERS),
    Route(
        "POST",
        "/v1/predict",
        "predict",
        predict_tasks,
        "Ask several tasks; each answer with its own release.",
        PredictTasksCall,
        {"tasks": {"sentiment": _ANSWERS}},
    ),
)
