"""Text to token ids, alike in training and in serving. Needs the package ``tokenizers`` alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from freshtune.errors import IntegrityError
from freshtune.model.predictor import Input

if TYPE_CHECKING:
    from tokenizers import Tokenizer


@dataclass(frozen=True)
class Tokens:
    """A tokenizer with the two facts that decide what a model sees.

    Attributes:
        tokenizer: no padding, truncation set.
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
        """Take a tokenizer over: its padding is switched off, its truncation set."""
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_tokens, strategy="longest_first")
        return Tokens(tokenizer, prefix, max_tokens)

    def encode(self, inputs: Sequence[Input]) -> list[NDArray[np.int32]]:
        """Ids of each input, special tokens included, at least one and at most ``max_tokens``."""
        texts = [self.prefix + text if pair is None else (self.prefix + text, pair) for text, pair in inputs]
        return [
            np.asarray(encoding.ids or [self._end], np.int32) for encoding in self.tokenizer.encode_batch_fast(texts)
        ]

    @property
    def _end(self) -> int:
        """What stands for a text of nothing where the tokenizer adds no special tokens (GPT-2)."""
        return int(self.tokenizer.token_to_id("<|endoftext|>") or 0)

    def write(self, tokenizer_json: Path) -> None:
        """Write the tokenizer so that :meth:`open` gives the same ids."""
        tokenizer_json.write_text(self.tokenizer.to_str(), "utf-8")
