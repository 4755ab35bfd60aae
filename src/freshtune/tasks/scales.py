"""Labels that are numbers of a scale."""

from freshtune.records import Json


def step_of(value: Json, lowest: int, highest: int, what: str = "rating") -> int:
    """A whole number inside the scale; ``"4"`` and ``4.0`` are read as 4.

    Raises:
        ValueError: it is none.

    >>> step_of("4", 1, 5), step_of(4.0, 1, 5)
    (4, 4)
    """
    number = _number(value, what)
    if number not in range(lowest, highest + 1):
        raise ValueError(f"{what} {value!r} is no whole number from {lowest} to {highest}")
    return int(number)


def grade_of(value: Json, lowest: float, highest: float, what: str = "grade") -> float:
    """A number inside the scale.

    Raises:
        ValueError: it is none.

    >>> grade_of("0.5", 0, 2)
    0.5
    """
    number = _number(value, what)
    if not lowest <= number <= highest:
        raise ValueError(f"{what} {value!r} is outside {lowest:g} to {highest:g}")
    return float(number)


def _number(value: Json, what: str) -> int | float:
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            raise ValueError(f"{what} {value!r} is not a number") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{what} {str(value)[:80]!r} is not a number")
    return value
