"""The tiny full cycle, end to end: events in, learned, judged, promoted or refused with reasons, and answered."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from freshtune import front_door
from freshtune.cycle.lessons import inputs_of
from freshtune.errors import ConfigurationError, FreshtuneError, NotFound, UsageError
from freshtune.front_door import OpenWorkspace
from freshtune.intake.deltas import labelled_examples
from freshtune.model.predictor import Input
from freshtune.phases import Phases
from freshtune.records import Json, LogRange, Release
from freshtune.ship.registry import Refused
from freshtune.ship.update_lock import Locked
from freshtune.ship.verify import verify
from tests.small_shop import (
    GRADED,
    LAYERS,
    REVIEW,
    STARRED,
    close,
    graded,
    make_shop,
    reviews,
    starred,
)

pytestmark = pytest.mark.usefixtures("own_cache")

HISTORY, DELTA = 500, 200


@pytest.fixture
def shop(tmp_path: Path, tiny_backbone: Path) -> Iterator[OpenWorkspace]:
    """A workspace of three tasks, empty."""
    made = make_shop(tmp_path / "shop", tiny_backbone, ("sentiment", "rating", "relevance"))
    yield made
    assert verify(made.store.registry).whole, "whatever happened, every release is whole"
    close(made)


@pytest.fixture
def trained(shop: OpenWorkspace) -> OpenWorkspace:
    """The same with a live release of sentiment."""
    shop.ingest(reviews(0, HISTORY), REVIEW)
    assert shop.train("sentiment").verdict.promote
    return shop


def contents(root: Path) -> dict[str, bytes]:
    """Every file that says something about what was learned; not caches, locks and logs of the databases."""
    skipped = ("-wal", "-shm", ".lock")
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.name.endswith(skipped) and "cache" not in path.relative_to(root).parts
    }


def reasons(release: Release) -> dict[str, str]:
    """The rules that said no, in words."""
    return {finding.rule: finding.words for finding in release.verdict.findings if not finding.passed}


def test_first_release_then_an_update_then_the_better_answer(shop: OpenWorkspace) -> None:
    shop.ingest(reviews(0, HISTORY), REVIEW)
    first = shop.train("sentiment")
    assert first.verdict.promote, reasons(first)
    assert first.parent is None
    assert (first.range.since, first.range.upto) == (0, HISTORY)
    assert {"new", "old", "majority/new", "tfidf/old"} <= set(first.scorecards)
    assert shop.store.registry.live_id("sentiment") == first.id
    good, bad = shop.predict("sentiment", ["手机 很好 lovely，excellent", "shirt awful 讨厌，broken"])
    assert (good["label"], bad["label"]) == ("positive", "negative")
    shop.ingest(reviews(HISTORY, HISTORY + DELTA), REVIEW)
    second = shop.update("sentiment")
    assert second.verdict.promote, reasons(second)
    assert second.parent == first.id
    assert (second.range.since, second.range.upto) == (HISTORY, HISTORY + DELTA)
    assert second.trunk == first.trunk
    assert second.artefacts["top.safetensors"] != first.artefacts["top.safetensors"]
    assert {"new", "old", "champion/new", "champion/old"} == set(second.scorecards)
    found = {finding.rule: finding for finding in second.verdict.findings}
    assert set(found) >= {"gain on new", "bound on old", "labels", "size"}
    assert not found["latency"].examined, "tops of one shape and size are not timed against each other"
    with pytest.raises(NotFound, match="nothing new"):
        shop.update("sentiment")
    folder = shop.store.run_folder("sentiment")
    assert list(folder.iterdir()) == [], "nothing is left of the runs"


def test_poisoned_then_clean_gives_refuse_then_promote(trained: OpenWorkspace) -> None:
    first = trained.release_of("sentiment")
    trained.ingest(reviews(500, 700, flipped=True), REVIEW)
    refused = trained.update("sentiment")
    assert not refused.verdict.promote
    assert reasons(refused)
    assert trained.release_of("sentiment") == first
    assert [(part.range.since, part.range.upto, part.outcome) for part in trained.store.registry.consumed("sentiment")][
        1:
    ] == [(500, 700, "refused")]
    with pytest.raises(NotFound):
        trained.update("sentiment")
    trained.ingest(reviews(700, 900), REVIEW)
    clean = trained.update("sentiment")
    assert clean.verdict.promote, reasons(clean)
    assert (clean.range.since, clean.range.upto) == (700, 900)
    poisoned = {f"r{number}" for number in range(500, 700)}
    judged_on = {outcome.id for card in clean.scorecards.values() for outcome in card.outcomes}
    assert not judged_on & poisoned, "quarantined labels judge nobody"
    brought_back = trained.include("sentiment", 500, 700)
    assert [part.release for part in brought_back] == [refused.id]
    assert trained.pending("sentiment").range.since == 500


def test_an_update_waits_for_labels_that_can_be_tested_and_then_learns_all_of_them(trained: OpenWorkspace) -> None:
    live = trained.release_of("sentiment")
    half_poisoned = [row for n in range(500, 620) for row in reviews(n, n + 1, flipped=n % 2 == 1)]
    trained.ingest([row for row in reviews(700, 900) if row["label"] == "positive"][:70], REVIEW)
    with pytest.raises(NotFound, match="waits for more labels: 0 of 80"):
        trained.update("sentiment")
    trained.ingest(half_poisoned[:-70], REVIEW)
    assert trained.pending("sentiment").range == LogRange(500, 620), "nothing is consumed"
    trained.ingest(half_poisoned[-70:], REVIEW)
    poisoned = trained.update("sentiment")
    assert poisoned.range == LogRange(500, 690)
    assert "labels" in reasons(poisoned), "what came in small doses is tested together"
    assert trained.release_of("sentiment") == live


def test_a_wait_leaves_nothing_behind(trained: OpenWorkspace) -> None:
    trained.ingest(reviews(500, 530), REVIEW)
    with pytest.raises(NotFound, match="30 of 80"):
        trained.update("sentiment")
    assert list(trained.store.run_folder("sentiment").iterdir()) == []
    assert trained.pending("sentiment").range == LogRange(500, 530)


def left_undecided(shop: OpenWorkspace) -> Release:
    """What became of reviews 500 to 700 under a gate that nothing on old can satisfy, and to which nothing is shown."""
    shop.ingest(reviews(500, 700), REVIEW)
    strict = front_door.open(shop.store.root, ["judge.gate.max_old_loss=1e-9", "judge.gate.tie_margin=1"])
    release = strict.update("sentiment")
    close(strict)
    assert release.verdict.undecided, reasons(release)
    return release


def test_what_is_undecided_is_not_lost_and_is_learned_with_what_comes_next(trained: OpenWorkspace) -> None:
    first = trained.release_of("sentiment")
    doubtful = left_undecided(trained)
    assert set(reasons(doubtful)) == {"bound on old"}
    summary = trained.store.registry.summary(doubtful.id)
    assert (summary.outcome, summary.live) == ("undecided", False)
    assert trained.release_of("sentiment") == first
    assert trained.pending("sentiment").range == LogRange(500, 700)
    trained.ingest(reviews(700, 720), REVIEW)
    with pytest.raises(NotFound, match="20 of 80 since the last try") as waits:
        trained.update("sentiment")
    assert doubtful.id in waits.value.why
    trained.ingest(reviews(720, 820), REVIEW)
    second = trained.update("sentiment")
    assert second.verdict.promote, reasons(second)
    assert (second.parent, second.range) == (first, LogRange(500, 820))
    with pytest.raises(NotFound, match="nothing new"):
        trained.update("sentiment")


def test_what_waits_is_not_quarantined_with_the_poison_that_came_after_it(trained: OpenWorkspace) -> None:
    first = trained.release_of("sentiment")
    left_undecided(trained)
    trained.ingest([row for n in range(700, 900) for row in reviews(n, n + 1, flipped=n % 2 == 1)], REVIEW)
    refused = trained.update("sentiment")
    assert not refused.verdict.undecided, reasons(refused)
    assert refused.range == LogRange(700, 900), "only what came since is to blame"
    with pytest.raises(NotFound, match="since the last try"):
        trained.update("sentiment")
    trained.ingest(reviews(900, 1_100), REVIEW)
    said: list[str] = []
    clean = trained.update("sentiment", Phases(on_remark=said.append))
    assert clean.verdict.promote, reasons(clean)
    assert (clean.parent, clean.range) == (first, LogRange(900, 1_100)), "what waits holds nothing up"
    assert any("500–700 is pending too" in words for words in said)
    assert trained.update("sentiment").range == LogRange(500, 700), "with a new champion it is tried again"


def test_other_labels_than_the_live_releases_are_refused_with_the_way_on(trained: OpenWorkspace) -> None:
    trained.ingest(reviews(500, 700), REVIEW)
    settings = trained.store.root / "freshtune.toml"
    text = settings.read_text()
    assert "[tasks.sentiment]" in text
    settings.write_text(text.replace("[tasks.sentiment]", '[tasks.sentiment]\nlabels = ["bad", "fair", "good"]'))
    changed = front_door.open(trained.store.root)
    with pytest.raises(ConfigurationError, match="has changed since its live release") as refused:
        changed.update("sentiment")
    close(changed)
    assert "freshtune train sentiment" in refused.value.mend


def test_a_person_may_promote_what_was_undecided(trained: OpenWorkspace) -> None:
    first = trained.release_of("sentiment")
    doubtful = left_undecided(trained)
    with pytest.raises(Refused, match="did not pass"):
        trained.store.registry.promote(doubtful.id, first, "somebody")
    trained.store.registry.promote(doubtful.id, first, "somebody", "looked at them", force=True)
    assert trained.release_of("sentiment") == doubtful.id
    with pytest.raises(NotFound, match="nothing new"):
        trained.update("sentiment")


def test_what_a_training_left_out_can_be_brought_back_after_it(trained: OpenWorkspace) -> None:
    trained.ingest(reviews(500, 700, flipped=True), REVIEW)
    assert not trained.update("sentiment").verdict.promote
    said: list[str] = []
    trained.ingest(reviews(700, 900), REVIEW)
    again = trained.train("sentiment", Phases(on_remark=said.append))
    assert "500–700" in said[0]
    assert "--include 500:700" in said[0]
    if not again.verdict.promote:
        trained.store.registry.promote(
            again.id, trained.release_of("sentiment"), "test", "of the same kind", force=True
        )
    with pytest.raises(NotFound):
        trained.pending("sentiment")
    trained.include("sentiment", 500, 700)
    pending = trained.pending("sentiment")
    assert (pending.range.since, pending.range.upto) == (500, 700)
    assert len(pending.labelled) + len(pending.held_out) == 200


def test_a_refused_training_leaves_what_is_new_to_the_next_update(trained: OpenWorkspace) -> None:
    live = trained.release_of("sentiment")
    trained.ingest(reviews(500, 700), REVIEW)
    strict = front_door.open(trained.store.root, ["learn.first.learning_rate=1e-9"])
    assert not strict.train("sentiment").verdict.promote
    close(strict)
    assert trained.release_of("sentiment") == live
    assert trained.pending("sentiment").range == LogRange(500, 700)


@pytest.mark.parametrize("task", ["rating", "relevance"])
def test_the_other_heads_go_the_same_way(shop: OpenWorkspace, task: str) -> None:
    mapping, rows = (STARRED, starred) if task == "rating" else (GRADED, graded)
    shop.ingest(rows(0, 600), mapping)
    first = shop.train(task)
    assert first.verdict.promote, reasons(first)
    shop.ingest(rows(600, 800), mapping)
    second = shop.update(task)
    assert second.parent == first.id
    assert second.verdict.promote or reasons(second)
    primary = shop.settings.task(task).metrics[0]
    assert second.scorecards["new"].metrics[primary].value > 0.9
    if task == "rating":
        low, high = shop.predict(task, ["lamp horrible horrible 讨厌", "lamp superb 喜欢 superb"])
        assert (low["label"], high["label"]) == (1, 5)
    else:
        ask = "phone n0x0 n0x1 n0x2 n0x3"
        none, exact = shop.predict(task, [Input(ask, "other 无关 other"), Input(ask, "exact 正品 exact")])
        assert isinstance(none["score"], float)
        assert isinstance(exact["score"], float)
        assert none["score"] < 0.5 < 1.5 < exact["score"]


@pytest.mark.parametrize("damage", ["trunk", "name"])
def test_a_damaged_pretrained_trunk_is_made_anew(
    shop: OpenWorkspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, damage: str
) -> None:
    monkeypatch.setenv("FRESHTUNE_CACHE", str(tmp_path / "cache"))
    shop.ingest(reviews(0, HISTORY), REVIEW)
    first = shop.train("sentiment")
    files = [path for path in (tmp_path / "cache" / "trunks").rglob("*") if path.is_file()]
    (kept,) = [path for path in files if (path.suffix == ".name") == (damage == "name")]
    kept.write_bytes(kept.read_bytes()[:40])
    assert shop.train("sentiment").trunk == first.trunk


def test_a_pretrained_trunk_that_gives_other_layers_is_another(
    shop: OpenWorkspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FRESHTUNE_CACHE", str(tmp_path / "cache"))
    shop.ingest(reviews(0, HISTORY), REVIEW)
    trunks = []
    for taps in ("[0.5, 1.0]", "[1.0]", "[0.5]", "[1.0]"):
        flags = ["learn.adapter={name='head_only'}", f"model.cut={LAYERS}", f"model.taps={taps}"]
        other = front_door.open(shop.store.root, flags)
        trunks.append(other.train("sentiment").trunk)
        close(other)
    assert trunks[1] == trunks[3]
    assert len(set(trunks)) == 3


def test_what_the_champion_fixes_is_said_not_ignored(trained: OpenWorkspace) -> None:
    trained.ingest(reviews(HISTORY, HISTORY + DELTA), REVIEW)
    said: list[str] = []
    other = front_door.open(trained.store.root, ["model.max_tokens=64", "model.cut=0"])
    other.update("sentiment", Phases(on_remark=said.append))
    close(other)
    assert [words.split()[0] for words in said] == ["model.max_tokens", "model.cut"]
    assert "64" in said[0]
    assert "32" in said[0]
    assert "freshtune train" in said[0]


def test_a_dry_run_writes_nothing(trained: OpenWorkspace) -> None:
    trained.ingest(reviews(500, 600), REVIEW)
    before, version = contents(trained.store.root), trained.store.registry.version()
    delta = trained.pending("sentiment")
    assert (delta.range.since, delta.range.upto) == (500, 600)
    assert len(delta.labelled) + len(delta.held_out) == 100
    assert contents(trained.store.root) == before
    assert trained.store.registry.version() == version
    assert trained.update("sentiment").range == delta.range, "what it said is what is learned"


def long_text(number: int) -> str:
    return f"很好 lovely great {number} " * 6_000


STRANGE: dict[str, list[dict[str, Json]]] = {
    "one": reviews(500, 501),
    "one held out or learned": reviews(501, 503),
    "one class": [row for row in reviews(500, 640) if row["label"] == "positive"],
    "all the same text": [{**reviews(500, 501)[0], "id": f"d{number}"} for number in range(80)],
    "same text, other labels": [
        {"id": f"d{number}", "text": "lamp great 漂亮", "label": ("positive", "negative")[number % 2]}
        for number in range(80)
    ],
    "empty and blank": [
        {"id": f"b{number}", "text": text, "label": "positive"} for number, text in enumerate(["", " ", "\u3000", "。"])
    ],
    "very long": [
        {"id": f"l{number}", "text": long_text(number)[:100_000], "label": "positive"} for number in range(4)
    ],
    "nothing but symbols": [
        {"id": f"x{number}", "text": "😡" * (number + 1), "label": "negative"} for number in range(30)
    ],
    "no label at all": [{"id": f"u{number}", "text": row["text"]} for number, row in enumerate(reviews(500, 520))],
}


def test_strange_deltas_give_a_result_or_a_clear_refusal(trained: OpenWorkspace) -> None:
    results: dict[str, str] = {}
    hasty = front_door.open(trained.store.root, ["judge.labels.least_labels=0"])
    for name, rows in STRANGE.items():
        report = trained.ingest(rows, REVIEW)
        assert report.read == len(rows)
        try:
            release = hasty.update("sentiment")
        except NotFound:
            results[name] = "nothing new"
            continue
        results[name] = "promoted" if release.verdict.promote else "refused"
        assert release.verdict.promote or reasons(release)
        for card in release.scorecards.values():
            assert all(np.isfinite([outcome.score, *outcome.probabilities]).all() for outcome in card.outcomes)
        weights = _weights(trained, release)
        assert all(np.isfinite(weight).all() for weight in weights.values())
    assert set(results) == set(STRANGE)
    assert results["no label at all"] == "nothing new"
    assert "promoted" in results.values() or "refused" in results.values()
    close(hasty)
    for answer in trained.predict("sentiment", ["", " ", "x" * 100_000, "\0", "很好" * 50_000]):
        probabilities = answer["probabilities"]
        assert isinstance(probabilities, dict)
        assert sum(float(str(value)) for value in probabilities.values()) == pytest.approx(1, abs=1e-5)
    with pytest.raises(UsageError, match="surrogate"):
        trained.predict("sentiment", ["half a character: \ud83d"])


def _weights(shop: OpenWorkspace, release: Release) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    from safetensors.numpy import load_file

    return load_file(shop.store.registry.load_file(release, "top.safetensors"))


def test_an_update_without_an_event_says_so(trained: OpenWorkspace) -> None:
    with pytest.raises(NotFound, match="nothing new") as nothing:
        trained.update("sentiment")
    assert "freshtune ingest" in nothing.value.mend


def test_without_a_live_release_an_update_says_what_to_do(shop: OpenWorkspace) -> None:
    shop.ingest(reviews(0, 80), REVIEW)
    with pytest.raises(NotFound, match="no live release") as nothing:
        shop.update("sentiment")
    assert "freshtune train sentiment" in nothing.value.mend


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "0 labelled"),
        (reviews(0, 40), "labelled examples"),
        ([row for row in reviews(0, 300) if row["label"] == "positive"], "from one label"),
    ],
    ids=["nothing", "too few", "one class"],
)
def test_too_little_for_a_first_release_is_refused_and_more_mends_it(
    shop: OpenWorkspace, rows: list[dict[str, Json]], words: str
) -> None:
    shop.ingest(rows, REVIEW)
    with pytest.raises(UsageError) as refused:
        shop.train("sentiment")
    assert words in str(refused.value)
    shop.ingest(reviews(40, HISTORY), REVIEW)
    release = shop.train("sentiment")
    assert release.range.upto == shop.store.events.head(), "what came since is learned too"
    assert release.verdict.promote, reasons(release)


def test_a_setting_that_cannot_work_is_refused_and_mended(shop: OpenWorkspace) -> None:
    shop.ingest(reviews(0, 300), REVIEW)
    for flags in (["model.max_tokens=64"], ["model.backbone=./nowhere/at-all"]):
        broken = front_door.open(shop.store.root, flags)
        with pytest.raises((ConfigurationError, NotFound)):
            broken.train("sentiment")
        close(broken)
    shop.ingest(reviews(300, HISTORY), REVIEW)
    release = shop.train("sentiment")
    assert release.range.upto == HISTORY
    assert release.verdict.promote, reasons(release)


def test_queries_that_all_fall_on_one_side_are_refused_in_words(shop: OpenWorkspace) -> None:
    one_query = [{**row, "text": "lamp for a small desk"} for row in graded(0, 120)]
    shop.ingest(one_query, GRADED)
    with pytest.raises(FreshtuneError) as refused:
        shop.train("relevance")
    assert "held" in str(refused.value) or "labelled" in str(refused.value)
    assert refused.value.mend


def test_served_answers_are_the_judged_ones(trained: OpenWorkspace) -> None:
    trained.ingest(reviews(500, 700), REVIEW)
    release = trained.update("sentiment")
    model = trained.model("sentiment", release.id)
    judged = {outcome.id: outcome for name in ("new", "old") for outcome in release.scorecards[name].outcomes}
    assert len(judged) > 100
    task = trained.settings.task("sentiment")
    with closing(trained.store.delta_index(dry=True)) as index:
        head = trained.store.events.head()
        examples = labelled_examples(trained.store.events, task, list(judged), head, index, ())
    for id_, outcome in judged.items():
        answer = model.head.answers(model.logits(inputs_of([examples[id_]])))
        assert answer.prediction[0] == outcome.prediction
        np.testing.assert_allclose(answer.probabilities[0], outcome.probabilities, atol=1e-2)


def test_after_a_rollback_the_next_update_starts_from_what_is_live(trained: OpenWorkspace) -> None:
    first = trained.release_of("sentiment")
    trained.ingest(reviews(500, 700), REVIEW)
    second = trained.update("sentiment")
    assert trained.store.registry.rollback("sentiment", second.id, "test", "a test").id == first
    trained.ingest(reviews(700, 900), REVIEW)
    third = trained.update("sentiment")
    assert third.parent == first
    assert (third.range.since, third.range.upto) == (700, 900), "what the rolled-back one learned is quarantined"
    assert third.verdict.promote, reasons(third)


def test_train_again_is_held_against_the_live_release(trained: OpenWorkspace) -> None:
    first = trained.release_of("sentiment")
    trained.ingest(reviews(500, 700), REVIEW)
    again = trained.train("sentiment")
    assert again.parent == first
    assert (again.range.since, again.range.upto) == (0, 700)
    assert {"champion/new", "champion/old", "tfidf/new"} <= set(again.scorecards)
    assert again.verdict.promote, reasons(again)
    with pytest.raises(NotFound):
        trained.update("sentiment")


def test_a_full_training_makes_a_trunk_of_its_own_and_updates_go_on_from_it(
    trained: OpenWorkspace, tmp_path: Path
) -> None:
    first = trained.release_of("sentiment")
    flags = ["learn.adapter={name='full'}", "learn.first.learning_rate=0.003"]
    whole = front_door.open(trained.store.root, flags)
    release = whole.train("sentiment")
    close(whole)
    assert release.trunk != trained.store.registry.summary(first).trunk
    assert release.verdict.promote, reasons(release)
    trained.ingest(reviews(500, 700), REVIEW)
    update = trained.update("sentiment")
    assert update.trunk == release.trunk
    assert update.parent == release.id
    trained.ingest(reviews(700, 860), REVIEW)
    below_the_cut = front_door.open(trained.store.root, ["learn.adapter={name='full'}"])
    with pytest.raises(ConfigurationError, match="cached trunk"):
        below_the_cut.update("sentiment")
    close(below_the_cut)


ABOVE_THE_TRUNK = [
    "model.cut=2",
    "model.taps=[0.5, 1.0]",
    "learn.adapter={name='head_only'}",
    "learn.average=[1.0]",
    "learn.memory.mix=50",
    "learn.first.epochs=30",
    "learn.fit.epochs=20",
    "judge.gate.max_old_loss=0.2",
]
"""Random features lose some of what is old where much is new; how much may be lost is the gate's tests' affair."""


@pytest.mark.parametrize("tuned", [0.0, 0.5], ids=["pretrained trunk", "tuned trunk"])
def test_a_head_alone_learns_above_the_whole_trunk(tmp_path: Path, tiny_backbone: Path, tuned: float) -> None:
    close(make_shop(tmp_path / "shop", tiny_backbone))
    trunk = [f"learn.trunk.share={tuned}", "learn.trunk.fit.epochs=4", "learn.trunk.fit.learning_rate=0.003"]
    made = front_door.open(tmp_path / "shop", [*ABOVE_THE_TRUNK, *trunk])
    made.ingest(reviews(0, HISTORY), REVIEW)
    first = made.train("sentiment")
    assert first.verdict.promote, reasons(first)
    made.ingest(reviews(HISTORY, HISTORY + DELTA), REVIEW)
    second = made.update("sentiment")
    assert second.verdict.promote, reasons(second)
    assert second.trunk == first.trunk, "whatever the trunk is, an update leaves it alone"
    good, bad = made.predict("sentiment", ["手机 很好 lovely，excellent", "shirt awful 讨厌，broken"])
    assert (good["label"], bad["label"]) == ("positive", "negative")
    weights = [_weights(made, release) for release in (first, second)]
    assert {name.partition(".")[0] for name in weights[0]} == {"head"}
    assert all((weights[0][name] == weights[1][name]).all() for name in ("head.mean", "head.spread"))
    assert made.store.registry.load_file(second, "top.onnx").stat().st_size < 2_000_000
    close(made)


def test_a_tuned_trunk_is_another_than_the_pretrained_one_and_the_same_each_time(
    tmp_path: Path, tiny_backbone: Path
) -> None:
    trunks = []
    for name, share in (("plain", 0.0), ("one", 0.5), ("two", 0.5)):
        close(make_shop(tmp_path / name, tiny_backbone))
        made = front_door.open(tmp_path / name, [*ABOVE_THE_TRUNK, f"learn.trunk.share={share}"])
        made.ingest(reviews(0, HISTORY), REVIEW)
        trunks.append(made.train("sentiment").trunk)
        close(made)
    assert trunks[0] != trunks[1] == trunks[2]


def test_one_update_at_a_time(trained: OpenWorkspace) -> None:
    trained.ingest(reviews(500, 600), REVIEW)
    with trained.store.registry.lock("sentiment"), pytest.raises(Locked, match="is being updated by process"):
        trained.update("sentiment")
    assert trained.update("sentiment").parent


def test_the_same_history_gives_the_same_weights(tmp_path: Path, tiny_backbone: Path) -> None:
    digests = []
    for name in ("one", "two"):
        made = make_shop(tmp_path / name, tiny_backbone)
        made.ingest(reviews(0, HISTORY), REVIEW)
        first = made.train("sentiment")
        made.ingest(reviews(500, 600), REVIEW)
        digests.append([release.artefacts["top.safetensors"] for release in (first, made.update("sentiment"))])
        close(made)
    assert digests[0] == digests[1]


def test_events_that_arrive_during_an_interrupted_run_wait_for_the_next(trained: OpenWorkspace) -> None:
    def stop(step: object) -> None:
        if getattr(step, "number", 0) == 5:
            raise KeyboardInterrupt

    eager = replace(trained.settings.learn.fit, checkpoint_seconds=0.0)
    settings = replace(trained.settings, learn=replace(trained.settings.learn, fit=eager))
    careful = OpenWorkspace(trained.store, settings)
    careful.ingest(reviews(500, 700), REVIEW)
    with pytest.raises(KeyboardInterrupt):
        careful.update("sentiment", Phases(on_step=stop))
    careful.ingest(reviews(700, 800), REVIEW)
    numbers: list[int] = []
    release = careful.update("sentiment", Phases(on_step=lambda step: numbers.append(step.number)))
    assert (release.range.since, release.range.upto) == (500, 700)
    assert numbers[0] == 5, "it goes on from the last checkpoint"
    rest = careful.update("sentiment")
    assert (rest.range.since, rest.range.upto) == (700, 800)
