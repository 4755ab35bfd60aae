"""Options of ``train`` that change what a release is made from, and a student beside its teacher in a table."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from freshtune.cli.terminal import table

if TYPE_CHECKING:
    from freshtune.records import Release

Backbone = Annotated[
    str | None, typer.Option(help="What to begin from: bundled:NAME, a folder or a hub id; else model.backbone.")
]
Teacher = Annotated[
    str | None,
    typer.Option(help="Make a light student of this release, or of the live one: live. Small: bundled:bert-tiny."),
]
StudentLayers = Annotated[
    int | None, typer.Option(min=1, help="Keep so many layers of the backbone; the live release teaches unless named.")
]
Adapt = Annotated[
    bool, typer.Option("--adapt", help="Let the backbone read the shop's own texts first, see learn.adapt.")
]


def training_flags(backbone: str | None, teacher: str | None, layers: int | None, adapt: bool) -> list[str]:
    """The options as settings.

    >>> training_flags(None, None, 4, False)
    ['learn.student.teacher="live"', 'learn.student.layers=4']
    """
    flags = []
    if backbone is not None:
        flags.append(f"model.backbone={json.dumps(backbone)}")
    if teacher is not None or layers is not None:
        flags.append(f"learn.student.teacher={json.dumps(teacher or 'live')}")
    if layers is not None:
        flags.append(f"learn.student.layers={layers}")
    if adapt:
        flags.append("learn.adapt.on=true")
    return flags


def figures_of(release: "Release") -> dict[str, dict[str, float]]:
    """What a student and its teacher cost and score, by their names; empty for any other release.

    The names of the figures are ``bytes``, ``milliseconds_32``, ``accuracy_new`` and so on.
    """
    from freshtune.cycle.beside_teacher import RULE

    numbers = next((each.numbers for each in release.verdict.findings if each.rule == RULE), {})
    sides = ("student", "teacher") if numbers else ()
    return {
        side: {name.removeprefix(f"{side}_"): value for name, value in numbers.items() if name.startswith(f"{side}_")}
        for side in sides
    }


def figures_told(figures: Mapping[str, Mapping[str, float]]) -> None:
    """The same as a table on stdout."""
    names = list(figures["student"])
    rows = [[name.replace("_", " "), *(_shown(name, figures[side][name]) for side in figures)] for name in names]
    table({"a text on one thread": "left", **dict.fromkeys(figures, "right")}, rows)


def student_kept_back(release: "Release") -> str:
    """What to do with a student that the gate did not promote."""
    return (
        f"→ The gate keeps the live release: the student answers worse, or it cannot tell. If its speed and size are "
        f"worth that, promote it by hand: freshtune releases promote {release.id} --force --why …"
    )


def _shown(name: str, value: float) -> str:
    if name == "bytes":
        return f"{value:,.0f}"
    return f"{value:.2f}" if name.startswith("milliseconds") else f"{value:.4f}"
