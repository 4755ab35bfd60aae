"""Nothing is compressed: the graph in fp32."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class NoCompression:
    """The graph as it was exported."""

    name: Literal["none"] = "none"

    def apply(self, source: Path, target: Path) -> None:
        shutil.copyfile(source, target)
