"""Opening releases so that those on one trunk share one session of it, across tasks and versions."""

import threading
from pathlib import Path
from typing import Protocol
from weakref import WeakValueDictionary

from freshtune.model.onnx_model import OnnxModel, OnnxTrunk, described_model, head_of, tokens_of
from freshtune.records import Release


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
        tokens = tokens_of(described, self._files.load_file(release, "tokenizer.json"))
        top = self._files.load_file(release, "top.onnx")
        return OnnxModel(tokens, self._trunk(release), top, head_of(described["head"]), self._threads)

    def _trunk(self, release: Release) -> OnnxTrunk:
        path = self._files.load_file(release, "trunk.onnx")
        with self._lock:
            digest = release.artefacts["trunk.onnx"]
            trunk = self._trunks.get(digest)
            if trunk is None:
                trunk = self._trunks[digest] = OnnxTrunk(path, self._threads)
            return trunk
