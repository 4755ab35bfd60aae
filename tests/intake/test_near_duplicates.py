"""Near-duplicates against brute force, the recall of the bands, clusters that last, bounded buckets."""

import csv
import gzip
import os
import random
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freshtune.intake.held_out import bucket
from freshtune.intake.minhash import GRAM, fingerprints, near
from freshtune.intake.near_duplicates import BUCKET_LIMIT, Content, NearDuplicates
from freshtune.tasks.split_key import normalised

EXACT = settings(deadline=None, derandomize=True, max_examples=60)
CHINESE = [chr(0x4E00 + offset) for offset in range(3_000)]
ENGLISH = "abcdefghijklmnopqrstuvwxyz"


def jaccard(one: str, other: str) -> float:
    """The plain definition, on strings."""
    sets = [{t[i : i + GRAM] for i in range(len(t) - GRAM + 1)} if len(t) >= GRAM else {t + "\0"} for t in (one, other)]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def edited(text: str, edits: int, alphabet: list[str] | str, rng: random.Random) -> str:
    characters = list(text)
    for place in rng.sample(range(len(text)), edits):
        characters[place] = rng.choice(alphabet)
    return "".join(characters)


def pairs_at(length: int, alphabet: list[str] | str, count: int) -> list[tuple[str, str]]:
    """Pairs with a Jaccard index from .90 to .92: as hard as near-duplicates get."""
    rng = random.Random(length)
    pairs: list[tuple[str, str]] = []
    while len(pairs) < count:
        one = "".join(rng.choices(alphabet, k=length))
        other = edited(one, max(1, round(length * 0.0105)), alphabet, rng)
        if 0.9 <= jaccard(one, other) < 0.92:
            pairs.append((one, other))
    return pairs


@pytest.fixture
def index() -> Iterator[NearDuplicates]:
    connection = apsw.Connection(":memory:")
    yield NearDuplicates(connection)
    connection.close()


def test_recall_at_jaccard_nine_tenths_is_above_99_percent() -> None:
    pairs = [
        pair for length in (110, 200, 400) for letters in (CHINESE, ENGLISH) for pair in pairs_at(length, letters, 400)
    ]
    ones, others = (fingerprints([(text, None) for text in side], 1) for side in zip(*pairs, strict=True))
    met = sum(not set(a.bands.tolist()).isdisjoint(b.bands.tolist()) for a, b in zip(ones, others, strict=True))
    assert all(near(a.grams, b.grams) for a, b in zip(ones, others, strict=True))
    assert met / len(pairs) >= 0.99


def test_different_texts_seldom_meet() -> None:
    rng = random.Random(3)
    words = ["".join(rng.choices(ENGLISH, k=5)) for _ in range(60)]
    texts = ["".join(rng.choices(words, k=12)) for _ in range(500)]
    prints = fingerprints([(text, None) for text in texts], 1)
    meeting = sum(
        not set(a.bands.tolist()).isdisjoint(b.bands.tolist())
        for place, a in enumerate(prints)
        for b in prints[place + 1 :]
    )
    assert meeting / (500 * 499 / 2) < 0.005


@EXACT
@given(st.text("ab好\U0001f600\ud800", max_size=40), st.text("ab好\U0001f600\ud800", max_size=40))
def test_near_is_the_definition(one: str, other: str) -> None:
    prints = fingerprints([(one, None), (other, None)], 0)
    assert near(prints[0].grams, prints[1].grams) == (jaccard(one, other) >= 0.9)
    assert near(prints[0].grams, prints[0].grams)


@EXACT
@given(st.lists(st.text("abc好", max_size=12), min_size=1, max_size=8))
def test_a_fingerprint_does_not_depend_on_its_batch(texts: list[str]) -> None:
    together = fingerprints([(text, text) for text in texts], 5)
    for text, found in zip(texts, together, strict=True):
        alone = fingerprints([(text, text)], 5)[0]
        assert alone.grams.tolist() == found.grams.tolist()
        assert alone.bands.tolist() == found.bands.tolist()


def test_short_texts_are_only_exactly_equal(index: NearDuplicates) -> None:
    places = index.place("t", [Content(text) for text in ("好评", "好评好", "差", "", "好评", "abcd", "abcde")])
    assert [place.how for place in places] == ["first"] * 4 + ["exact"] + ["first"] * 2
    assert places[0].cluster == places[4].cluster


def test_near_texts_share_the_founders_cluster_and_bucket(index: NearDuplicates) -> None:
    (one, other), (third, _) = pairs_at(200, CHINESE, 2)
    places = index.place("t", [Content(one), Content(other), Content(third), Content(other)])
    assert [place.how for place in places] == ["first", "near", "first", "exact"]
    assert {places[0].cluster, places[2].cluster} != {places[0].cluster}
    assert [place.bucket for place in places] == [bucket(one), bucket(one), bucket(third), bucket(one)]


def test_a_place_lasts_whatever_comes_later(index: NearDuplicates) -> None:
    pairs = pairs_at(120, CHINESE, 40)
    first = index.place("t", [Content(other) for _, other in pairs])
    index.place("t", [Content(one) for one, _ in pairs])
    assert [(p.cluster, p.bucket) for p in index.place("t", [Content(other) for _, other in pairs])] == [
        (p.cluster, p.bucket) for p in first
    ]


def test_a_chunk_is_placed_as_its_texts_one_by_one(index: NearDuplicates) -> None:
    texts = [Content(text) for pair in pairs_at(120, ENGLISH, 30) for text in (*pair, pair[0])]
    together = index.place("t", texts)
    singly = NearDuplicates(connection := apsw.Connection(":memory:"))
    assert [singly.place("t", [text])[0] for text in texts] == together
    connection.close()


def test_founders_do_not_chain_and_kept_keys_do(index: NearDuplicates) -> None:
    rng = random.Random(11)
    chain = ["".join(rng.choices(CHINESE, k=300))]
    for place in range(20, 260, 20):  # each differs from the one before in one character, from the first in ever more
        chain.append(chain[-1][:place] + "甲" + chain[-1][place + 1 :])
    contents = [Content(text) for text in chain]
    plain, chained = index.place("t", contents), index.place("keys", contents, chained=True)
    founders = [text for text, place in zip(chain, plain, strict=True) if place.how == "first"]
    assert len(founders) > 1
    assert all(jaccard(a, b) < 0.9 for at, a in enumerate(founders) for b in founders[at + 1 :])
    assert len({place.cluster for place in chained}) == 1


def test_both_texts_of_a_pair_must_be_near(index: NearDuplicates) -> None:
    one, other = pairs_at(200, CHINESE, 1)[0]
    contents = [
        Content("红米手机", one),
        Content("红米手机", other),
        Content("红米平板", one),
        Content(one),
        Content(one, "红米手机"),
    ]
    assert [place.how for place in index.place("t", contents)] == ["first", "near", "first", "first", "first"]


def test_spaces_are_apart_and_one_can_be_forgotten(index: NearDuplicates) -> None:
    text = [Content("质量很好，下次还会再来买的")]
    one, other = index.place("one", text)[0], index.place("other", text)[0]
    assert (one.how, other.how) == ("first", "first")
    assert one.cluster != other.cluster
    index.forget("one")
    assert index.place("one", text)[0].how == "first"
    assert index.place("other", text)[0].how == "exact"


def test_boilerplate_fills_a_bucket_and_no_more() -> None:
    connection = apsw.Connection(":memory:")
    index = NearDuplicates(connection)
    shared = "".join(random.Random(5).choices(CHINESE, k=120))
    texts = [Content(shared + "".join(random.Random(n).choices(CHINESE, k=16))) for n in range(400)]
    index.place("t", texts)
    largest = connection.execute("SELECT max(n) FROM (SELECT count(*) AS n FROM bands GROUP BY band)").get
    connection.close()
    assert largest == BUCKET_LIMIT


def test_real_sized_texts_are_found_among_others(index: NearDuplicates) -> None:
    pairs = pairs_at(150, CHINESE, 200)
    rng = random.Random(1)
    others = ["".join(rng.choices(CHINESE, k=60)) for _ in range(500)]
    index.place("t", [Content(text) for text in [one for one, _ in pairs] + others])
    found = index.place("t", [Content(other) for _, other in pairs])
    assert sum(place.how == "near" for place in found) >= 0.99 * len(pairs)
    assert sum(place.how == "exact" for place in index.place("t", [Content(text) for text in others])) == len(others)


def by_brute_force(texts: list[str]) -> list[str]:
    """Each text against every founder that shares a gram with it."""
    founders: list[set[str]] = []
    holders: dict[str, list[int]] = {}
    found = []
    for text in texts:
        grams = {text[i : i + GRAM] for i in range(len(text) - GRAM + 1)} if len(text) >= GRAM else {text + "\0"}
        shared = Counter(holder for gram in grams for holder in holders.get(gram, ()))
        if any(10 * n >= 9 * (len(grams) + len(founders[holder]) - n) for holder, n in shared.items()):
            found.append("near")
            continue
        found.append("first")
        for gram in grams:
            holders.setdefault(gram, []).append(len(founders))
        founders.append(grams)
    return found


@pytest.mark.parametrize(
    ("name", "column"),
    [("zh_online_shopping_10cats/reviews.csv.gz", "review"), ("amazon_2018_small5core/reviews.csv.gz", "reviewText")],
)
def test_real_reviews_are_placed_as_brute_force_places_them(index: NearDuplicates, name: str, column: str) -> None:
    path = Path(os.environ.get("FRESHTUNE_DATA", "../shared/data")) / name
    if not path.exists():
        pytest.skip(f"no {name}")
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
        texts = [normalised(row[column]) for row in islice(csv.DictReader(file), 6_000)]
    distinct = list(dict.fromkeys(text for text in texts if text))
    wanted = by_brute_force(distinct)
    assert 1 < wanted.count("near") < 100
    assert [place.how for place in index.place("t", [Content(text) for text in distinct])] == wanted
