"""Answers of several names before the judge: outcomes, baselines, the test of labels, the rules."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from freshtune import record_json
from freshtune.errors import UsageError
from freshtune.judge.baselines import Majority, TfIdf
from freshtune.judge.evaluate import evaluate
from freshtune.judge.gate import Gate, ReleaseFacts, judge
from freshtune.judge.label_test import LabelTest, examine_labels, usable_labels
from freshtune.model.heads.several import Several
from freshtune.model.predictor import Input
from freshtune.records import Example, Finding, Label, Outcome, Scorecard, names_of
from freshtune.tasks.attributes import Attributes
from tests.judge.models import Told, card

HEAD = Several(("c=red", "c=blue", "m=linen"))
TASK = Attributes(HEAD.labels)
METRICS = ("micro_f1", "macro_f1", "accuracy")


def product(number: int, *values: str) -> Example:
    return Example(f"p{number}", "attributes", f"{' '.join(values)} n{number}", label=tuple(sorted(values)))


def products(seed: int, number: int) -> list[Example]:
    """Red or blue, one in three of them of linen too; the text says which."""
    random = np.random.default_rng(seed)
    made = []
    for place in range(number):
        colour = ("c=red", "c=blue")[int(random.integers(2))]
        made.append(product(place, colour, *(["m=linen"] if random.random() < 0.3 else [])))
    return made


def told(head: Several, examples: Sequence[Example], wrong: Sequence[int] = ()) -> Told:
    """A model that is sure of the truth, but of the wrong ones of the contrary."""
    of_text: dict[str, Sequence[float]] = {}
    for place, example in enumerate(examples):
        logits = [4.0 if name in names_of(example.label) else -4.0 for name in head.labels]
        of_text[example.text] = [-each for each in logits] if place in wrong else logits
    return Told(head, of_text)


def test_an_outcome_holds_what_is_true_and_what_was_said() -> None:
    examples = [product(0, "c=red"), product(1, "c=blue", "m=linen")]
    model = Told(HEAD, {examples[0].text: (3, -3, -3), examples[1].text: (-3, 3, -3)})
    found = evaluate(model, TASK, examples, "new")
    first, second = found.outcomes
    assert (first.target, first.prediction, first.true, first.said) == (1, 1, ("c=red",), ("c=red",))
    assert (second.target, second.prediction) == (1, 0)
    assert (second.true, second.said) == (("c=blue", "m=linen"), ("c=blue",))
    assert found.metrics["micro_f1"].value == pytest.approx(2 * 2 / (2 + 3))
    assert found.metrics["accuracy"].value == 0.5


def test_a_name_that_the_model_does_not_know_is_one_it_lacks() -> None:
    examples = [product(0, "c=red", "m=silk")]
    task = Attributes((*HEAD.labels, "m=silk"))
    found = evaluate(Told(HEAD, {examples[0].text: (3, -3, -3)}), task, examples, "new").outcomes[0]
    assert (found.true, found.said, found.prediction) == (("c=red", "m=silk"), ("c=red",), 0)


def test_what_is_known_of_a_model_stands_until_its_label_changes() -> None:
    examples = [product(0, "c=red"), product(1, "c=blue")]
    first = evaluate(told(HEAD, examples), TASK, examples, "old")
    known = {each.id: each for each in first.outcomes}
    changed = [examples[0], replace(examples[1], label=("m=linen",))]
    model = Told(HEAD, {examples[1].text: (-3, 3, -3)})  # knows nothing of the first: it is not asked
    again = evaluate(model, TASK, changed, "old", known)
    assert again.outcomes[0] == first.outcomes[0]
    assert again.outcomes[1].true == ("m=linen",)


def test_the_gate_compares_names_counts_flips_and_refuses_another_truth() -> None:
    examples = products(0, 400)
    good, worse = (evaluate(told(HEAD, examples, range(bad)), TASK, examples, "old") for bad in (0, 40))
    cards = {"old": good, "new": replace(good, held_out="new")}
    lost = {"old": worse, "new": replace(worse, held_out="new")}
    assert judge(cards, lost, ReleaseFacts(), None, Gate()).promote
    verdict = judge(lost, cards, ReleaseFacts(), None, Gate())
    refused = {finding.rule: finding for finding in verdict.findings}
    assert not verdict.promote
    assert not refused["negative flips"].passed
    assert refused["negative flips"].numbers["share"] == 0.1
    assert not refused["bound on old"].passed
    other = replace(good, outcomes=(replace(good.outcomes[0], true=("m=silk",)), *good.outcomes[1:]))
    with pytest.raises(UsageError, match="compared"):
        judge(cards, {"old": other, "new": cards["new"]}, ReleaseFacts(), None, Gate())


def grown_verdict(examples: Sequence[Example], ours: dict[str, Sequence[float]]) -> tuple[float, float, Finding]:
    """A challenger that knows linen beside a champion that says red of all: both scores, and the bound on old."""
    old, grown = Several(("c=red",)), Several(("c=red", "m=linen"))
    champion: dict[str, Sequence[float]] = {example.text: [4.0] for example in examples}
    task = Attributes(grown.labels)
    new, before = (
        evaluate(Told(grown, ours), task, examples, "old"),
        evaluate(Told(old, champion), task, examples, "old"),
    )
    challenger, incumbent = ({"old": each, "new": replace(each, held_out="new")} for each in (new, before))
    verdict = judge(challenger, incumbent, ReleaseFacts(known=old.labels), None, Gate())
    (found,) = (finding for finding in verdict.findings if finding.rule == "bound on old")
    return new.metrics["micro_f1"].value, before.metrics["micro_f1"].value, found


def test_what_new_names_win_does_not_hide_what_old_ones_lose() -> None:
    """The champion lacks linen. The challenger says it rightly, and forgets red in two of five."""
    examples = [product(place, "c=red", *(["m=linen"] if place % 2 else [])) for place in range(200)]
    ours, before, found = grown_verdict(
        examples,
        {
            example.text: [4.0 if place % 5 > 1 else -4.0, 4.0 if place % 2 else -4.0]
            for place, example in enumerate(examples)
        },
    )
    assert ours > before
    assert not found.passed
    assert found.numbers["gain"] < -0.2
    assert found.numbers["taken"] == 0


def test_new_names_that_take_what_was_right_are_counted() -> None:
    examples = [product(place, "c=red") for place in range(200)]
    _, _, found = grown_verdict(
        examples,
        {example.text: [4.0, 4.0 if place % 10 == 0 else -4.0] for place, example in enumerate(examples)},
    )
    assert found.numbers["taken"] == pytest.approx(0.1)
    assert not found.passed


def test_a_wrong_node_counts_once_however_deep_its_tree() -> None:
    head = Several(("a", "a > b", "a > b > c", "z"), " > ")
    deep, flat = ("a", "a > b", "a > b > c"), ("z",)
    examples = [Example(str(n), "category", str(n), label=deep if n % 2 else flat) for n in range(200)]
    logits = np.array([[4.0, 4.0, 4.0, -4.0] if n % 2 else [-4.0, -4.0, -4.0, 4.0] for n in range(200)], np.float32)
    wrong = [replace(example, label=flat) if n in (1, 3, 5) else example for n, example in enumerate(examples)]
    found = examine_labels(wrong, head, head.answers(logits), None, LabelTest(surer_share=1.0))
    assert found.numbers["contradictions/all"] == pytest.approx(3 / 200)


def test_baselines_answer_with_names() -> None:
    examples = products(1, 200)
    counted, often = TfIdf.fit(examples, HEAD), Majority.fit(examples, HEAD)
    asked = [Input(example.text) for example in products(2, 50)]
    right = HEAD.read(HEAD.answers(counted.logits(asked)))
    assert sum(said == example.label for said, example in zip(right, products(2, 50), strict=True)) >= 48
    shares = HEAD.answers(often.logits(asked[:1])).probabilities[0]
    held = np.mean([[name in names_of(example.label) for name in HEAD.labels] for example in examples], axis=0)
    assert shares == pytest.approx(held, abs=1e-5)
    with pytest.raises(UsageError, match="'c=red', 'm=linen'"):
        TfIdf.fit([product(place, "c=red", "m=linen") for place in range(60)], HEAD)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_labels_that_lack_what_both_witnesses_see_are_told(share: float) -> None:
    examples, random = products(3, 300), np.random.default_rng(3)
    features = np.array([[name in names_of(example.label) for name in HEAD.labels] for example in examples], np.float32)
    features = features + random.normal(0, 0.2, features.shape).astype(np.float32)
    champion = HEAD.answers(told(HEAD, examples).logits([Input(example.text) for example in examples]))
    swap = {"c=red": "c=blue", "c=blue": "c=red"}
    bad = random.random(300) < share
    turned = [tuple(sorted(swap.get(name, name) for name in names_of(example.label))) for example in examples]
    sent = [
        replace(each, label=label) if turn else each for each, label, turn in zip(examples, turned, bad, strict=True)
    ]
    found = examine_labels(sent, HEAD, champion, features, LabelTest())
    assert found.examined
    assert found.passed == (share == 0)
    assert found.numbers["contradictions/m=linen"] == 0
    assert usable_labels(sent, HEAD) == 300


def test_too_few_labels_and_names_that_nobody_knows_are_not_tested() -> None:
    for number in (30, 200):
        unsure = HEAD.answers(np.full((number, 3), -4, np.float32))
        assert not examine_labels(products(4, number), HEAD, unsure, None, LabelTest()).examined
    assert usable_labels([product(place, "c=red") for place in range(9)], HEAD) == 0


def test_a_scorecard_of_names_survives_its_file() -> None:
    outcomes = (
        Outcome("a", 1.0, 0.0, 0.5, (), true=("x", "y"), said=("x",)),
        Outcome("b", 1.0, 1.0, 0.2, (), true=("z",), said=("z",)),
    )
    stored = card(outcomes, metrics=METRICS)
    assert record_json.loads(Scorecard, record_json.dumps(stored)) == stored


@pytest.mark.parametrize("label", [("a", "b"), (0.25, 0.75), ("only",), (1.0,)])
def test_a_label_of_either_kind_survives_its_file(label: Label) -> None:
    example = Example("1", "attributes", "t", label=label)
    assert record_json.loads(Example, record_json.dumps(example)) == example
