"""The Python in a model card: a reader runs it in the exported folder, without freshtune and without torch."""

from collections.abc import Mapping

_OPEN = """\
import json
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

model = json.loads(Path("model.json").read_text("utf-8"))
tokenizer = Tokenizer.from_str(Path("tokenizer.json").read_text("utf-8"))
tokenizer.no_padding()
tokenizer.enable_truncation(model["max_tokens"], strategy="longest_first")
trunk = onnxruntime.InferenceSession("trunk.onnx", providers=["CPUExecutionProvider"])
top = onnxruntime.InferenceSession("top.onnx", providers=["CPUExecutionProvider"])


def logits(text, pair=None):
    # One text at a time: an int8 graph scales by what is in the batch, so neighbours would change the answer.
    ids = tokenizer.encode(model["prefix"] + text, pair).ids or [tokenizer.token_to_id("<|endoftext|>") or 0]
    hidden = trunk.run(None, {trunk.get_inputs()[0].name: np.array([ids], np.int32)})[0]
    return top.run(None, {top.get_inputs()[0].name: hidden})[0][0]

"""

_READ: Mapping[str, str] = {
    "classes": """
def answer(text, pair=None):
    values = logits(text, pair)
    exponents = np.exp(values - values.max())
    return dict(zip(model["head"]["labels"], (exponents / exponents.sum()).tolist()))
""",
    "ordinal": """
def answer(text, pair=None):
    above = np.minimum.accumulate(1 / (1 + np.exp(-np.clip(logits(text, pair), -30, 30))))  # P(y > step)
    edges = np.concatenate([[1.0], above, [0.0]])
    steps = range(model["head"]["lowest"], model["head"]["highest"] + 1)
    return dict(zip(map(str, steps), (edges[:-1] - edges[1:]).tolist()))
""",
    "score": """
def answer(text, pair=None):
    place = 1 / (1 + np.exp(-np.clip(logits(text, pair)[0], -30, 30)))
    lowest, highest = model["head"]["lowest"], model["head"]["highest"]
    return {"score": float(lowest + place * (highest - lowest))}
""",
}


def snippet(kind: str, two_texts: bool) -> str:
    """Python that opens the folder it runs in and answers one input.

    Args:
        kind: of the head, a key of ``model.heads.HEADS``.
        two_texts: whether the task reads a pair.

    >>> "def answer" in snippet("ordinal", False)
    True
    """
    call = 'answer("红色 连衣裙", "夏季新款红色雪纺连衣裙")' if two_texts else 'answer("房间很干净，服务也好")'
    return f"{_OPEN}{_READ[kind]}\n\nprint({call})\n"
