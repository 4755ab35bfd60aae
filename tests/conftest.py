"""What every test shares: one thread, the same random numbers, where real data lies, what a missing server means."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

# Two threads that wait for each other on a busy machine turn an 8 ms forward into seconds. Read when torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("FRESHTUNE_PRECISION", "fp32")  # the same laws on CPUs with bf16 and without

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]

settings.register_profile("freshtune", deadline=None, derandomize=True, database=None)
settings.load_profile("freshtune")


@pytest.fixture(autouse=True)
def _keeps_its_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that runs inside the tests' own process would lower it for all that come after."""
    monkeypatch.setattr(os, "nice", lambda _: 0, raising=False)


@pytest.fixture
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What freshtune keeps for the whole machine is kept for this run of the tests."""
    monkeypatch.setenv("FRESHTUNE_CACHE", str(tmp_path_factory.getbasetemp() / "freshtune-cache"))


@pytest.fixture(scope="module")
def tiny_backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a network small enough for tests."""
    from tests.small_shop import backbone

    return backbone(tmp_path_factory.mktemp("backbone"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data; the test is skipped where it is absent."""
    folder = Path(os.environ.get("FRESHTUNE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set FRESHTUNE_DATA")
    return folder


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Find a program that a test needs: skipped where it is missing, failed when that happens in CI."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None and os.environ.get("CI"):
            pytest.fail(f"{name} is missing in CI: install it in .ci/run")
        if path is None:
            pytest.skip(f"{name} is not installed")
        return path

    return find
