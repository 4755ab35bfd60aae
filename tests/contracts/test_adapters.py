"""The laws of every adapter, on every family of models and with every kind of head.

The quick suite plays each pair of member and family, member and head, family and head; ``make test-real`` all three.
"""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from freshtune.errors import ConfigurationError
from freshtune.model.adapters import ADAPTERS, Adapter
from freshtune.model.adapters.adalora import AdaLora
from freshtune.model.adapters.bias_only import BiasOnly
from freshtune.model.adapters.bottleneck import Bottleneck
from freshtune.model.adapters.ia3 import Ia3
from freshtune.model.adapters.lora import Lora
from freshtune.model.adapters.prefix import Prefix
from freshtune.model.adapters.settling import learned
from freshtune.model.adapters.top_layers import TopLayers
from freshtune.model.backbone import open_top
from freshtune.model.heads import HEADS
from tests.model.adapters.toys import (
    BELOW_THE_CUT,
    CUT,
    EVERY_HEAD,
    MERGING,
    SETTINGS,
    UNMERGED,
    answers,
    batch_of,
    copied,
    open_model,
    product_of,
    still,
    trained,
    trained_above,
)
from tests.model.tiny_models import FAMILIES, LAYERS, WORDS

LARGEST_SHARE = {
    "full": 1.0, "top_layers": 0.4, "head_only": 0.005, "bias_only": 0.01, "lora": 0.03, "adalora": 0.05, "ia3": 0.006,
    "bottleneck": 0.015, "prefix": 0.006, "trainable_tokens": 0.006,
}  # fmt: skip
PARTS = {
    "lora": {"down", "up"},
    "adalora": {"left", "singular", "right"},
    "ia3": {"outgoing", "incoming"},
    "bottleneck": {"weight", "bias"},
    "prefix": {"key", "value", "gate"},
    "trainable_tokens": {"rows"},
}
"""Members that hang parts on the model, and how the names of the parts' weights end."""
members = pytest.mark.parametrize("name", ADAPTERS)


def test_every_member_and_every_head_is_under_test() -> None:
    assert set(SETTINGS) == set(ADAPTERS) == set(LARGEST_SHARE)
    assert set(EVERY_HEAD) == set(HEADS)
    assert set(UNMERGED) == {"bottleneck", "prefix"}
    square = [case for case in product_of(list(ADAPTERS)).args[1] if not case.marks]
    assert len(square) == len(ADAPTERS) * len(FAMILIES)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        pairs = {(case.values[one], case.values[other]) for case in square}
        assert len(pairs) == len({pair[0] for pair in pairs}) * len({pair[1] for pair in pairs})


@members
def test_its_name_is_its_key_and_its_fields_are_its_settings(name: str) -> None:
    settings = {field.name: field.default for field in fields(ADAPTERS[name])}  # type: ignore[arg-type]
    assert settings["name"] == name
    assert "merges" not in settings


@product_of(list(ADAPTERS))
def test_attaching_changes_no_weight_and_no_answer(name: str, family: str, kind: str) -> None:
    batch = batch_of(kind)
    model = open_model(family, batch.head.outputs)
    before, said, adapter = copied(model), answers(model, batch), SETTINGS[name]()
    adapter.attach(model)
    after = model.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())
    assert torch.equal(answers(model, batch), said)
    cut = adapter.lowest_trained(model.layers)
    assert cut == (0 if name in BELOW_THE_CUT else model.layers if name == "head_only" else CUT)
    if name not in BELOW_THE_CUT:
        assert not any(weight.requires_grad for weight in model.trunk_parameters(cut))
    added = {key.rpartition(".")[2] for key in set(after) - set(before)}
    assert added == PARTS.get(name, set())


@product_of(list(ADAPTERS))
def test_only_what_is_declared_has_a_gradient_and_is_changed(name: str, family: str, kind: str) -> None:
    batch = batch_of(kind)
    model = open_model(family, batch.head.outputs)
    base = copied(model)
    adapter = SETTINGS[name]()
    adapter.attach(model)
    before, declared = copied(model), learned(model)
    assert {"head.weight", "head.bias"} <= set(declared)
    assert declared.keys() <= before.keys()
    if name in PARTS:
        assert set(declared) & set(base) == {"head.weight", "head.bias"}, "of the model's own, the head alone"
        assert set(declared) >= set(before) - set(base)
    if name == "bias_only":
        assert all(key.endswith(".bias") or key == "head.weight" for key in declared)
    trained(model, batch, 3)
    reached = {key for key, weight in model.named_parameters() if weight.grad is not None}
    changed = {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
    assert reached <= set(declared)
    assert changed == set(declared)


@members
def test_the_trained_share_is_within_its_bound(name: str) -> None:
    model = open_model()
    whole = sum(weight.numel() for weight in model.parameters())
    SETTINGS[name]().attach(model)
    assert sum(weight.numel() for weight in learned(model).values()) / whole <= LARGEST_SHARE[name]


@members
@pytest.mark.parametrize("family", FAMILIES)
def test_a_frozen_trunk_drops_nothing_in_training(name: str, family: str) -> None:
    model, adapter = open_model(family), SETTINGS[name]()
    adapter.attach(model)
    cut = adapter.lowest_trained(model.layers)
    ids = torch.tensor([[5, 6, 7]])
    resting = model.eval().lower(ids, None, cut)
    moving = model.train().lower(ids, None, cut)
    assert torch.equal(resting, moving) == (name not in BELOW_THE_CUT)
    assert not torch.equal(model(ids), model(ids)), "the top drops in training"


@product_of(list(ADAPTERS))
def test_what_it_hangs_on_the_model_learns_without_the_heads_help(name: str, family: str, kind: str) -> None:
    batch = batch_of(kind)
    model = open_model(family, batch.head.outputs)
    adapter = SETTINGS[name]()
    adapter = replace(adapter, dropout=0.0) if isinstance(adapter, Lora) else adapter
    adapter.attach(model)
    still(model)
    model.head.requires_grad_(name == "head_only")
    losses = trained(model, batch, 40)
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0] - 1e-3


@product_of(MERGING)
def test_settled_it_is_a_plain_model_that_says_the_same(name: str, family: str, kind: str) -> None:
    batch = batch_of(kind)
    model = open_model(family, batch.head.outputs)
    base, adapter = copied(model), SETTINGS[name]()
    adapter.attach(model)
    trained(model, batch, 5, 0.03)
    said = answers(model, batch)
    adapter.settle(model)
    torch.testing.assert_close(answers(model, batch), said, atol=1e-5, rtol=0)
    assert [(key, value.shape) for key, value in model.state_dict().items()] == [
        (key, value.shape) for key, value in base.items()
    ]
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in model.modules())
    assert any(not torch.equal(value, base[key]) for key, value in model.state_dict().items() if "head" not in key) == (
        name != "head_only"
    )
    adapter.attach(model)
    torch.testing.assert_close(answers(model, batch), said, atol=1e-5, rtol=0)


@product_of(list(ADAPTERS))
def test_what_was_learned_makes_the_model_again(name: str, family: str, kind: str) -> None:
    batch = batch_of(kind)
    model, again = open_model(family, batch.head.outputs), open_model(family, batch.head.outputs)
    adapter = SETTINGS[name]()
    adapter.attach(model)
    trained(model, batch, 5, 0.03)
    stored = load(save(learned(model)))
    torch.manual_seed(8)
    adapter.attach(again)
    again.load_top(stored)
    torch.testing.assert_close(answers(again, batch), answers(model, batch), atol=1e-6, rtol=0)
    if adapter.merges:
        adapter.settle(model)
        adapter.settle(again)
        other = again.state_dict()
        for key, value in model.state_dict().items():
            torch.testing.assert_close(other[key], value, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", [name for name in PARTS if name in MERGING])
def test_what_is_attached_is_not_attached_twice(name: str) -> None:
    model = open_model()
    SETTINGS[name]().attach(model)
    before, said = list(model.state_dict()), answers(model, batch := batch_of("classes"))
    with pytest.raises(ValueError, match="already"):
        SETTINGS[name]().attach(model)
    assert list(model.state_dict()) == before
    assert torch.equal(answers(model, batch), said)


@product_of(UNMERGED)
def test_what_does_not_merge_stays_is_stored_and_learns_on(name: str, family: str, kind: str) -> None:
    batch = batch_of(kind)
    model = open_model(family, batch.head.outputs)
    adapter = SETTINGS[name]()
    adapter.attach(model)
    trained(model, batch, 5, 0.03)
    before, said = copied(model), answers(model, batch)
    adapter.settle(model)
    adapter.attach(model)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert torch.equal(answers(model, batch), said), "attached again, it goes on with what hangs there"
    with torch.inference_mode():
        hidden = model.lower(batch.inputs, batch.attention_mask, CUT)
    hidden = hidden.clone()
    stored = load(save({key: value.contiguous() for key, value in model.top_state(CUT).items()}))
    top = open_top(model.architecture.as_json(), CUT, batch.head.outputs, stored)
    with torch.inference_mode():
        assert torch.equal(top.upper(hidden, batch.attention_mask, CUT), said)
    for other in set(MERGING) - BELOW_THE_CUT - {"top_layers", "bias_only"}:
        above = SETTINGS[other]()
        above.attach(top)
        trained_above(top, hidden, batch)
        with torch.inference_mode():
            told = top.eval().upper(hidden, batch.attention_mask, CUT).clone()
        above.settle(top)
        with torch.inference_mode():
            torch.testing.assert_close(top.upper(hidden, batch.attention_mask, CUT), told, atol=1e-5, rtol=0)
    parts = [key for key in stored if key.rpartition(".")[2] in PARTS[name] and f".{name}." in key]
    assert parts
    assert all(torch.equal(top.state_dict()[key], stored[key]) for key in parts), "other members leave it as it is"


@pytest.mark.parametrize("name", UNMERGED)
def test_parts_of_another_size_are_refused(name: str) -> None:
    model, field = open_model(), {"bottleneck": "size", "prefix": "length"}[name]
    SETTINGS[name]().attach(model)
    before = copied(model)
    with pytest.raises(ConfigurationError, match="does not fit the live release") as refused:
        replace(SETTINGS[name](), **{field: 9}).attach(model)  # type: ignore[type-var]
    assert f"learn.adapter.{field}" in refused.value.mend
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_reaching_down_ends_at_the_embeddings() -> None:
    for member in (TopLayers, BiasOnly, Lora, AdaLora, Ia3, Bottleneck, Prefix):
        assert [member(k=k).lowest_trained(LAYERS) for k in (1, LAYERS, LAYERS + 5)] == [LAYERS - 1, 0, 0]
        model = open_model()
        adapter: Adapter = member(k=LAYERS + 5)
        adapter.attach(model)
        assert not any(weight.requires_grad for weight in model.trunk_parameters(0)), "the embeddings stay"
        assert model(torch.tensor([[5, WORDS - 1]])).shape == (1, 2)
