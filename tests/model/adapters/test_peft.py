"""LoRA and IA³ say what ``peft`` says of the same factors."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from freshtune.model.adapters.ia3 import Ia3
from freshtune.model.adapters.lora import Lora
from freshtune.model.blocks import TextModel
from freshtune.model.families import Architecture

peft = pytest.importorskip("peft")

LINEARS = ("qkv", "attention_out", "inner_in", "inner_out")
WIDTH, INNER = 16, 24
IDS = torch.tensor([[5, 6, 7, 0], [8, 9, 10, 11]])
MASK = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]])


def tiny(causal: bool) -> TextModel:
    torch.manual_seed(1)
    shape = partial(Architecture, vocabulary=30, positions=8, layers=2, width=WIDTH, heads=2, inner=INNER)
    return TextModel(shape(family="gpt2" if causal else "bert", norm_epsilon=1e-5, causal=causal), 3).eval()


def answers(model: nn.Module) -> Tensor:
    with torch.inference_mode():
        return model(IDS, MASK).clone()  # type: ignore[no-any-return]


def injected(config: Any, causal: bool) -> nn.Module:
    return peft.inject_adapter_in_model(config, tiny(causal)).eval()  # type: ignore[no-any-return]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("linears", [("qkv",), LINEARS])
def test_lora(causal: bool, linears: tuple[str, ...]) -> None:
    ours, theirs = (
        tiny(causal),
        injected(peft.LoraConfig(r=3, lora_alpha=5.0, target_modules=list(linears)), causal),
    )
    adapter = Lora(rank=3, alpha=5.0, linears=linears, k=2)
    adapter.attach(ours)
    plain = answers(tiny(causal))
    with torch.no_grad():
        for index in ("0", "1"):
            for name in linears:
                place = f"blocks.{index}.{name}"
                down, up = (ours.get_parameter(f"{place}.lora.{part}") for part in ("down", "up"))
                up.normal_()
                theirs.get_parameter(f"{place}.lora_A.default.weight").copy_(down)
                theirs.get_parameter(f"{place}.lora_B.default.weight").copy_(up)
    torch.testing.assert_close(answers(ours), answers(theirs), atol=1e-5, rtol=0)
    assert (answers(ours) - plain).abs().max() > 1e-3
    adapter.settle(ours)
    torch.testing.assert_close(answers(ours), answers(theirs), atol=1e-5, rtol=0)


@pytest.mark.parametrize("causal", [False, True])
def test_ia3(causal: bool) -> None:
    config = peft.IA3Config(target_modules=["qkv", "inner_out"], feedforward_modules=["inner_out"])
    ours, theirs, adapter = tiny(causal), injected(config, causal), Ia3(k=2)
    adapter.attach(ours)
    plain = answers(tiny(causal))
    with torch.no_grad():
        for index in ("0", "1"):
            outgoing = ours.get_parameter(f"blocks.{index}.qkv.ia3.outgoing").uniform_(0.5, 1.5)
            incoming = ours.get_parameter(f"blocks.{index}.inner_out.ia3.incoming").uniform_(0.5, 1.5)
            # There queries are a linear map of their own, which is not scaled.
            whole = torch.cat([torch.ones(WIDTH), outgoing])
            theirs.get_parameter(f"blocks.{index}.qkv.ia3_l.default").copy_(whole[:, None])
            theirs.get_parameter(f"blocks.{index}.inner_out.ia3_l.default").copy_(incoming[None])
    torch.testing.assert_close(answers(ours), answers(theirs), atol=1e-5, rtol=0)
    assert (answers(ours) - plain).abs().max() > 1e-3
    adapter.settle(ours)
    torch.testing.assert_close(answers(ours), answers(theirs), atol=1e-5, rtol=0)
