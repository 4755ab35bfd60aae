"""What is said after an update that was not promoted: where its data is, and the command that goes on."""

import pytest

from freshtune.cli.learning import next_step
from freshtune.records import Finding, LogRange, Release, Verdict
from tests.ship.drafts import CREATED


@pytest.mark.parametrize(
    ("since", "shown", "where", "command"),
    [
        (0, True, "Nothing is lost", "freshtune train rating"),
        (0, False, "Nothing is lost", "freshtune train rating"),
        (70, True, "Log 70–90 is in quarantine", "freshtune update rating --include 70:90"),
        (70, False, "Log 70–90 waits", "freshtune update rating"),
        (90, True, "Nothing is lost: the trunk that was live stays", "freshtune update rating goes on above it"),
    ],
)
def test_the_next_step_is_said(since: int, shown: bool, where: str, command: str) -> None:
    verdict = Verdict(False, (Finding("gain", False, {}, "No gain.", shown=shown),))
    release = Release("rating-1", "rating", None, "", "", LogRange(since, 90), "", CREATED, {}, verdict, {})
    said = next_step(release)
    assert said.startswith(f"→ {where}")
    assert said.endswith(command)
