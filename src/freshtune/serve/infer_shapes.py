"""Replies of the Open Inference Protocol, version 2, in its JSON form."""

from freshtune.serve.reply_shapes import Reply, shown


class InferServer(Reply):
    """Who answers."""

    model_config = shown({"name": "freshtune", "version": "0.1.0", "extensions": []})
    name: str
    version: str
    extensions: list[str]


class InferLive(Reply):
    """The process runs."""

    model_config = shown({"live": True})
    live: bool


class InferReady(Reply):
    """Whether every task that has a live release is answered."""

    model_config = shown({"ready": True})
    ready: bool


class InferModelReady(Reply):
    """Whether one task is answered."""

    model_config = shown({"name": "sentiment", "ready": True})
    name: str
    ready: bool


class TensorShape(Reply):
    """A tensor without its data."""

    name: str
    datatype: str
    shape: list[int]


class InferModel(Reply):
    """A task as the protocol describes a model; its version is the release that answers."""

    model_config = shown(
        {
            "name": "sentiment",
            "versions": ["sentiment-1f0c5e9a77b2"],
            "platform": "onnxruntime",
            "inputs": [{"name": "text", "datatype": "BYTES", "shape": [-1]}],
            "outputs": [{"name": "label", "datatype": "BYTES", "shape": [-1]}],
        }
    )
    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorShape]
    outputs: list[TensorShape]


class OutputTensor(TensorShape):
    """A tensor with its data, flat; of ``probabilities``, the parameter ``classes`` names the columns."""

    data: list[str] | list[float]
    parameters: dict[str, str] | None = None


class InferReply(Reply):
    """``model_version`` is the release that answered."""

    model_config = shown(
        {
            "model_name": "sentiment",
            "model_version": "sentiment-1f0c5e9a77b2",
            "outputs": [
                {"name": "label", "datatype": "BYTES", "shape": [1], "data": ["positive"]},
                {"name": "score", "datatype": "FP32", "shape": [1], "data": [0.97]},
            ],
        }
    )
    model_name: str
    model_version: str
    outputs: list[OutputTensor]
    id: str | None = None


class InferError(Reply):
    """What is wrong and what to do, in one string, as the protocol has it."""

    model_config = shown({"error": "This workspace has no such task. It has rating. Ask one of those."})
    error: str
