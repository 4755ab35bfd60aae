"""``replay``."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from freshtune.cli.terminal import AsJson, command, line, note, say, table
from freshtune.errors import UsageError
from freshtune.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freshtune.records import Json
    from freshtune.replay.cell import Order
    from freshtune.replay.stream import Cutting, Stream

KNOWN = "frozen, naive, retrain, textbook-retrain, freshtune, lora-trainer, ewc, linear, tfidf-sgd"
"""As ``rivals.STRATEGIES`` has them; that import would make ``--help`` slow."""


def add_to(app: typer.Typer) -> None:
    """List the commands of this file."""
    app.command()(replay)


@command
def replay(
    file: Annotated[Path, typer.Argument(help="A recording: csv, jsonl or parquet, plain or gz.")],
    task: Annotated[str, typer.Option(help="The task that the labels are for.")],
    text: Annotated[str, typer.Option(help="Column of the text, or several with commas between.")],
    label: Annotated[str, typer.Option(help="Column of the label, or several with commas between.")],
    pair: Annotated[str | None, typer.Option(help="Column of the second text.")] = None,
    label_map: Annotated[
        str | None, typer.Option(help="Such as 1=negative,2=positive; 0, 1, … are the task's classes as they are.")
    ] = None,
    stream_by: Annotated[str | None, typer.Option(help="Column whose values arrive one after another.")] = None,
    base: Annotated[int, typer.Option(min=1, help="Values that are the history, in order of appearance.")] = 3,
    time: Annotated[str | None, typer.Option(help="Column of the time, instead of --stream-by.")] = None,
    increments: Annotated[int, typer.Option(min=1, help="Parts that the time after the history is cut into.")] = 5,
    history: Annotated[float, typer.Option(min=0.01, max=0.99, help="Share that is the history, with --time.")] = 0.4,
    limit: Annotated[int, typer.Option(min=1, help="Examples to learn of a part, at most.")] = 500,
    held_out: Annotated[float, typer.Option(min=0.01, max=0.99, help="Share of each part that only judges.")] = 0.3,
    judges: Annotated[int, typer.Option(min=1, help="Held-out examples of a part, at most.")] = 1_000,
    strategies: Annotated[
        str,
        typer.Option(
            help=f"With commas between: {KNOWN}; or recipes, such as mine.toml with tables [model], [learn], [judge], "
            "[ship], played as freshtune's loop under the file's name."
        ),
    ] = "frozen,freshtune",
    backbone: Annotated[str, typer.Option(help="Of all strategies.")] = "bundled:multilingual-e5-small",
    steps: Annotated[int, typer.Option(min=0, help="Increments to play; 0 plays all.")] = 0,
    dear_at: Annotated[
        str | None,
        typer.Option(help="Increments at which retrain and textbook-retrain are played, such as 3,7; else all."),
    ] = None,
    label_delay: Annotated[
        int,
        typer.Option(
            min=0,
            help="Increments by which labels come after their texts; till then a text is known without its label. "
            "Those of the last increments never come. Judging is not delayed.",
        ),
    ] = 0,
    unpadded: Annotated[
        bool,
        typer.Option(
            "--unpadded",
            help="naive and ewc leave out their padding: the same steps, sooner; their seconds are then too few.",
        ),
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the draw and of the training.")] = 0,
    threads: Annotated[int, typer.Option(min=0, help="Of each strategy; 0 takes every core.")] = 0,
    set_: Annotated[list[str] | None, typer.Option("--set", help="A setting of freshtune's own; may repeat.")] = None,
    folder: Annotated[Path, typer.Option(help="What is done already is found here again.")] = Path("replay"),
    report: Annotated[Path | None, typer.Option(help="The page of charts; FOLDER/report.html by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Play a recorded stream through rival strategies and compare them."""
    from freshtune.intake.mapping import ColumnMapping, parse_label_map
    from freshtune.learn.fit import threads as every_core
    from freshtune.replay.cell import Order
    from freshtune.replay.figures import figures
    from freshtune.replay.recording import read_recording
    from freshtune.replay.report import Replayed, write_report
    from freshtune.replay.run import replay as played
    from freshtune.replay.stream import Cutting, cut
    from freshtune.settings import settings_of

    of_task = settings_of({"tasks": {task: {}}}).task(task)
    recipes = _recipes(strategies, of_task.name, set_ or ())
    if (stream_by is None) == (time is None):
        raise UsageError("How does the stream arrive?", "", "Name a column with --stream-by or with --time, not both.")
    mapping = ColumnMapping(
        task=task, text=text, pair=pair, label=label,
        label_map=parse_label_map(label_map) if label_map else _by_place(task),
        category=stream_by, time=time,
    )  # fmt: skip
    how = Cutting(base, increments if time else 0, history, limit, held_out, judges, seed)
    stream = cut(read_recording(file, mapping, of_task), how)
    arriving = steps or len(stream.increments) - 1
    _check_delay(label_delay, arriving)
    order = Order(
        "", task, {}, backbone, 128, threads or every_core(), seed, held_out, tuple(set_ or ()), steps,
        label_delay=label_delay or None,
    )  # fmt: skip
    orders = _orders(order, recipes, _places(dear_at, len(stream.increments) - 1), unpadded)
    found = played(folder, stream, orders, note)
    metric = of_task.metrics[0]
    told = _told(stream, how) | {"label_delay": label_delay}
    document: dict[str, Any] = {"stream": told} | figures(found, metric)
    page = write_report(Replayed(document, metric, tuple(orders)), report or folder / "report.html")
    say(document | {"report": str(page)}, as_json, lambda: _print(document, metric))
    if not as_json:
        line(str(page))


def _orders(
    order: "Order", recipes: "Mapping[str, tuple[str, ...] | None]", dear: tuple[int, ...], unpadded: bool
) -> "list[Order]":
    """One a strategy; a recipe is freshtune's own loop with other settings."""
    from freshtune.rivals import DEAR, PADDED

    return [
        replace(order, strategy=name, at=dear if name in DEAR else (), unpadded=(unpadded and name in PADDED) or None)
        if recipe is None
        else replace(order, strategy="freshtune", called=name, recipe=recipe)
        for name, recipe in recipes.items()
    ]


def _recipes(strategies: str, task: str, flags: "Sequence[str]") -> "dict[str, tuple[str, ...] | None]":
    """What is to be played by name: None for a strategy, its settings for a recipe. Flags go over a recipe's own."""
    from freshtune.replay.recipes import SUFFIX, check_flags, read_recipe
    from freshtune.rivals import STRATEGIES

    check_flags(flags, task)
    named: dict[str, tuple[str, ...] | None] = {}
    for written in (each.strip() for each in strategies.split(",") if each.strip()):
        recipe = written.endswith(SUFFIX)
        name = Path(written).stem if recipe else written
        if not recipe and name not in STRATEGIES:
            raise UsageError(f"There is no strategy {name!r}.", did_you_mean(name, STRATEGIES), f"There are {KNOWN}.")
        if name in named or (recipe and name in STRATEGIES):
            raise UsageError(
                f"{name} would be played twice.",
                "Figures tell strategies apart by their names.",
                "Name each once; a recipe goes by its file.",
            )
        named[name] = (*read_recipe(Path(written), task), *flags) if recipe else None
    return named


def _check_delay(label_delay: int, increments: int) -> None:
    if label_delay >= increments:
        raise UsageError(
            f"--label-delay {label_delay} leaves nothing to learn.",
            f"{increments} increments are played, and no label would come before they end.",
            f"Take {increments - 1} at most.",
        )


def _by_place(task: str) -> dict[str, str]:
    """Numbers from 0 as the names of a task's classes in their order: recordings often hold them so."""
    from freshtune.model.heads.classes import Classes
    from freshtune.settings import settings_of

    head = settings_of({"tasks": {task: {}}}).task(task).head()
    return {str(place): name for place, name in enumerate(head.labels)} if isinstance(head, Classes) else {}


def _places(written: str | None, increments: int) -> tuple[int, ...]:
    """Numbers of increments, from 1, in order."""
    if written is None:
        return ()
    numbers = {int(each) if each.strip().isdecimal() else 0 for each in written.split(",")}
    if not numbers <= set(range(1, increments + 1)):
        raise UsageError(
            f"--dear-at {written} cannot be played.",
            f"The stream has {increments} increments, numbered from 1.",
            f"Write numbers with commas between, such as --dear-at {increments}.",
        )
    return tuple(sorted(numbers))


def _told(stream: "Stream", how: "Cutting") -> "dict[str, Json]":
    return {
        "digest": stream.digest,
        "seed": how.seed,
        "parts": [
            {"name": part.name, "learned": len(part.learned), "held_out": len(part.held_out)}
            for part in stream.increments
        ],
    }


HEADINGS = (
    "strategy", "fresh", "old", "final", "forgetting", "negative flips", "final, 95 %", "s an update", "bytes",
)  # fmt: skip


def _print(document: dict[str, Any], metric: str) -> None:
    stream = document["stream"]
    late = f", labels {stream['label_delay']} late" if stream["label_delay"] else ""
    line(f"{metric} on {len(stream['parts'])} parts{late}")
    rows = [_row(name, each) for name, each in document["strategies"].items()]
    table({name: "right" if name != "strategy" else "left" for name in HEADINGS}, rows)
    for name, value in document["ratios"].items():
        if value is not None:
            line(f"{name.replace('_', ' ')}: {value:.2f}")


def _row(name: str, figures: dict[str, Any]) -> list[str]:
    shown = [figures[key] for key in ("fresh", "old", "final", "forgetting", "negative_flips")]
    final, seconds = figures["intervals"]["final"], figures["update_seconds"]
    return [
        f"{name} (extrapolated)" if figures["extrapolated"] else name,
        *("–" if value is None else f"{value:.4f}" for value in shown),
        "–" if final is None else f"{final[0]:.4f} – {final[1]:.4f}",
        f"{sum(seconds) / len(seconds):.1f}" if seconds else "–",
        f"{figures['delta_bytes']:,.0f}",
    ]
