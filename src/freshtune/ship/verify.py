"""Read every stored byte again and say what is not as it was published."""

from dataclasses import dataclass
from pathlib import Path

import orjson

from freshtune.errors import FreshtuneError, IntegrityError
from freshtune.ship.changes import CHANGE, top_weights
from freshtune.ship.registry import Registry
from freshtune.ship.release_rows import MANIFEST


@dataclass(frozen=True, slots=True)
class Damage:
    """One file of one release that is not what it should be."""

    release: str
    name: str
    digest: str
    problem: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was read and what was wrong with it.

    Attributes:
        releases: how many were looked at.
        artefacts: how many different files were hashed.
        size: their bytes.
        damaged: every file that is not whole; empty when all is well.
    """

    releases: int
    artefacts: int
    size: int
    damaged: tuple[Damage, ...]

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.damaged


def verify(registry: Registry, release: str | None = None) -> VerifyReport:
    """Hash the files of one release, or of all, again, and compare each manifest with the registry.

    Args:
        registry: where from.
        release: its id; None for all.

    Raises:
        NotFound: no such release.
    """
    chosen = None if release is None else registry.summary(release).id
    files = registry.stored_files(chosen)
    problems = {digest: _problem(registry, digest) for digest in dict.fromkeys(file.digest for file in files)}
    damaged = [
        Damage(file.release, file.name, file.digest, problem) for file in files if (problem := problems[file.digest])
    ]
    names: dict[str, dict[str, str]] = {}
    for file in files:
        names.setdefault(file.release, {})[file.name] = file.digest
    for identity, artefacts in names.items():
        damaged += _not_rebuilt(registry, identity, artefacts, problems)
        if MANIFEST not in artefacts or not problems[artefacts[MANIFEST]]:
            damaged += _against_manifest(registry, identity, artefacts)
    sizes = {file.digest: file.size for file in files}
    return VerifyReport(len(names), len(sizes), sum(sizes.values()), tuple(damaged))


def _not_rebuilt(registry: Registry, release: str, artefacts: dict[str, str], problems: dict[str, str]) -> list[Damage]:
    """Whether a release that is stored as a change no longer gives the weights that were judged."""
    digest = artefacts.get(CHANGE, "")
    if not digest or problems[digest]:
        return []
    try:
        top_weights(registry, release)
    except FreshtuneError as error:
        return [Damage(release, CHANGE, digest, f"{error.what} {error.why}".strip())]
    return []


def _problem(registry: Registry, digest: str) -> str:
    try:
        registry.artefacts.check(digest)
    except IntegrityError as error:
        return error.what
    return ""


def _against_manifest(registry: Registry, release: str, artefacts: dict[str, str]) -> list[Damage]:
    """Where the registry names other digests than the manifest; pruned files may be absent from the registry."""
    digest = artefacts.get(MANIFEST, "")
    if not digest:
        return [Damage(release, MANIFEST, digest, "the release has no manifest")]
    content = orjson.loads(Path(registry.artefacts.path(digest)).read_bytes())
    told = content["artefacts"] | {MANIFEST: digest}
    if content["id"] != release:
        return [Damage(release, MANIFEST, digest, f"the manifest is of {content['id']}")]
    wanted = set(artefacts) if registry.summary(release).pruned else set(told) | set(artefacts)
    return [
        Damage(release, name, artefacts.get(name, ""), "the registry and the manifest disagree")
        for name in sorted(wanted)
        if told.get(name) != artefacts.get(name)
    ]
