"""Text to token ids, alike in training and in serving. Needs the package ``tokenizers`` alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from freshtune.errors import IntegrityError
from freshtune.model.predictor import Input

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

_CHARACTERS = 2_000_000
"""Characters that are encoded at once: some 200 MB of encodings."""


@dataclass(frozen=True)
class Tokens:
    """A tokenizer with the two facts that decide what a model sees.

    Attributes:
        tokenizer: without padding and without truncation. Its own keeps what it cuts off, and of a pair every
            combination of the cut-off parts: 12 GB for two texts of 100,000 characters.
        prefix: written before every text, as the model was pretrained (``"query: "``). The second text of a pair has
            none: the two are read together, and the first one's prefix marks the pair already.
        max_tokens: special tokens included; of a pair the longer text is shortened first.
    """

    tokenizer: "Tokenizer"
    prefix: str
    max_tokens: int

    @staticmethod
    def open(tokenizer_json: Path, prefix: str, max_tokens: int) -> "Tokens":
        """Read a ``tokenizer.json``.

        Raises:
            IntegrityError: the file is missing or is no tokenizer.
        """
        from tokenizers import Tokenizer

        try:
            tokenizer = Tokenizer.from_str(tokenizer_json.read_text("utf-8"))
        except Exception as error:  # the library raises bare Exception
            raise IntegrityError(f"{tokenizer_json} is no readable tokenizer.", str(error)) from None
        return Tokens.of(tokenizer, prefix, max_tokens)

    @staticmethod
    def of(tokenizer: "Tokenizer", prefix: str, max_tokens: int) -> "Tokens":
        """Take a tokenizer over: its padding and its truncation are switched off."""
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return Tokens(tokenizer, prefix, max_tokens)

    def encode(self, inputs: Sequence[Input]) -> list[NDArray[np.int32]]:
        """Ids of each input, special tokens included, at least one and at most ``max_tokens``."""
        return [
            np.asarray(_shortened(encoding, self.max_tokens) or [self._end], np.int32)
            for texts in self._batches(inputs)
            for encoding in self.tokenizer.encode_batch_fast(texts)
        ]

    def _batches(self, inputs: Sequence[Input]) -> Iterator[list[str | tuple[str, str]]]:
        """The texts as the tokenizer takes them, cut into batches by characters."""
        batch: list[str | tuple[str, str]] = []
        held = 0
        for text, pair in inputs:
            size = len(text) + len(pair or "")
            if batch and held + size > _CHARACTERS:
                yield batch
                batch, held = [], 0
            batch.append(self.prefix + text if pair is None else (self.prefix + text, pair))
            held += size
        if batch:
            yield batch

    @property
    def _end(self) -> int:
        """What stands for a text of nothing where the tokenizer adds no special tokens (GPT-2)."""
        return int(self.tokenizer.token_to_id("<|endoftext|>") or 0)

    def write(self, tokenizer_json: Path) -> None:
        """Write the tokenizer so that :meth:`open` gives the same ids, and so does whoever knows nothing of this class:
        the file says itself where a text is cut."""
        from tokenizers import Tokenizer

        alone = Tokenizer.from_str(self.tokenizer.to_str())
        alone.enable_truncation(self.max_tokens, strategy="longest_first")
        tokenizer_json.write_text(alone.to_str(), "utf-8")


def _shortened(encoding: "Encoding", most: int) -> list[int]:
    """The ids of a text or a pair, at most so many: special ones stay, the longer text loses its end first."""
    ids: list[int] = encoding.ids
    if len(ids) <= most:
        return ids
    owners: list[int | None] = encoding.sequence_ids
    left = _longest_first(owners.count(0), owners.count(1), most - owners.count(None))
    kept, seen = [], [0, 0]
    for number, owner in zip(ids, owners, strict=True):
        if owner is not None:
            seen[owner] += 1
            if seen[owner] > left[owner]:
                continue
        kept.append(number)
    return kept


def _longest_first(first: int, second: int, room: int) -> tuple[int, int]:
    """How much of two texts stays, as the library's own truncation counts.

    >>> _longest_first(2, 50, 10), _longest_first(50, 2, 10), _longest_first(50, 40, 9), _longest_first(50, 0, 9)
    ((2, 8), (8, 2), (5, 4), (9, 0))
    """
    shorter = min(first, second, room // 2)
    longer = min(max(first, second), room - shorter)
    return (longer, shorter) if first > second else (shorter, longer)
