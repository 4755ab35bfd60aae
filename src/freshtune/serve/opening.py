"""Opening releases so that those on one trunk share one session of it, across tasks and versions."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol
from weakref import WeakValueDictionary

from freshtune.errors import IntegrityError
from freshtune.model.heads import HEADS, Head
from freshtune.model.onnx_model import OnnxModel, OnnxTrunk, described_model
from freshtune.model.tokens import Tokens
from freshtune.records import Json, Release


class Files(Protocol):
    """Where a release's files are; the registry."""

    def load_file(self, release: Release | str, name: str) -> Path:
        """A file, verified before it is given."""


class SharedTrunks:
    """Opens releases as predictors. A trunk lives as long as any model on it; an update loads its small top alone.

    Args:
        files: gives verified files.
        threads: texts that one call runs at a time.
    """

    def __init__(self, files: Files, threads: int = 1) -> None:
        self._files, self._threads = files, threads
        self._trunks: WeakValueDictionary[str, OnnxTrunk] = WeakValueDictionary()
        self._lock = threading.Lock()

    def __call__(self, release: Release) -> OnnxModel:
        """Open a release.

        Raises:
            IntegrityError: a file is not what the release says, or cannot be run.
            NotFound: a file is missing from the release.
        """
        described = described_model(self._files.load_file(release, "model.json"))
        tokenizer = self._files.load_file(release, "tokenizer.json")
        tokens = Tokens.open(tokenizer, str(described["prefix"]), int(str(described["max_tokens"])))
        top = self._files.load_file(release, "top.onnx")
        return OnnxModel(tokens, self._trunk(release), top, _head(described["head"]), self._threads)

    def _trunk(self, release: Release) -> OnnxTrunk:
        path = self._files.load_file(release, "trunk.onnx")
        with self._lock:
            digest = release.artefacts["trunk.onnx"]
            trunk = self._trunks.get(digest)
            if trunk is None:
                trunk = self._trunks[digest] = OnnxTrunk(path, self._threads)
            return trunk


def _head(stored: Json) -> Head:
    fields: Mapping[str, Json] = stored if isinstance(stored, dict) else {}
    try:
        member = HEADS[str(fields["kind"])]
        return member(**{name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()})
    except (KeyError, TypeError) as error:
        raise IntegrityError("The head of a release cannot be read.", str(error)) from None
