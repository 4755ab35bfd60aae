"""The words of a text beside what a network says of it: what the network smooths over, a table can know.

A frozen network gives alike texts alike vectors, and so says little of a new product's name or a turn of phrase of one
category. Tokens and pairs of neighbours, hashed into a table with a weight for each answer, know just that, and learn
it from few examples; the two together are better than either. Source: Cheng et al., *Wide & deep learning for
recommender systems*, 2016; hashed pairs as in Joulin et al., *Bag of tricks for efficient text classification*, 2017.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from freshtune.records import Json

if TYPE_CHECKING:
    from freshtune.model.onnx_model import Trunk

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
"""2**64 over the golden ratio: neighbours land far apart. Source: Knuth, *The art of computer programming*, 6.4."""
_ANSWERS = 2
"""A table holds as many numbers as one for so many answers; for more of them it has fewer rows."""


def places(ids: NDArray[np.int32], rows: int) -> NDArray[np.int64]:
    """Rows of a text's tokens and pairs of neighbouring tokens in a table, each once, in order, from 1.

    Args:
        ids: int32 ``[t]``.
        rows: of the table, a power of two.

    >>> places(np.asarray([7, 8, 7, 8], np.int32), 1024).tolist()
    [576, 667, 927, 967]
    """
    tokens = ids.astype(np.uint64) + np.uint64(1)
    with np.errstate(over="ignore"):
        pairs = (tokens[:-1] * _MULTIPLIER ^ tokens[1:]) * _MULTIPLIER
        hashed = np.concatenate([tokens * _MULTIPLIER, pairs])
    shift = np.uint64(64 - int(rows).bit_length() + 1)
    return np.unique((hashed >> shift).astype(np.int64)) + 1


def table_rows(most: int, answers: int) -> int:
    """Rows of a table for so many answers: a power of two, at most ``most``, fewer where there are many answers.

    >>> table_rows(131_072, 2), table_rows(131_072, 4), table_rows(131_072, 150), table_rows(0, 2)
    (131072, 65536, 1024, 0)
    """
    rows = min(most, _ANSWERS * most // max(answers, 1))
    return 1 << (rows.bit_length() - 1) if rows else 0


@dataclass(frozen=True)
class WithWords:
    """A trunk that gives a text's words along: below the rows of its vectors, the places of its words.

    Places are whole numbers and stand in rows of the vectors' width, filled with 0; float32 holds them exactly.

    Attributes:
        trunk: gives the vectors, ``[taps, width]`` a text.
        rows: of the table that the places are in.
    """

    trunk: "Trunk"
    rows: int

    @property
    def digest(self) -> str:
        """Of the trunk's file."""
        return self.trunk.digest

    def hidden(self, ids: Sequence[NDArray[np.int32]]) -> list[NDArray[np.float32]]:
        """Float32 ``[taps + r_i, width]`` of each text's ids ``[t_i]``."""
        return [
            _below(vectors, places(text, self.rows)) for vectors, text in zip(self.trunk.hidden(ids), ids, strict=True)
        ]


def with_words(trunk: "Trunk", architecture: Json | Mapping[str, Json]) -> "Trunk":
    """A trunk as the head reads it; the architecture as a release stores it."""
    rows = architecture.get("words") if isinstance(architecture, Mapping) else None
    return WithWords(trunk, rows) if isinstance(rows, int) and rows else trunk


def _below(vectors: NDArray[np.float32], found: NDArray[np.int64]) -> NDArray[np.float32]:
    width = vectors.shape[1]
    block = np.zeros(-(-len(found) // width) * width, np.float32)
    block[: len(found)] = found
    return np.concatenate([vectors, block.reshape(-1, width)])
