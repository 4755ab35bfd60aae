"""A released model as it is served: onnxruntime and a tokenizer, no torch.

Every text runs alone, so that no answer depends on padding or on what else is asked. It costs next to nothing: one text
fills the matrix products of one core (int8 e5, 32 tokens: 11.0 ms a text in batches of 32, 11.7 ms alone), and more
cores take more texts at a time.
"""

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import orjson
from numpy.typing import NDArray

from freshtune.errors import IntegrityError
from freshtune.model.heads import HEADS, Head
from freshtune.model.predictor import Input
from freshtune.model.tokens import Tokens
from freshtune.model.words import with_words
from freshtune.records import Json

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Ids = NDArray[np.int32]
Floats = NDArray[np.float32]


class Trunk(Protocol):
    """The frozen lower part of a model."""

    @property
    def digest(self) -> str:
        """Sha256 of its file."""

    def hidden(self, ids: Sequence[Ids]) -> list[Floats]:
        """Hidden state ``[t_i, width]`` of each text's ids ``[t_i]``; one text's does not depend on the others."""


class OnnxTrunk:
    """The trunk in onnxruntime.

    Args:
        path: ``trunk.onnx``.
        threads: how many texts run at a time.

    Raises:
        IntegrityError: the file is missing or is no graph.
    """

    def __init__(self, path: Path, threads: int) -> None:
        self._graph = Graph(path, threads)
        self.digest = self._graph.digest

    def hidden(self, ids: Sequence[Ids]) -> list[Floats]:
        return [hidden[0] for hidden in self._graph.each([text[None] for text in ids])]


class OnnxModel:
    """Tokens, trunk, top and head: a :class:`freshtune.model.predictor.Predictor`.

    Args:
        tokens, trunk, head: its parts.
        top_path: ``top.onnx``.
        threads: how many texts run at a time.
    """

    def __init__(self, tokens: Tokens, trunk: Trunk, top_path: Path, head: Head, threads: int) -> None:
        self._tokens, self._trunk, self._head = tokens, trunk, head
        self._top = Graph(top_path, threads)

    @property
    def head(self) -> Head:
        return self._head

    def logits(self, inputs: Sequence[Input]) -> Floats:
        """Logits ``[n, head.outputs]``, the same for an input whatever else is asked."""
        return self.logits_above(self._trunk.hidden(self._tokens.encode(inputs)) if inputs else ())

    def logits_above(self, hidden: Sequence[Floats]) -> Floats:
        """Logits ``[n, head.outputs]`` of texts whose trunk output ``[t_i, width]`` is at hand."""
        if not hidden:
            return np.empty((0, self._head.outputs), np.float32)
        return np.concatenate(self._top.each([text[None] for text in hidden]))


class Graph:
    """An ONNX graph with one input and one output, run on one text at a time.

    Args:
        path: the file.
        threads: runs at a time; each is single-threaded, which wastes nothing on waiting for one another.
    """

    def __init__(self, path: Path, threads: int) -> None:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise IntegrityError(f"{path} cannot be read.", str(error)) from None
        self.digest = hashlib.sha256(content).hexdigest()
        self._session = _session(content, path)
        self._input = self._session.get_inputs()[0].name
        self._pool = ThreadPoolExecutor(threads, "onnx") if threads > 1 else None

    def each(self, arrays: Sequence[Ids] | Sequence[Floats]) -> list[Floats]:
        """The output for each input array, in order."""
        if self._pool is None or len(arrays) < 2:
            return [self._run(array) for array in arrays]
        return list(self._pool.map(self._run, arrays))

    def _run(self, array: Ids | Floats) -> Floats:
        output: Floats = self._session.run(None, {self._input: array})[0]
        return output


def _session(content: bytes, path: Path) -> "InferenceSession":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's own exceptions have no common parent but this
        raise IntegrityError(f"{path} is no graph that onnxruntime can run.", str(error)) from None


def open_onnx_model(folder: Path, trunk_path: Path | None, threads: int) -> OnnxModel:
    """Open the files of a release.

    Args:
        folder: holds ``top.onnx``, ``tokenizer.json`` and ``model.json``, and ``trunk.onnx`` unless it is elsewhere.
        trunk_path: where the trunk is, when releases share it.
        threads: how many texts run at a time.

    Raises:
        IntegrityError: a file is missing or is not what it should be.
    """
    described = described_model(folder / "model.json")
    tokens = tokens_of(described, folder / "tokenizer.json")
    trunk = OnnxTrunk(trunk_path or folder / "trunk.onnx", threads)
    return OnnxModel(
        tokens,
        with_words(trunk, described.get("architecture")),
        folder / "top.onnx",
        head_of(described["head"]),
        threads,
    )


def described_model(path: Path) -> dict[str, Json]:
    """Read ``model.json``; IntegrityError where a field that opening needs is missing."""
    try:
        described = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise IntegrityError(f"{path} cannot be read.", str(error)) from None
    missing = {"head", "prefix", "max_tokens"} - set(described if isinstance(described, dict) else ())
    if missing:
        raise IntegrityError(f"{path} lacks {', '.join(sorted(missing))}.")
    return dict(described)


def tokens_of(described: Mapping[str, Json], path: Path) -> Tokens:
    """A model's ``tokenizer.json``, read as its ``model.json`` says."""
    longest = described["max_tokens"]
    if not isinstance(longest, int) or longest < 1:
        raise IntegrityError(f"max_tokens of a model is {longest!r}, no whole number from 1.")
    return Tokens.open(path, str(described["prefix"]), longest)


def head_of(stored: Json) -> Head:
    """The head that was stored as its fields; lists were tuples."""
    fields: Mapping[str, Json] = stored if isinstance(stored, dict) else {}
    try:
        return HEADS[str(fields.get("kind"))](
            **{name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
        )
    except (KeyError, TypeError) as error:
        raise IntegrityError("The head of a model cannot be read.", str(error)) from None
