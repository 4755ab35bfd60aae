"""Customer-service intents in the order in which they arrive: some from the start, the others group by group."""

import csv
import gzip
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.clinc_domains import INTENTS
from freshtune.records import Example, Json

DATA = Path(os.environ.get("FRESHTUNE_DATA", "../shared/data"))
FIRST_OF_BANKING, GROUPS_OF_BANKING = 40, 3
FIRST_DOMAINS = 3


@dataclass(frozen=True)
class Texts:
    """One side of a data set: ``(text, class)`` pairs."""

    rows: tuple[tuple[str, str], ...]

    def of(self, classes: Sequence[str], most: int = 0) -> Iterator[tuple[int, str, str]]:
        """Number, text and class of those of some classes; of each the first ``most``, all where it is 0."""
        seen = dict.fromkeys(classes, 0)
        for place, (text, name) in enumerate(self.rows):
            if name in seen:
                seen[name] += 1
                if not most or seen[name] <= most:
                    yield place, text, name

    def records(self, classes: Sequence[str], most: int = 0) -> list[dict[str, Json]]:
        """As events come in."""
        return [{"id": f"t{place}", "text": text, "label": name} for place, text, name in self.of(classes, most)]

    def examples(self, classes: Sequence[str], most: int = 0) -> list[Example]:
        """To judge by."""
        return [Example(f"j{place}", "intent", text, label=name) for place, text, name in self.of(classes, most)]


@dataclass(frozen=True)
class Arrivals:
    """A data set's two sides, and its classes in groups, the first of which is there from the start."""

    learned: Texts
    judging: Texts
    groups: tuple[tuple[str, ...], ...]


def banking77(seed: int) -> Arrivals:
    """77 intents of one bank in an order drawn by the seed: 40, then three groups of 12 or 13."""
    learned, judging = (_read("banking77", f"{side}.csv.gz") for side in ("train", "test"))
    names = np.random.default_rng(seed).permutation(sorted({row["category"] for row in learned})).tolist()
    later = np.array_split(np.asarray(names[FIRST_OF_BANKING:]), GROUPS_OF_BANKING)
    groups = (tuple(names[:FIRST_OF_BANKING]), *(tuple(part.tolist()) for part in later))
    sides = [Texts(tuple((row["text"], row["category"]) for row in rows)) for rows in (learned, judging)]
    return Arrivals(sides[0], sides[1], groups)


def clinc150(seed: int) -> Arrivals:
    """150 intents in ten domains in an order drawn by the seed: three domains, then one after another."""
    rows = _read("clinc150", "intents.csv.gz")
    order = np.random.default_rng(seed).permutation(sorted(INTENTS)).tolist()
    domains = [INTENTS[name] for name in order]
    sides = [
        Texts(tuple((row["text"], row["intent"]) for row in rows if row["split"] == side)) for side in ("train", "test")
    ]
    first = tuple(name for domain in domains[:FIRST_DOMAINS] for name in domain)
    return Arrivals(sides[0], sides[1], (first, *domains[FIRST_DOMAINS:]))


def _read(name: str, file: str) -> list[dict[str, str]]:
    with gzip.open(DATA / name / file, "rt", encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))
