"""The network itself, in plain torch: embeddings, layers, pooling and a linear head, cut wherever one likes.

The layers are our own and not those of ``transformers`` for a measured reason: importing a model of that library takes
4 to 5 s, a quarter of what a whole update may take. ``tests/contracts/test_backbones.py`` holds them equal to the
library's forward pass. Importing this module imports torch.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from freshtune.model.families import Architecture, Pooling


class Layer(nn.Module):
    """One transformer layer, norm after each part (BERT) or before it (GPT-2).

    Attention weights are not dropped in training, only what each part adds: the CPU's fused kernel knows no dropout.
    """

    def __init__(self, architecture: Architecture, dropout: float) -> None:
        super().__init__()
        width, epsilon = architecture.width, architecture.norm_epsilon
        self.width, self.heads, self.causal = width, architecture.heads, architecture.causal
        self.activation, self.dropout = architecture.activation, dropout
        self.qkv = nn.Linear(width, 3 * width)
        self.attention_out = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width, epsilon)
        self.inner_in = nn.Linear(width, architecture.inner)
        self.inner_out = nn.Linear(architecture.inner, width)
        self.inner_norm = nn.LayerNorm(width, epsilon)

    def forward(self, hidden: Tensor, visible: Tensor | None) -> Tensor:
        """One step up.

        Args:
            hidden: ``[b, t, width]``.
            visible: bool ``[b, 1, t or 1, t]``, True where a token may look; None where nothing is padded.
        """
        if self.causal:
            hidden = hidden + self._dropped(self._attention(self.attention_norm(hidden), visible))
            return hidden + self._dropped(self._inner(self.inner_norm(hidden)))
        hidden = self.attention_norm(hidden + self._dropped(self._attention(hidden, visible)))
        return cast(Tensor, self.inner_norm(hidden + self._dropped(self._inner(hidden))))

    def _attention(self, hidden: Tensor, visible: Tensor | None) -> Tensor:
        query, key, value = self.qkv(hidden).split(self.width, dim=-1)
        if _exporting():
            attended = _ExportedAttention.apply(query, key, value, self.heads, self.causal)  # type: ignore[no-untyped-call]
        else:
            attended = attention(query, key, value, self.heads, visible, self.causal)
        return cast(Tensor, self.attention_out(attended))

    def _inner(self, hidden: Tensor) -> Tensor:
        return cast(Tensor, self.inner_out(_activated(self.inner_in(hidden), self.activation)))

    def _dropped(self, addition: Tensor) -> Tensor:
        return functional.dropout(addition, self.dropout) if self.training and self.dropout else addition


def attention(query: Tensor, key: Tensor, value: Tensor, heads: int, visible: Tensor | None, causal: bool) -> Tensor:
    """Scaled dot-product attention of ``[b, t, width]`` each, in ``heads`` slices of the width."""
    batch, length, width = query.shape
    queries, keys, values = (part.view(batch, length, heads, -1).transpose(1, 2) for part in (query, key, value))
    is_causal = causal and visible is None
    attended = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=visible, is_causal=is_causal)
    return attended.transpose(1, 2).reshape(batch, length, width)


class _ExportedAttention(torch.autograd.Function):
    """Attention as the one fused node that onnxruntime has for it, instead of some twenty plain ones."""

    @staticmethod
    def forward(ctx: object, query: Tensor, key: Tensor, value: Tensor, heads: int, causal: bool) -> Tensor:  # noqa: ARG004
        return attention(query, key, value, heads, None, causal)

    @staticmethod
    def symbolic(graph: Any, query: Any, key: Any, value: Any, heads: int, causal: bool) -> Any:
        name = "com.microsoft::MultiHeadAttention"
        output = graph.op(name, query, key, value, num_heads_i=heads, unidirectional_i=int(causal))
        output.setType(query.type())
        return output


def _exporting() -> bool:
    return torch.onnx.is_in_onnx_export()


def _activated(values: Tensor, activation: str) -> Tensor:
    if activation == "relu":
        return functional.relu(values)
    return functional.gelu(values, approximate="tanh" if activation == "gelu_tanh" else "none")


_WORDS_STEP = 20.0
"""How much faster a word's weight moves than the others: of a hundred words of a text each says little."""
_UNITS_DROPPED = 0.5
_PART_DROPPED = 0.4
"""Of the texts of a step, the share that learns without the vectors, and the share that learns without the words: each
part learns to answer alone, and neither leaves it to the other."""


class Readout(nn.Linear):
    """The head: what it says of a text's vectors, and what it says of its words, added up.

    Of the vectors it reads each number less its mean and over its spread: those of a transformer have a few dimensions
    that are a hundred times larger than the rest, and standardised all of them learn at one rate. Mean and spread are
    set once, from history, and are no parameters. Besides a linear map there may be one inner layer. Of the words, as
    :mod:`freshtune.model.words` gives them, it reads a table with a row each.

    Args:
        width: numbers of the vectors.
        outputs: number of logits.
        units: of the inner layer; 0 has none.
        words: rows of the table; 0 has none.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, width: int, outputs: int, units: int = 0, words: int = 0) -> None:
        super().__init__(width, outputs)
        self.units, self.rows = units, words
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("spread", torch.ones(width))
        if units:
            self.inner, self.outer = nn.Linear(width, units), nn.Linear(units, outputs, bias=False)
        if words:
            self.words = nn.Embedding(words + 1, outputs, padding_idx=0)
        nn.init.normal_(self.weight, std=0.02)
        nn.init.zeros_(self.bias)
        self._begin_inner()
        self._silence_parts()

    def begin(self, bias: Tensor) -> None:
        """Begin by saying the same of every text, ``bias [outputs]``; an inner layer begins at random."""
        self.silence(bias)
        self._begin_inner()

    def silence(self, bias: Tensor) -> None:
        """Say the same of every text, ``bias [outputs]``; what an inner layer sees in it stays as it is."""
        with torch.no_grad():
            self.weight.zero_()
            self.bias.copy_(bias)
        self._silence_parts()

    def _begin_inner(self) -> None:
        if self.units:
            nn.init.normal_(self.inner.weight, std=self.in_features**-0.5)
            nn.init.zeros_(self.inner.bias)

    def _silence_parts(self) -> None:
        if self.units:
            nn.init.zeros_(self.outer.weight)
        if self.rows:
            nn.init.zeros_(self.words.weight)

    def standardise(self, vectors: Tensor) -> None:
        """Take mean and spread from what it reads of many texts, ``[n, width]``; a number that never changes stays."""
        spread = vectors.std(dim=0, correction=0)
        self.mean.copy_(vectors.mean(dim=0))
        self.spread.copy_(torch.where(spread > 0, spread, torch.ones_like(spread)))

    def grow(self, bias: Tensor) -> None:
        """Add outputs that say the same of every text, ``bias [added]``; the weights of the others stay as they are."""
        with torch.no_grad():
            rows = self.weight.new_zeros(len(bias), self.in_features)
            self.weight = nn.Parameter(torch.cat([self.weight, rows]), self.weight.requires_grad)
            self.bias = nn.Parameter(torch.cat([self.bias, bias.to(self.bias)]), self.bias.requires_grad)
            if self.units:
                outer = self.outer.weight
                more = torch.cat([outer, outer.new_zeros(len(bias), self.units)])
                self.outer.weight = nn.Parameter(more, outer.requires_grad)
            if self.rows:
                table = self.words.weight
                more = torch.cat([table, table.new_zeros(len(table), len(bias))], dim=1)
                self.words.weight = nn.Parameter(more, table.requires_grad)
        self.out_features += len(bias)

    def forward(self, read: Tensor, dropout: float = 0.0) -> Tensor:
        """Logits ``[b, outputs]``, in fp32 whatever precision the layers below run in.

        Args:
            read: ``[b, width]``, or ``[b, width + n]`` with the places of words after the vectors, 0 where there is
                none.
            dropout: share of the numbers of the vectors that are dropped in training.
        """
        with torch.autocast("cpu", enabled=False):
            vectors = (read[:, : self.in_features].float() - self.mean) / self.spread
            said = self._of_vectors(functional.dropout(vectors, dropout, self.training))
            if not self.rows:
                return said + self.bias
            worded = self._of_words(read[:, self.in_features :])
            if self.training:
                chance = torch.rand(len(read), 1, device=read.device)
                said, worded = said * (chance >= _PART_DROPPED), worded * (chance < 1 - _PART_DROPPED)
            return said + worded + self.bias

    def _of_vectors(self, vectors: Tensor) -> Tensor:
        said = functional.linear(vectors, self.weight)
        if not self.units:
            return said
        inner = functional.dropout(functional.gelu(self.inner(vectors)), _UNITS_DROPPED, self.training)
        return said + cast(Tensor, self.outer(inner))

    def _of_words(self, places: Tensor) -> Tensor:
        found = places.round().long()
        count = (found > 0).sum(dim=1, keepdim=True).clamp(min=1)
        return cast(Tensor, self.words(found)).sum(dim=1) * (_WORDS_STEP / count.sqrt())


class TextModel(nn.Module):
    """A text model with a head, in two halves: ``upper(lower(x))`` is the whole at every cut.

    Cut above its last layer, what lies between the halves is what the head reads, one row a tap: nothing above looks at
    tokens. Cut lower it is a row a token, and every tap must lie at the cut or above it.

    Inputs are padded on the right, if at all. A part whose weights are all frozen drops nothing in training, so that
    what comes out of it may be computed once and kept.

    Args:
        architecture: the shape.
        outputs: number of logits.
        dropout: share of each addition, and of what the head reads of the vectors, that is dropped in training.
        cut: where only the top is wanted, the number of layers below it; they and the embeddings are then not built.
    """

    def __init__(self, architecture: Architecture, outputs: int, dropout: float = 0.1, cut: int | None = None) -> None:
        super().__init__()
        self.architecture, self.dropout, self.lowest = architecture, dropout, cut
        if cut is None:
            self.tokens = nn.Embedding(architecture.vocabulary, architecture.width)
            self.positions = nn.Embedding(architecture.positions, architecture.width)
            if not architecture.causal:
                self.embedding_norm = nn.LayerNorm(architecture.width, architecture.norm_epsilon)
        present = range(cut or 0, architecture.layers)
        self.blocks = nn.ModuleDict({str(index): Layer(architecture, dropout) for index in present})
        if architecture.causal:
            self.final_norm = nn.LayerNorm(architecture.width, architecture.norm_epsilon)
        width = len(architecture.read) * architecture.width
        self.head = Readout(width, outputs, architecture.units, architecture.words)

    @property
    def layers(self) -> int:
        """Number of layers of the whole model."""
        return self.architecture.layers

    @property
    def width(self) -> int:
        """Width of the hidden state."""
        return self.architecture.width

    def widen_head(self, units: int, words: int) -> None:
        """Give the model a new head that has an inner layer and a table of words; 0 gives it none of them."""
        self.architecture = replace(self.architecture, units=units, words=words)
        self.head = Readout(self.head.in_features, self.head.out_features, units, words)

    def lower(self, input_ids: Tensor, attention_mask: Tensor | None, cut: int) -> Tensor:
        """Embeddings and the layers below ``cut``.

        Args:
            input_ids: int32 or int64 ``[b, t]``.
            attention_mask: ``[b, t]``, 0 where padded; None where nothing is.
            cut: from 0, the embeddings alone, to ``layers``.

        Returns:
            Hidden state ``[b, t, width]``; at ``layers`` what the head reads, ``[b, taps, width]``.
        """
        hidden = self.tokens(input_ids) + self.positions.weight[: input_ids.shape[1]]
        if not self.architecture.causal:
            hidden = self.embedding_norm(hidden)
        if self.tokens.training and self.dropout:
            hidden = functional.dropout(hidden, self.dropout)
        if cut == self.layers:
            return self._tapped(hidden, attention_mask, 0)
        visible = self._visible(attention_mask)
        for index in range(cut):
            hidden = self.blocks[str(index)](hidden, visible)
        return cast(Tensor, hidden)

    def upper(self, hidden: Tensor, attention_mask: Tensor | None, cut: int) -> Tensor:
        """The layers from ``cut`` on, pooling and head: logits ``[b, outputs]`` of a hidden state of :meth:`lower`."""
        return self.answered(self.read(hidden, attention_mask, cut))

    def read(self, hidden: Tensor, attention_mask: Tensor | None, cut: int) -> Tensor:
        """The layers from ``cut`` on and pooling: what the head reads of each text, ``[b, taps * width]``.

        Above the whole network the hidden state may hold the places of words in rows of its own, and these stay.
        """
        return (hidden if cut == self.layers else self._tapped(hidden, attention_mask, cut)).flatten(1)

    def answered(self, vectors: Tensor) -> Tensor:
        """Logits ``[b, outputs]`` of what :meth:`read` gave."""
        return cast(Tensor, self.head(vectors, self.dropout))

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Logits ``[b, outputs]`` of the whole model."""
        return self.upper(self.lower(input_ids, attention_mask, 0), attention_mask, 0)

    def train(self, mode: bool = True) -> "TextModel":
        """Training mode for every part that has a weight to train."""
        super().train(mode)
        for part in (*self.children(), *self.blocks.children()):
            if mode and not any(weight.requires_grad for weight in part.parameters()):
                part.eval()
        return self

    def trunk_parameters(self, cut: int) -> Iterator[nn.Parameter]:
        """Every weight below ``cut``, the embeddings included."""
        return (weight for name, weight in self.named_parameters() if not self._above(name, cut))

    def top_state(self, cut: int) -> dict[str, Tensor]:
        """Every weight from ``cut`` on by name, detached; the head is part of it."""
        return {name: value.detach() for name, value in self.state_dict().items() if self._above(name, cut)}

    def load_top(self, state: Mapping[str, Tensor]) -> None:
        """Copy the weights of :meth:`top_state` in; KeyError on a name that is not there."""
        own = dict(self.named_parameters()) | dict(self.named_buffers())
        with torch.no_grad():
            for name, value in state.items():
                own[name].copy_(value)

    def _tapped(self, hidden: Tensor, attention_mask: Tensor | None, cut: int) -> Tensor:
        """From the state at a cut to what the head reads, ``[b, taps, width]``."""
        architecture, visible, read = self.architecture, self._visible(attention_mask), []
        for done in range(cut, self.layers + 1):
            if done > cut:
                hidden = self.blocks[str(done - 1)](hidden, visible)
            if done in architecture.read:
                last = architecture.causal and done == self.layers
                read.append(pooled(self.final_norm(hidden) if last else hidden, attention_mask, architecture.pooling))
        return torch.stack(read, dim=1)

    def _visible(self, attention_mask: Tensor | None) -> Tensor | None:
        return None if attention_mask is None else _visible(attention_mask, self.architecture.causal)

    @staticmethod
    def _above(name: str, cut: int) -> bool:
        part, _, rest = name.partition(".")
        return part in ("head", "final_norm") or (part == "blocks" and int(rest.partition(".")[0]) >= cut)


def _visible(attention_mask: Tensor, causal: bool) -> Tensor:
    """Bool ``[b, 1, t or 1, t]``: which tokens each token may look at."""
    present = attention_mask.bool()[:, None, None, :]
    if not causal:
        return present
    length = attention_mask.shape[1]
    return present & torch.ones(length, length, dtype=torch.bool, device=attention_mask.device).tril()


def pooled(hidden: Tensor, attention_mask: Tensor | None, pooling: Pooling) -> Tensor:
    """One vector a text, ``[b, width]``, from ``[b, t, width]``; padding has no part in it."""
    if attention_mask is None:
        return hidden.mean(dim=1) if pooling == "mean" else hidden[:, -1]
    lengths = attention_mask.sum(dim=1)
    if pooling == "last":
        return hidden[torch.arange(len(hidden), device=hidden.device), lengths - 1]
    return (hidden * attention_mask[:, :, None]).sum(dim=1) / lengths[:, None]
