"""The laws of every family of backbones, on tiny random weights, against the library's own forward pass."""

from pathlib import Path
from typing import Any

import pytest
import torch

from freshtune.model.backbone import TextModel, open_backbone, open_top
from freshtune.model.blocks import pooled
from freshtune.model.families import FAMILIES, Architecture, Pooling
from freshtune.model.predictor import Input
from tests.model.tiny_models import LAYERS, WORDS, library_model, saved

CUTS = range(LAYERS + 1)


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def model(family: str, tmp_path_factory: pytest.TempPathFactory) -> TextModel:
    torch.manual_seed(1)
    return open_backbone(str(saved(family, tmp_path_factory.mktemp("model"))), None, 3, 40)[0]


@pytest.fixture(scope="module")
def library(family: str) -> Any:
    return library_model(family)


def batch(lengths: tuple[int, ...] = (4, 11, 1, 20)) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    ids = torch.randint(5, WORDS, (len(lengths), max(lengths)), generator=generator)
    mask = (torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]).long()
    return torch.where(mask.bool(), ids, 1), mask


def test_every_family_is_tested() -> None:
    from tests.model.tiny_models import FAMILIES as TESTED

    assert set(TESTED) == set(FAMILIES)


@torch.no_grad()
@pytest.mark.parametrize("cut", CUTS)
def test_lower_and_upper_equal_the_librarys_whole_forward(model: TextModel, library: Any, cut: int) -> None:
    ids, mask = batch()
    theirs = library(input_ids=ids, attention_mask=mask).last_hidden_state
    vectors = (theirs * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
    whole = model.head(vectors)
    assert torch.allclose(model.upper(model.lower(ids, mask, cut), mask, cut), whole, atol=1e-5)
    assert torch.allclose(model(ids, mask), whole, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("cut", CUTS)
def test_answers_do_not_depend_on_padding(model: TextModel, cut: int) -> None:
    ids, mask = batch()
    together = model.upper(model.lower(ids, mask, cut), mask, cut)
    for row, length in enumerate(mask.sum(1).tolist()):
        text = ids[row : row + 1, :length]
        alone = model.upper(model.lower(text, None, cut), None, cut)
        assert torch.allclose(alone[0], together[row], atol=1e-5)


@torch.no_grad()
def test_a_top_alone_is_the_top_of_the_whole(model: TextModel) -> None:
    ids, mask = batch()
    for cut in CUTS:
        top = open_top(model.architecture.as_json(), cut, 3, model.top_state(cut))
        assert torch.equal(
            top.upper(model.lower(ids, mask, cut), mask, cut), model.upper(model.lower(ids, mask, cut), mask, cut)
        )
        assert not {weight.data_ptr() for weight in top.parameters()} & {own.data_ptr() for own in model.parameters()}
        below = sum(weight.numel() for weight in model.trunk_parameters(cut))
        assert below + sum(weight.numel() for weight in top.parameters()) == sum(w.numel() for w in model.parameters())


@torch.no_grad()
@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_pooling_passes_padding_over(pooling: Pooling) -> None:
    hidden = torch.arange(24.0).view(2, 4, 3)
    mask = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1]])
    together = pooled(hidden, mask, pooling)
    assert torch.equal(together[0], pooled(hidden[:1, :2], None, pooling)[0])
    assert torch.equal(together[1], pooled(hidden[1:], None, pooling)[0])


def test_the_architecture_comes_back_from_what_is_stored(model: TextModel) -> None:
    assert Architecture.of_json(model.architecture.as_json()) == model.architecture


def test_64_texts_can_be_learned_by_heart(family: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, tokens = open_backbone(str(saved(family, tmp_path)), None, 2, 16)
    words = torch.randint(5, WORDS, (64, 6)).tolist()
    ids = torch.tensor(
        [text.tolist() for text in tokens.encode([Input(" ".join(f"w{n}" for n in row)) for row in words])]
    )
    labels = torch.randint(0, 2, (64,))
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3)
    model.train()
    for _ in range(100):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(ids), labels).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    with torch.no_grad():
        assert (model.eval()(ids).argmax(1) == labels).float().mean() >= 0.98
