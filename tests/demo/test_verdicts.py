"""What the gate said, as the demo tells it."""

import pytest

from freshtune.demo.verdicts import CHINESE, Decision, decided, headline
from freshtune.records import Finding, Verdict

PASSED, HARM = Finding("a", True, {}, ""), Finding("b", False, {}, "")
DOUBT = Finding("c", False, {}, "", shown=False)


@pytest.mark.parametrize(
    ("findings", "decision"),
    [((PASSED,), "promoted"), ((PASSED, HARM), "refused"), ((HARM, DOUBT), "refused"), ((PASSED, DOUBT), "undecided")],
)
def test_only_shown_harm_refuses(findings: tuple[Finding, ...], decision: Decision) -> None:
    assert decided(Verdict(all(each.passed for each in findings), findings)) == decision
    assert CHINESE[decision]


@pytest.mark.parametrize(
    ("words", "cut"),
    [
        ("Worse on new: it fell by 0.5 points; it must not.", ("Worse on new", "it fell by 0.5 points; it must not.")),
        ("3% of 90 answers are now wrong; 2% may be.", ("3% of 90 answers are now wrong", "2% may be.")),
        ("Too slow.", ("Too slow", "")),
        ("", ("", "")),
    ],
)
def test_a_plain_line_comes_before_the_numbers(words: str, cut: tuple[str, str]) -> None:
    assert headline(words) == cut
