"""Noise on the first trained layer's input: as large as is said, off padding, and in a direction that hurts."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from freshtune.learn.losses.divergence import divergence, mutual_divergence
from freshtune.learn.losses.fgm import Fgm
from freshtune.learn.losses.freelb import FreeLb
from freshtune.learn.losses.perturbation import along, noise, norms, repeated, spread, within
from freshtune.learn.losses.pgd import Pgd
from freshtune.learn.losses.r_drop import RDrop
from freshtune.learn.losses.smart import Smart
from freshtune.learn.losses.supervised import Supervised
from freshtune.learn.losses.virtual_adversarial import VirtualAdversarial
from freshtune.model.heads import Head
from tests.learn.losses.toys import EVERY_HEAD, PLACES, Toy, toy
from tests.model.tiny_models import saved

heads = pytest.mark.parametrize("head", EVERY_HEAD, ids=lambda head: head.kind)
places = pytest.mark.parametrize("place", PLACES)
MASK = torch.tensor([[1, 1, 1, 0], [1, 0, 0, 0]])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return saved("bert", tmp_path_factory.mktemp("model"))


def sizes(made: Toy, begun: bool = False) -> torch.Tensor:
    """Norm of what was added to each text in each pass, over the norm of its input: ``[passes, b]``.

    Args:
        begun: the first pass was of the text itself, as embeddings with dropout are another text each time.
    """
    hidden, mask = made.asked[0] if begun else made.trained.hidden(), made.batch.attention_mask
    return torch.stack([(norms(asked - hidden, mask) / norms(hidden, mask)).flatten() for asked in made.asked])


def played(loss: Any, made: Toy, seed: int = 1) -> torch.Tensor:
    made.asked.clear()
    torch.manual_seed(seed)
    value: torch.Tensor = loss(made.batch, made.logits, made.trained)
    return value.detach()


@heads
@places
@pytest.mark.parametrize("epsilon", [0.01, 0.3])
def test_the_noise_of_fgm_and_of_the_virtual_adversary_is_just_as_large_as_is_said(
    folder: Path, head: Head, place: str, epsilon: float
) -> None:
    made = toy(folder, head, place, dropout=0.1)
    for loss in (Fgm(epsilon=epsilon), VirtualAdversarial(epsilon=epsilon, iterations=3)):
        played(loss, made)
        torch.testing.assert_close(sizes(made, begun=True)[-1], torch.full((4,), epsilon), rtol=1e-3, atol=1e-6)
        assert place == "ids" or sizes(made)[0].max() == 0, "the first pass is of the text itself"


@heads
@places
@pytest.mark.parametrize("loss", [Pgd(steps=4), FreeLb(steps=5), Pgd(step_size=0.9, epsilon=0.02)])
def test_noise_in_steps_stays_within_the_ball_and_reaches_its_rim(
    folder: Path, loss: Pgd | FreeLb, head: Head, place: str
) -> None:
    made = toy(folder, head, place)
    played(loss, made)
    assert sizes(made).max() <= loss.epsilon * 1.001
    torch.testing.assert_close(sizes(made)[-1], torch.full((4,), loss.epsilon), rtol=1e-2, atol=0)


@heads
@places
def test_smart_bounds_every_number(folder: Path, head: Head, place: str) -> None:
    made, loss = toy(folder, head, place), Smart(epsilon=0.02, steps=3)
    played(loss, made)
    hidden = made.trained.hidden()
    bound = 0.02 * spread(hidden, made.batch.attention_mask)
    for asked in made.asked:
        assert ((asked - hidden).abs() <= bound * 1.001 + 1e-6).all()
    largest = (made.asked[-1] - hidden).abs().amax(dim=(1, 2), keepdim=True)
    torch.testing.assert_close(largest, bound, rtol=1e-3, atol=1e-6)


@heads
@places
def test_an_adversary_hurts_more_than_chance_and_a_patient_one_no_less(folder: Path, head: Head, place: str) -> None:
    made, epsilon = toy(folder, head, place), 0.1
    hidden, mask = made.trained.hidden(), made.batch.attention_mask
    still = Supervised()(made.batch, made.trained.logits(hidden)).detach()
    torch.manual_seed(3)
    by_chance, apart = [], []
    for _ in range(20):
        asked = made.trained.logits(hidden + epsilon * norms(hidden, mask) * along(noise(hidden, mask), mask)).detach()
        by_chance.append(Supervised()(made.batch, asked))
        apart.append(divergence(head, made.logits.detach(), asked).mean())
    fgm, pgd = played(Fgm(epsilon=epsilon), made), played(Pgd(epsilon=epsilon, steps=8), made)
    assert fgm > max(*by_chance, still)
    assert pgd > fgm * 0.99
    assert still < played(FreeLb(epsilon=epsilon, steps=4), made) < pgd, "it is a mean over the way there"
    assert played(VirtualAdversarial(epsilon=epsilon, probe=epsilon, iterations=3), made) > max(apart)


@heads
@pytest.mark.parametrize("loss", [Fgm(), Pgd(), FreeLb()])
def test_without_noise_it_is_the_supervised_loss(folder: Path, loss: Any, head: Head) -> None:
    made = toy(folder, head, "hidden")
    nothing = torch.zeros_like(made.trained.hidden())
    made.trained = replace(made.trained, hidden=lambda: nothing)
    expected = Supervised()(made.batch, made.trained.logits(nothing)).detach()
    torch.testing.assert_close(played(loss, made), expected)


@heads
@pytest.mark.parametrize("loss", [Fgm(), Pgd(), FreeLb(), VirtualAdversarial(), Smart()])
def test_all_passes_of_a_term_drop_the_same(folder: Path, loss: Any, head: Head) -> None:
    """So that two answers differ by the noise alone."""
    made = toy(folder, head, "hidden", dropout=0.5)
    states: list[torch.Tensor] = []
    ask = made.trained.logits

    def watched(hidden: torch.Tensor) -> torch.Tensor:
        states.append(torch.get_rng_state())
        return ask(hidden)

    made.trained = replace(made.trained, logits=watched)
    played(loss, made)
    assert len(states) >= 2
    assert all(torch.equal(state, states[0]) for state in states)
    assert not torch.equal(torch.get_rng_state(), states[0]), "what follows is drawn anew"


@heads
def test_r_drop_grows_with_what_is_dropped(folder: Path, head: Head) -> None:
    little, much = (played(RDrop(), toy(folder, head, "hidden", dropout=dropout)) for dropout in (0.02, 0.5))
    assert 0 < little < much


def test_a_direction_has_norm_one_however_small_the_gradient_and_none_where_there_is_none() -> None:
    gradient = torch.randn(2, 4, 8, generator=torch.Generator().manual_seed(1))
    for size in (1e-37, 1.0, 1e37):
        direction = along(gradient * size, MASK)
        torch.testing.assert_close(norms(direction, MASK).flatten(), torch.ones(2))
        assert not direction[MASK == 0].any()
    assert not along(torch.zeros(2, 4, 8), MASK).any()


def test_noise_is_drawn_for_real_tokens_whatever_the_padding() -> None:
    torch.manual_seed(1)
    short = noise(torch.zeros(2, 4, 8), MASK)
    torch.manual_seed(1)
    long = noise(torch.zeros(2, 9, 8), torch.nn.functional.pad(MASK, (0, 5)))
    assert torch.equal(long[:, :4], short)
    assert not long[:, 4:].any()
    assert not short[MASK == 0].any()
    torch.testing.assert_close(spread(torch.full((2, 4, 8), 3.0), MASK).flatten(), torch.full((2,), 3.0))


def test_within_shortens_what_is_too_long_and_nothing_else() -> None:
    long = torch.zeros(2, 4, 8)
    long[0, 0, 0], long[1, 0, 0] = 3.0, 0.5
    pulled = within(long, MASK, torch.ones(2, 1, 1))
    assert pulled[:, 0, 0].tolist() == [1.0, 0.5]
    assert not within(torch.zeros(2, 4, 8), MASK, torch.zeros(2, 1, 1)).any()


def test_a_repeated_pass_is_the_same_pass() -> None:
    ask = repeated(lambda hidden: torch.nn.functional.dropout(hidden, 0.5))
    once, again = ask(torch.ones(99)), ask(torch.ones(99))
    assert torch.equal(once, again)
    assert not torch.equal(once, torch.nn.functional.dropout(torch.ones(99), 0.5))


@heads
@pytest.mark.parametrize("apart", [divergence, mutual_divergence])
def test_divergence_is_zero_for_the_same_answer_and_its_gradient_is_right(
    head: Head, apart: Callable[[Head, torch.Tensor, torch.Tensor], torch.Tensor]
) -> None:
    random = torch.Generator().manual_seed(1)
    one, other = (torch.randn(4, head.outputs, generator=random, dtype=torch.float64, requires_grad=True) for _ in "ab")
    assert (apart(head, one, other) > 0).all()
    assert apart(head, one, one).abs().max() < 1e-12
    assert torch.autograd.gradcheck(lambda ours, theirs: apart(head, ours, theirs), (one, other))


@heads
def test_mutual_divergence_is_the_mean_of_both_directions(head: Head) -> None:
    one, other = (torch.randn(4, head.outputs, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2))
    both = (divergence(head, one, other) + divergence(head, other, one)) / 2
    torch.testing.assert_close(mutual_divergence(head, one, other), both)
    torch.testing.assert_close(mutual_divergence(head, other, one), both)
