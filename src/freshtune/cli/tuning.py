"""``tune``."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from freshtune.cli.learning import Task
from freshtune.cli.terminal import THE_ANSWER_IS_NO, AsJson, Flags, Root, command, line, note, say, table

if TYPE_CHECKING:
    from freshtune.tune import Trial, Tuning

_SHOWN = 10
"""Trials of the table, the best ones."""


def add_to(app: typer.Typer) -> None:
    """List the commands of this file."""
    app.command()(tune)


@command
def tune(
    task: Task,
    workspace: Root = ".",
    minutes: Annotated[float | None, typer.Option(help="Of the clock; 20 where --trials is not given either.")] = None,
    trials: Annotated[int | None, typer.Option(help="Recipes to try, at most.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the search.")] = 0,
    set_: Flags = None,
    as_json: AsJson = False,
) -> None:
    """Search for a recipe that learns this task's deltas better, judged on training data alone; exits with 3 if none.

    It goes into tuned.toml, which wins over freshtune.toml for this task.
    """
    import freshtune
    from freshtune.cli.learning import let_others_go_first
    from freshtune.cli.progress import progress
    from freshtune.tune import Limits

    shop = freshtune.open(workspace, set_ or ())
    let_others_go_first(shop.settings.model.nice)
    limits = Limits(20.0 if minutes is None and trials is None else minutes, trials)
    shown = _Shown()
    with progress() as phases:
        found = shop.tune(task, limits, seed, phases, shown.trial)
    say(_document(found), as_json, lambda: _told(found))
    if found.written is None:
        note(f"→ The recipe stays as it is: {_why(found)}")
        raise typer.Exit(THE_ANSWER_IS_NO)
    note(f"→ {found.written} is written: the next update of {found.task} learns by it. Delete it to go back.")


class _Shown:
    """A line on stderr for each trial."""

    def __init__(self) -> None:
        self._best = float("-inf")

    def trial(self, each: "Trial") -> None:
        if each.state == "complete":
            self._best = max(self._best, each.value)
        told = f"{each.value:.4f}" if each.state == "complete" else f"stopped after {each.steps}"
        note(f"trial {each.number}: {told} · best {self._best:.4f} · {each.seconds:.1f} s")


def _why(found: "Tuning") -> str:
    compared = found.comparison
    if compared is None:
        return "no trial had a higher value than it has."
    return (
        f"on what the search had not looked at, the best trial's value differs by {100 * compared.gain:+.2f} points, "
        f"with a standard error of {100 * compared.error:.2f}; more than that is needed."
    )


def _document(found: "Tuning") -> dict[str, Any]:
    from dataclasses import asdict

    document = asdict(found) | {"better": found.written is not None}
    for key in ("written", "picture"):
        document[key] = None if document[key] is None else str(document[key])
    return document


def _told(found: "Tuning") -> None:
    """The best trials, what mattered, and what the untouched part said."""
    names = list(found.mattered)[:6] or list(found.best.params)[:6]
    numbers = ("value", f"fresh {found.metric}", "old", "seconds")
    headings = {"trial": "right", **dict.fromkeys(numbers, "right"), **dict.fromkeys(names, "left")}
    whole = sorted((each for each in found.trials if each.state == "complete"), key=lambda each: -each.value)
    table(headings, [_row(each, names) for each in whole[:_SHOWN]])
    stopped = len(found.trials) - len(whole)
    new, old = found.judges["search"]
    line(f"{len(found.trials)} trials, {stopped} of them stopped early; judged by {new} new and {old} old examples")
    if found.mattered:
        line("what mattered: " + " · ".join(f"{name} {share:.0%}" for name, share in list(found.mattered.items())[:8]))
    if compared := found.comparison:
        new, old = found.judges["confirm"]
        rows = [
            [name, f"{score.value:.4f}", f"{score.shown[0]:.4f}", f"{score.shown[1]:.4f}"]
            for name, score in (("as it is", compared.current), (f"trial {found.best.number}", compared.best))
        ]
        line(f"on {new} new and {old} old examples that the search had not looked at:")
        table({"recipe": "left", "value": "right", f"fresh {found.metric}": "right", "old": "right"}, rows)
        line(f"gain {100 * compared.gain:+.2f} points, standard error {100 * compared.error:.2f}")
    line(f"picture {found.picture}")


def _row(each: "Trial", names: list[str]) -> list[str]:
    values = (each.params[name] for name in names)
    told = [f"{value:.3g}" if isinstance(value, float) else str(value) for value in values]
    return [str(each.number), f"{each.value:.4f}", f"{each.fresh:.4f}", f"{each.old:.4f}", f"{each.seconds:.1f}", *told]
