"""An adapter in an update: plain weights at the end, what it learned apart, and what is refused."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from freshtune.errors import ConfigurationError
from freshtune.learn.challenger import Learn, TrunkTuning, begin, tune
from freshtune.learn.fit import Fit, Step, averaged, predict
from freshtune.learn.lesson import Lesson
from freshtune.learn.state import Run
from freshtune.model.adapters import ADAPTERS
from freshtune.model.adapters.settling import factors
from freshtune.model.backbone import open_top
from freshtune.model.blocks import TextModel
from freshtune.records import Example
from freshtune.ship.changes import change_of, rebuilt
from tests.model.adapters.toys import (
    BELOW_THE_CUT,
    CUT,
    EVERY_HEAD,
    MERGING,
    SETTINGS,
    UNMERGED,
    copied,
    examples_of,
    open_model,
    product_of,
)

FIT = Fit(epochs=3, batch_tokens=16, learning_rate=5e-3, dropout=0.1, evaluate_every=100, checkpoint_seconds=1e9)
LEARN = Learn(first=FIT, fit=FIT, average=(0.5,))


def lesson_of(model: TextModel, kind: str, cut: int | None) -> Lesson:
    """The toy's examples on the trunk's outputs; as token ids where there is no cut."""
    toy, labels = examples_of(kind), EVERY_HEAD[kind][1]
    inputs = toy.inputs
    if cut is not None:
        with torch.inference_mode():
            inputs = [model.lower(torch.from_numpy(ids.astype(np.int64))[None], None, cut)[0].numpy() for ids in inputs]
    examples = [Example(f"e{row}", "toy", "text", label=label) for row, label in enumerate(labels)]
    return Lesson(examples, inputs, np.zeros(len(labels), np.bool_), np.arange(len(labels)) < 2)


@product_of([name for name in MERGING if name not in BELOW_THE_CUT])
def test_an_update_ends_with_plain_weights_that_its_factors_make_again(name: str, family: str, kind: str) -> None:
    head, _ = EVERY_HEAD[kind]
    model, again, adapter = open_model(family, head.outputs), open_model(family, head.outputs), SETTINGS[name]()
    material = lesson_of(model, kind, CUT)
    champion = {key: value.clone() for key, value in model.top_state(CUT).items()}
    told = predict(model, CUT, material.inputs)
    challenger = tune(model, CUT, head, material, told, replace(LEARN, adapter=adapter))
    assert list(challenger.weights) == list(champion)
    assert any(not torch.equal(value, champion[key]) for key, value in challenger.weights.items())
    adapter.attach(again)
    again.load_top(challenger.learned)
    adapter.settle(again)
    mixed = averaged(again.top_state(CUT), champion, challenger.share)
    for key, value in challenger.weights.items():
        torch.testing.assert_close(mixed[key], value, atol=1e-6, rtol=0)
    repeated = open_model(family, head.outputs)
    torch.manual_seed(77)
    second = tune(repeated, CUT, head, material, told, replace(LEARN, adapter=adapter))
    assert all(torch.equal(value, second.weights[key]) for key, value in challenger.weights.items())


STORED = {
    "top_layers": 0.4, "head_only": 0.005, "bias_only": 0.01, "lora": 0.03, "adalora": 0.05, "ia3": 0.007,
    "bottleneck": 0.015, "prefix": 0.006,
}  # fmt: skip
"""Bytes of what is stored of an update over the whole model's in fp32, at most; a tiny model's ranks are large."""


@product_of([name for name in ADAPTERS if name not in BELOW_THE_CUT])
def test_what_is_stored_of_an_update_is_small_and_gives_its_weights_again(name: str, family: str, kind: str) -> None:
    head, _ = EVERY_HEAD[kind]
    model, adapter = open_model(family, head.outputs), SETTINGS[name]()
    whole = sum(weight.numel() * 4 for weight in model.parameters())
    material = lesson_of(model, kind, CUT)
    champion = {key: value.clone().numpy() for key, value in model.top_state(CUT).items()}
    learned = tune(model, CUT, head, material, predict(model, CUT, material.inputs), replace(LEARN, adapter=adapter))
    weights = {key: value.contiguous().numpy() for key, value in learned.weights.items()}
    small = {
        key: {part: value.numpy() for part, value in parts.items()}
        for key, parts in factors(adapter, learned.learned, learned.share).items()
    }
    stored = change_of(weights, champion, small)
    assert sum(value.nbytes for value in stored.values()) <= STORED[name] * whole
    if name in ("lora", "adalora", "ia3"):
        assert {key for key in stored if "/" not in key} <= {"head.weight", "head.bias", f"blocks.{CUT}.qkv.bias"}
    again = rebuilt(champion, stored)
    assert again.keys() == weights.keys()
    for key, value in weights.items():
        np.testing.assert_allclose(again[key], value, atol=1e-6, rtol=0)
    assert change_of(again, champion, small).keys() == stored.keys()


@pytest.mark.parametrize("name", [name for name in MERGING if name not in BELOW_THE_CUT])
def test_an_interrupted_update_ends_with_the_same_weights(name: str, tmp_path: Path) -> None:
    head, _ = EVERY_HEAD["classes"]
    settings = replace(LEARN, adapter=SETTINGS[name](), fit=replace(FIT, checkpoint_seconds=0.0))

    def one(run: Run | None, on_step: Callable[[Step], None]) -> Mapping[str, Tensor]:
        model = open_model("bert", head.outputs)
        material = lesson_of(model, "classes", CUT)
        return tune(model, CUT, head, material, predict(model, CUT, material.inputs), settings, run, on_step).weights

    def stop(step: Step) -> None:
        if step.number == 4:
            raise InterruptedError

    numbers: list[int] = []
    with pytest.raises(InterruptedError):
        one(Run(tmp_path, "a run"), stop)
    torch.manual_seed(66)
    resumed = one(Run(tmp_path, "a run"), lambda step: numbers.append(step.number))
    assert numbers[0] == 4, "goes on after the last checkpoint"
    whole = one(None, lambda step: None)
    assert all(torch.equal(value, whole[key]) for key, value in resumed.items())


@pytest.mark.parametrize("name", MERGING)
def test_a_first_model_ends_plain(name: str) -> None:
    head, _ = EVERY_HEAD["classes"]
    model, adapter = open_model("bert", head.outputs), SETTINGS[name]()
    base = copied(model)
    material = lesson_of(model, "classes", None if name in BELOW_THE_CUT else CUT)
    challenger = begin(model, CUT, head, material, replace(LEARN, adapter=adapter))
    assert list(model.state_dict()) == list(base)
    assert set(challenger.weights) == set(model.top_state(CUT))
    assert {key for key, value in model.state_dict().items() if not torch.equal(value, base[key])} >= {"head.weight"}


@pytest.mark.parametrize("name", sorted(BELOW_THE_CUT))
def test_below_the_cut_the_cached_trunk_is_refused(name: str) -> None:
    model, head = open_model(), EVERY_HEAD["classes"][0]
    material, settings = lesson_of(model, "classes", CUT), replace(LEARN, adapter=SETTINGS[name]())
    with pytest.raises(ConfigurationError, match="cached trunk") as refused:
        tune(model, CUT, head, material, np.zeros((6, 2), np.float32), settings)
    assert "freshtune train" in refused.value.mend
    base = open_model().state_dict()
    assert all(torch.equal(value, base[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("name", UNMERGED)
def test_a_trunk_is_not_tuned_by_what_does_not_merge(name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot tune a trunk") as refused:
        TrunkTuning(adapter=SETTINGS[name]())
    assert name in refused.value.what.lower()
    assert "lora" in refused.value.mend


@product_of(UNMERGED)
def test_parts_that_stay_learn_in_an_update_and_in_the_next(name: str, family: str, kind: str) -> None:
    head, _ = EVERY_HEAD[kind]
    model = open_model(family, head.outputs)
    plain = set(model.top_state(CUT))
    material = lesson_of(model, kind, CUT)
    settings = replace(LEARN, adapter=SETTINGS[name]())
    told = predict(model, CUT, material.inputs)
    first = tune(model, CUT, head, material, told, settings).weights
    parts = set(first) - plain
    assert parts == set(first) - {key for key in first if f".{name}." not in key}
    stored = {key: value.clone() for key, value in first.items()}
    top = open_top(model.architecture.as_json(), CUT, head.outputs, stored)
    second = tune(top, CUT, head, material, predict(top, CUT, material.inputs), settings).weights
    assert set(second) == set(stored)
    changed = {key for key, value in second.items() if not torch.equal(value, stored[key])}
    assert changed == parts | {"head.weight", "head.bias"}
