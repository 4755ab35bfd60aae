"""How an exported graph is made smaller and faster. A member rewrites one ONNX file into another."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from freshtune.ship.compression.int8 import Int8
from freshtune.ship.compression.none import NoCompression


class Compression(Protocol):
    """A rewriting of a graph. A member is a frozen dataclass whose fields are its settings."""

    def apply(self, source: Path, target: Path) -> None:
        """Write the compressed form of ``source`` to ``target``."""


COMPRESSIONS: Mapping[str, type[Compression]] = {"none": NoCompression, "int8": Int8}
