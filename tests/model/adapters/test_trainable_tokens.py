"""Only the given rows of the embedding learn."""

import pytest
import torch

from freshtune.errors import ConfigurationError
from freshtune.model.adapters.settling import learned
from freshtune.model.adapters.trainable_tokens import TrainableTokens
from freshtune.model.blocks import TextModel
from freshtune.model.families import Architecture

WORDS = 30


def tiny() -> TextModel:
    torch.manual_seed(1)
    shape = Architecture("bert", WORDS, positions=8, layers=2, width=16, heads=2, inner=24, norm_epsilon=1e-5)
    return TextModel(shape, 3).eval()


def test_a_settled_model_differs_in_those_rows_and_in_no_other() -> None:
    model, base, adapter = tiny(), tiny(), TrainableTokens(rows=(29, 0, 7))
    adapter.attach(model)
    with torch.no_grad():
        model.get_parameter("tokens.added.rows").copy_(torch.arange(3.0)[:, None] + 1)
    said = model(torch.tensor([[7, 0, 29, 3]]))
    adapter.settle(model)
    change = (model.tokens.weight - base.tokens.weight).detach()
    torch.testing.assert_close(change[[29, 0, 7]], torch.tensor([1.0, 2.0, 3.0])[:, None].expand(3, 16))
    assert change.abs().sum(dim=1).nonzero().flatten().tolist() == [0, 7, 29]
    torch.testing.assert_close(model(torch.tensor([[7, 0, 29, 3]])), said, atol=1e-5, rtol=0)


def test_a_text_without_such_a_word_moves_none_of_them() -> None:
    model = tiny()
    TrainableTokens(rows=(7,)).attach(model)
    model(torch.tensor([[3, 4]])).square().sum().backward()
    gradient = model.get_parameter("tokens.added.rows").grad
    assert gradient is not None
    assert not gradient.any()


def test_without_a_new_word_the_head_learns_alone() -> None:
    model = tiny()
    TrainableTokens().attach(model)
    assert set(learned(model)) == {"head.weight", "head.bias"}


def test_a_token_that_the_model_does_not_have_is_refused_before_anything_is_frozen() -> None:
    model = tiny()
    with pytest.raises(ConfigurationError, match=f"no token {WORDS}") as refused:
        TrainableTokens(rows=(3, WORDS)).attach(model)
    assert f"0 to {WORDS - 1}" in refused.value.mend
    assert all(weight.requires_grad for weight in model.parameters())
