"""What is said of a ranking beside its numbers: where most queries have nothing to rank, nDCG is 1 by construction."""

import pytest

from freshtune.cli.evaluations import silent_queries_told
from freshtune.records import Outcome


def outcome(group: str, grade: float) -> Outcome:
    return Outcome(f"{group} {grade}", grade, grade, grade, (), group)


@pytest.mark.parametrize(
    ("queries", "words"),
    [
        ({"a": [1], "b": [2, 2], "c": [0, 1]}, "2 of 3"),
        ({"a": [1]}, "1 of 1"),
        ({"a": [0, 1], "b": [1]}, ""),  # a half is not most of them
        ({"a": [0, 1]}, ""),
        ({"": [1, 1]}, ""),  # no task of queries
        ({}, ""),
    ],
)
def test_queries_that_say_nothing_are_told_where_they_are_most(
    queries: dict[str, list[float]], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    silent_queries_told([outcome(query, grade) for query, grades in queries.items() for grade in grades])
    captured = capsys.readouterr()
    said = f"! {words} queries have one title or equal grades: nDCG says nothing of them.\n"
    assert (captured.out, captured.err) == ("", said if words else "")
