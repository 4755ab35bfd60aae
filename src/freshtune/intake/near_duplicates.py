"""Which texts are the same text: a persistent index that puts each text into its cluster of duplicates, for good.

Equal means equal after normalisation; near means a Jaccard index of at least .9 on character 5-grams, of both texts
where there are two. Candidates come from MinHash bands, and every one of them is verified. A cluster is its founder and
what is near the founder: near-duplicates of near-duplicates do not chain, so that no two founders are near each other.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Literal, NamedTuple

import apsw
import numpy as np

from freshtune.intake.held_out import bucket
from freshtune.intake.minhash import BANDS, Fingerprint, Grams, fingerprints, near

CHARACTERS = 500_000
"""Characters that are fingerprinted at once: some 40 MB of arrays."""

BUCKET_LIMIT = 32
"""Texts kept in a band's bucket; boilerplate fills it, and costs no more after that."""

CANDIDATES = 32
"""Candidates verified for one text, those that share most bands first."""

How = Literal["first", "exact", "near"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS texts (
  id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, space TEXT NOT NULL, cluster INTEGER NOT NULL,
  bucket INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS grams (text INTEGER PRIMARY KEY, grams BLOB NOT NULL, pair_grams BLOB);
CREATE TABLE IF NOT EXISTS bands (band INTEGER NOT NULL, text INTEGER NOT NULL, PRIMARY KEY (band, text)) WITHOUT ROWID;
"""


_MEETING = f"SELECT band, text FROM bands WHERE band IN ({', '.join('?' * BANDS)})"  # noqa: S608
_CANDIDATE = "SELECT cluster, bucket, grams, pair_grams FROM texts JOIN grams ON text = id WHERE id = ?"


class Content(NamedTuple):
    """What is compared: one normalised text or two."""

    text: str
    pair: str | None = None


class Place(NamedTuple):
    """Where a text belongs.

    Attributes:
        cluster: id of its cluster.
        bucket: held-out bucket of the text that founded the cluster.
        how: founder, equal to an earlier text, or near one.
    """

    cluster: int
    bucket: int
    how: How


class NearDuplicates:
    """Clusters of texts in an SQLite database; the caller holds the transaction.

    Args:
        connection: where the tables are, made if they are missing.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._db = connection
        connection.execute(_SCHEMA)

    def place(self, space: str, contents: Sequence[Content], chained: bool = False) -> list[Place]:
        """Put texts into clusters, in the order given; a text that is known keeps its place.

        Args:
            space: what is compared with what, such as a task's name.
            contents: what to place.
            chained: near-duplicates of near-duplicates belong too: for texts that are all kept, not only their founder.
        """
        keys = [_key(space, content) for content in contents]
        placed = {key: place for key in dict.fromkeys(keys) if (place := self._known(key))}
        fresh = {key: content for key, content in zip(keys, contents, strict=True) if key not in placed}
        for batch in _batches([_New(key, content) for key, content in fresh.items()]):
            for new, fingerprint in zip(batch, fingerprints([new.content for new in batch], _seed(space)), strict=True):
                placed[new.key] = self._add(space, new, fingerprint, chained)
        places = []
        for key in keys:
            places.append(placed[key])
            placed[key] = placed[key]._replace(how="exact")
        return places

    def forget(self, space: str) -> None:
        """Drop every text of a space."""
        for table in ("bands", "grams"):
            self._db.execute(f"DELETE FROM {table} WHERE text IN (SELECT id FROM texts WHERE space = ?)", (space,))  # noqa: S608
        self._db.execute("DELETE FROM texts WHERE space = ?", (space,))

    def _known(self, key: bytes) -> Place | None:
        row = self._db.execute("SELECT cluster, bucket FROM texts WHERE key = ?", (key,)).fetchone()
        return Place(row[0], row[1], "exact") if row else None

    def _add(self, space: str, new: "_New", fingerprint: Fingerprint, chained: bool) -> Place:
        bands: list[int] = fingerprint.bands.tolist()
        met: list[tuple[int, int]] = [(int(b), int(t)) for b, t in self._db.execute(_MEETING, bands)]
        home = self._near([int(text) for _, text in met], fingerprint)
        place = home or Place(self._next_id(), bucket(new.content.text), "first")
        self._db.execute(
            "INSERT INTO texts (key, space, cluster, bucket) VALUES (?, ?, ?, ?)",
            (new.key, space, place.cluster, place.bucket),
        )
        if chained or not home:
            text = self._db.last_insert_rowid()
            pair_grams = None if fingerprint.pair_grams is None else fingerprint.pair_grams.tobytes()
            self._db.execute("INSERT INTO grams VALUES (?, ?, ?)", (text, fingerprint.grams.tobytes(), pair_grams))
            crowd = Counter(band for band, _ in met)
            roomy = [(band, text) for band in dict.fromkeys(bands) if crowd[band] < BUCKET_LIMIT]
            self._db.executemany("INSERT INTO bands VALUES (?, ?)", roomy)
        return place

    def _near(self, met: list[int], fingerprint: Fingerprint) -> Place | None:
        """The cluster of the first candidate that really is near; ``met`` names a text once a shared band."""
        shared = Counter(met)
        for text in sorted(shared, key=lambda text: (-shared[text], text))[:CANDIDATES]:
            for cluster, founder_bucket, grams, pair_grams in self._db.execute(_CANDIDATE, (text,)):
                if near(fingerprint.grams, _read(grams)) and near(fingerprint.pair_grams, _read(pair_grams)):
                    return Place(cluster, founder_bucket, "near")
        return None

    def _next_id(self) -> int:
        return int(self._db.execute("SELECT coalesce(max(id), 0) + 1 FROM texts").get)


class _New(NamedTuple):
    key: bytes
    content: Content


def _key(space: str, content: Content) -> bytes:
    parts = json.dumps([space, *content]).encode()
    return blake2b(parts, digest_size=16).digest()


def _read(blob: bytes | None) -> Grams | None:
    return None if blob is None else np.frombuffer(blob, np.uint32)


def _seed(space: str) -> int:
    return int.from_bytes(blake2b(space.encode(), digest_size=7).digest(), "big")


def _batches(new: Sequence[_New]) -> Iterator[list[_New]]:
    """Cut by characters, so that memory does not grow with length; one with and one without pair never meet."""
    batch: list[_New] = []
    held = 0
    for one in new:
        size = len(one.content.text) + len(one.content.pair or "")
        if batch and (held + size > CHARACTERS or (one.content.pair is None) != (batch[0].content.pair is None)):
            yield batch
            batch, held = [], 0
        batch.append(one)
        held += size
    if batch:
        yield batch
