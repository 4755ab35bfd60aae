"""Are poisoned deltas refused and clean ones from new domains accepted?

A champion that has seen three product categories judges deltas of 500 reviews from the others: clean, with flips of all
labels, and with flips of one class only. ``measure`` takes the champion and the features from a function, so that the
same can be asked of any encoder.
"""

import csv
import gzip
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from freshtune import front_door
from freshtune.cycle.champion import bundle_of, trunk_cache
from freshtune.cycle.lessons import text_vectors
from freshtune.intake.mapping import ColumnMapping
from freshtune.judge.baselines import TfIdf
from freshtune.judge.label_test import LabelTest, examine_labels
from freshtune.model.answers import Answers
from freshtune.model.heads.classes import Classes
from freshtune.model.predictor import Input
from freshtune.records import Example

HEAD = Classes(("negative", "positive"))
DELTA = 500
SMALL_DELTAS = (60, 80, 100, 200)
POOL = 2_000
"""Reviews of a category that deltas are drawn from."""
Reviews = Mapping[str, list[tuple[str, int]]]
FLIPS = (
    ("both", 0.0),
    ("both", 0.2),
    ("both", 0.3),
    ("both", 0.4),
    ("positive", 0.2),
    ("positive", 0.4),
    ("negative", 0.4),
)
FLIPS_OF_SMALL = (("both", 0.0), ("both", 0.2), ("both", 0.3), ("both", 0.5))


class Encoder(NamedTuple):
    """A champion's answers and label-free features ``[n, width]`` of texts."""

    answers: Callable[[Sequence[str]], Answers]
    features: Callable[[Sequence[str]], NDArray[np.float32]]


def read_reviews(path: Path, seed: int = 0) -> Reviews:
    """Reviews by category in order of first appearance, shuffled within each."""
    found: dict[str, list[tuple[str, int]]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as lines:
        for row in csv.DictReader(lines):
            if row["review"].strip():
                found[row["cat"]].append((row["review"], int(row["label"])))
    random = np.random.default_rng(seed)
    return {name: [rows[place] for place in random.permutation(len(rows))] for name, rows in found.items()}


def examples(rows: Sequence[tuple[str, int]], category: str) -> list[Example]:
    """Reviews as labelled examples of sentiment."""
    return [
        Example(f"{category}-{number}", "sentiment", text, label=HEAD.labels[label], category=category)
        for number, (text, label) in enumerate(rows)
    ]


@contextmanager
def tfidf_encoder(base: Sequence[Example]) -> Iterator[Encoder]:
    """A cheap stand-in: TF-IDF as the champion, 100 singular directions of its base texts as features."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    champion = TfIdf.fit(base, HEAD)
    counts = TfidfVectorizer(analyzer="char", ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    directions = TruncatedSVD(100, random_state=0).fit(counts.fit_transform([example.text for example in base]))
    yield Encoder(
        lambda texts: HEAD.answers(champion.logits([Input(text) for text in texts])),
        lambda texts: directions.transform(counts.transform(texts)).astype(np.float32),
    )


@contextmanager
def released_encoder(base: Sequence[Example]) -> Iterator[Encoder]:
    """The real thing: a first release of the default backbone, its served answers, what its trunk says of a text."""
    mapping = ColumnMapping(task="sentiment", id="id", text="text", label="label", category="category")
    with tempfile.TemporaryDirectory() as name:
        front_door.create(name, ["sentiment"])
        shop = front_door.open(name, ["model.max_tokens=64"])
        shop.ingest(
            ({"id": row.id, "text": row.text, "label": str(row.label), "category": row.category} for row in base),
            mapping,
        )
        release = shop.train("sentiment")
        task, model = shop.settings.task("sentiment"), shop.settings.model
        with closing(shop.store.registry), trunk_cache(shop.store, task, model) as cache:
            bundle = bundle_of(shop.store, release, model, cache)

            def hidden(texts: Sequence[str]) -> list[NDArray[np.float32]]:
                return bundle.cached.hidden(bundle.tokens.encode([Input(text) for text in texts]))

            yield Encoder(
                lambda texts: bundle.head.answers(bundle.predictor().logits_above(hidden(texts))),
                lambda texts: text_vectors(bundle.facts, hidden(texts)),
            )


def flipped(labels: NDArray[np.int64], which: str, share: float, seed: int) -> NDArray[np.int64]:
    """Flip a share of all labels, or of those of one class."""
    among = np.arange(len(labels)) if which == "both" else np.flatnonzero(labels == HEAD.labels.index(which))
    chosen = np.random.default_rng(1_000 + seed).choice(among, int(share * len(among)), replace=False)
    result = labels.copy()
    result[chosen] = 1 - result[chosen]
    return result


def measure(
    reviews: Reviews, make: Callable[[Sequence[Example]], AbstractContextManager[Encoder]], seeds: int
) -> dict[str, object]:
    """Share of refused deltas for each kind of flip and category, with and without features.

    Args:
        make: the encoder of a champion that has seen these examples.
        seeds: deltas of each kind and category.
    """
    names = list(reviews)
    told: dict[str, object] = {"delta": DELTA, "seeds": seeds}
    accuracy: dict[str, float] = {}
    refused: dict[str, dict[str, float]] = {}
    small: dict[str, list[bool]] = {}
    with make([example for name in names[:3] for example in examples(reviews[name][:DELTA], name)]) as encoder:
        for name in names[3:]:
            rows = reviews[name][:POOL]
            texts, labels = [text for text, _ in rows], np.array([label for _, label in rows])
            answers, features = encoder.answers(texts), encoder.features(texts)
            accuracy[name] = round(float((answers.prediction == labels).mean()), 4)
            for kind, votes in _votes(texts, labels, answers, features, seeds):
                refused.setdefault(kind, {})[name] = sum(votes) / seeds
            for kind, votes in _votes_on_small(texts, labels, answers, features, seeds):
                small.setdefault(kind, []).extend(votes)
    told["champion_accuracy"] = accuracy
    told["refused_of_small_deltas"] = {kind: round(float(np.mean(votes)), 4) for kind, votes in small.items()}
    told["refused"] = {
        kind: {**of, "mean": round(float(np.mean(list(of.values()))), 4)} for kind, of in refused.items()
    }
    return told


def _votes(
    texts: Sequence[str], labels: NDArray[np.int64], answers: Answers, features: NDArray[np.float32], seeds: int
) -> Iterator[tuple[str, list[bool]]]:
    """For each kind of flip, with and without features: whether each seed's delta is refused."""
    for witnesses, given in (("two witnesses", features), ("champion alone", None)):
        for which, share in FLIPS:
            votes = [_refuses(texts, labels, answers, given, (which, share, seed), DELTA) for seed in range(seeds)]
            yield f"{witnesses}, {which} {share:.0%}", votes


def _votes_on_small(
    texts: Sequence[str], labels: NDArray[np.int64], answers: Answers, features: NDArray[np.float32], seeds: int
) -> Iterator[tuple[str, list[bool]]]:
    """For each size and share of flips: whether each seed's delta is refused."""
    for size in SMALL_DELTAS:
        for which, share in FLIPS_OF_SMALL:
            votes = [_refuses(texts, labels, answers, features, (which, share, seed), size) for seed in range(seeds)]
            yield f"{size} labels, {share:.0%} flipped", votes


def _refuses(
    texts: Sequence[str],
    labels: NDArray[np.int64],
    answers: Answers,
    features: NDArray[np.float32] | None,
    flips: tuple[str, float, int],
    size: int,
) -> bool:
    which, share, seed = flips
    rows = np.random.default_rng(seed).choice(len(texts), min(size, len(texts)), replace=False)
    given = flipped(labels[rows], which, share, seed)
    delta = examples([(texts[row], int(label)) for row, label in zip(rows, given, strict=True)], "delta")
    part = Answers(answers.prediction[rows], answers.score[rows], answers.probabilities[rows])
    return not examine_labels(delta, HEAD, part, None if features is None else features[rows], LabelTest()).passed
