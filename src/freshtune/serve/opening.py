"""Opening releases so that those on one trunk share its session and tokenizer, across tasks and versions."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol
from weakref import WeakValueDictionary

from freshtune.model.onnx_model import OnnxModel, OnnxTrunk, described_model, head_of, tokens_of
from freshtune.model.tokens import Tokens
from freshtune.model.words import with_words
from freshtune.records import Json, Release


class Files(Protocol):
    """Where a release's files are; the registry."""

    def load_file(self, release: Release | str, name: str) -> Path:
        """A file, verified before it is given."""


class SharedTrunks:
    """Opens releases as predictors. A trunk and a tokenizer live as long as any model on
    them; an update loads its small top alone.

    Args:
        files: gives verified files.
        threads: texts that one call runs at a time.
    """

    def __init__(self, files: Files, threads: int = 1) -> None:
        self._files, self._threads = files, threads
        self._trunks: WeakValueDictionary[str, OnnxTrunk] = WeakValueDictionary()
        self._tokens: WeakValueDictionary[str, Tokens] = WeakValueDictionary()
        self._lock = threading.Lock()

    def __call__(self, release: Release) -> OnnxModel:
        """Open a release.

        Raises:
            IntegrityError: a file is not what the release says, or cannot be run.
            NotFound: a file is missing from the release.
        """
        described = described_model(self._files.load_file(release, "model.json"))
        top = self._files.load_file(release, "top.onnx")
        with self._lock:
            trunk, tokens = self._trunk(release), self._tokens_of(release, described)
        return OnnxModel(
            tokens, with_words(trunk, described.get("architecture")), top, head_of(described["head"]), self._threads
        )

    def _trunk(self, release: Release) -> OnnxTrunk:
        path, digest = self._files.load_file(release, "trunk.onnx"), release.artefacts["trunk.onnx"]
        trunk = self._trunks.get(digest)
        if trunk is None:
            trunk = self._trunks[digest] = OnnxTrunk(path, self._threads)
        return trunk

    def _tokens_of(self, release: Release, described: Mapping[str, Json]) -> Tokens:
        path = self._files.load_file(release, "tokenizer.json")
        digest = f"{release.artefacts['tokenizer.json']} {described['prefix']} {described['max_tokens']}"
        tokens = self._tokens.get(digest)
        if tokens is None:
            tokens = self._tokens[digest] = tokens_of(described, path)
        return tokens
