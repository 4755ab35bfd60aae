"""How much is remembered beside what is new."""

from collections.abc import Callable, Sequence

from freshtune.strata import Standing, by_hash


def fair_sample(
    kept: Sequence[Standing], new: int, mix: float, max_mix: float, distance: Callable[[], float]
) -> tuple[Standing, ...]:
    """A fair sample of a memory, the same one each time.

    Not even over the strata but in the memory's own proportions: where much is remembered of a category, much can be
    forgotten of it.

    Args:
        new: number of new examples.
        mix, max_mix: remembered ones beside each, where the new ones are known already and where they are as far from
            it as can be; in between in proportion to ``distance``, which is not asked where ``max_mix`` is no larger.
    """
    share = mix if max_mix <= mix or not kept or not new else mix + (max_mix - mix) * min(max(distance(), 0.0), 1.0)
    return tuple(sorted(kept, key=by_hash)[: round(share * new)])
