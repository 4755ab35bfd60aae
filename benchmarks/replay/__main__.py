"""``python -m benchmarks.replay`` → ``benchmarks/replay/results/<stream>.json``: targets 1, 2, 3 and 10.

Recorded streams are played through rival strategies, each in a process of its own, with three seeds of the draw and of
the training. What was played before is found again, in ``cells`` beside the results; what lies there of other
strategies joins them. With ``--ablations`` freshtune is played without each of its ingredients too. ``--speed`` is a
measurement of its own: rivals in turn in one process, to ``results/speed.json``.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.replay.ablations import ABLATIONS, worth
from benchmarks.replay.kept import keep, kept
from benchmarks.replay.speed import RIVALS, in_turns, to_stderr
from benchmarks.replay.spread import Runs, over_seeds
from benchmarks.replay.streams import SOURCES, dear_at, ready, stream_of
from benchmarks.replay.targets import OURS, targets
from freshtune.errors import FreshtuneError
from freshtune.model.heads.classes import Classes
from freshtune.processor import processor
from freshtune.replay.cell import Order
from freshtune.replay.figures import figures
from freshtune.replay.play import Found
from freshtune.replay.run import cell_name, replay
from freshtune.replay.stream import Stream
from freshtune.rivals import DEAR, PADDED, STRATEGIES
from freshtune.tasks import Task, answering

RESULTS, CELLS = Path(__file__).parent / "results", Path(__file__).parent / "cells"
OF_CLASSES = {"linear", "tfidf-sgd", "lora-trainer"}
"""They play no task that is answered on a scale."""
FIGURES = ("fresh", "old", "final", "forgetting", "negative_flips", "delta_bytes", "trained_params", "begin_seconds")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", default=",".join(SOURCES), help="with commas between: %(default)s")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--strategies", default=",".join(STRATEGIES), help="to play now; all by default")
    parser.add_argument("--ablations", action="store_true", help="freshtune without each ingredient too")
    parser.add_argument("--speed", action="store_true", help="rivals in turn in one process, and nothing else")
    parser.add_argument("--again", action="store_true", help="play anew what was played before, as after a new recipe")
    parser.add_argument("--folder", type=Path, default=Path("replay"), help="where cells are played")
    parser.add_argument("--cells", type=Path, default=CELLS, help="where what they come to is kept")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("FRESHTUNE_DATA", "../shared/data")))
    parser.add_argument("--backbone", default="bundled:multilingual-e5-small")
    parser.add_argument("--threads", type=int, help="1 of a cell, for cells may run side by side; with --speed 2")
    parser.add_argument("--steps", type=int, default=0, help="increments to play; 0 plays all")
    parser.add_argument("--limit", type=int, default=0, help="examples to learn of a part; 0 leaves the stream's own")
    parser.add_argument("--judges", type=int, default=0, help="held-out examples of a part; 0 leaves the stream's own")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    given = parser.parse_args()
    given.threads = given.threads or (2 if given.speed else 1)
    for names, known in ((given.streams, SOURCES), (given.strategies, STRATEGIES)):
        for name in names.split(","):
            if name not in known:
                parser.error(f"there is no {name!r} among {', '.join(known)}")
    return given


def orders(given: argparse.Namespace, task: Task, seed: int, increments: int) -> dict[str, Order]:
    """One a strategy that can play the task, and one an ablation."""
    plain = Order("", task.name, {}, given.backbone, 128, given.threads, seed, 0.3, (), given.steps)
    dear = dear_at(given.steps or increments)
    whole = {
        name: replace(plain, strategy=name, at=dear if name in DEAR else (), unpadded=name in PADDED or None)
        for name in STRATEGIES
        if isinstance(task.head(), Classes) or name not in OF_CLASSES
    }
    changed = {name: replace(plain, strategy=OURS, called=name, recipe=recipe) for name, recipe in ABLATIONS.items()}
    return whole | changed


def played(given: argparse.Namespace, name: str, seeds: Sequence[int]) -> tuple[dict[int, Stream], Runs]:
    """Play what was asked for; what is at hand of everything else joins it."""
    task = SOURCES[name].task_of()
    wanted = {*given.strategies.split(","), *(ABLATIONS if given.ablations else ())}
    streams, runs = {}, {}
    for seed in seeds:
        stream = stream_of(name, given.data, seed, given.limit, given.judges)
        head = answering(
            task, (), [row for part in stream.increments for row in (*part.learned, *part.held_out)]
        ).head()
        asked = orders(given, task, seed, len(stream.increments) - 1)
        paths = {
            title: given.cells / f"{name}-{seed}" / f"{cell_name(each, stream)}.json" for title, each in asked.items()
        }
        for title, order in asked.items():
            if title in wanted and (given.again or not paths[title].exists()):
                keep(paths[title], replay(given.folder, stream, [order], to_stderr, given.again)[title])
        known = {title: kept(path, stream, head) for title, path in paths.items()}
        streams[seed] = stream
        runs[seed] = {title: found for title, found in known.items() if found is not None}
    return streams, runs


def summary(runs: Runs, metric: str) -> dict[str, Any]:
    """Figures of each strategy over the seeds that it was played with."""
    names = list(dict.fromkeys(name for found in runs.values() for name in found))
    return {name: _of([found[name] for found in runs.values() if name in found], metric) for name in names}


def _of(found: Sequence[Found], metric: str) -> dict[str, Any]:
    told = [figures({"": each}, metric)["strategies"][""] for each in found]
    first = told[0]
    return {
        "extrapolated": first["extrapolated"],
        "played": first["played"],
        "processors": sorted({each.processor for each in found}),
        **{key: over_seeds([each[key] for each in told]) for key in FIGURES},
        "cpu_seconds_an_update": over_seeds([_middle(each["update_cpu_seconds"]) for each in told]),
        "cpu_seconds": [each["update_cpu_seconds"] for each in told],
        "final_interval": [each["intervals"]["final"] for each in told],
        "scores": [each["scores"] for each in told],
    }


def _middle(seconds: Sequence[float]) -> float | None:
    return sum(seconds) / len(seconds) if seconds else None


def result(given: argparse.Namespace, name: str, seeds: Sequence[int]) -> dict[str, Any]:
    """The document of one stream."""
    source, (streams, runs) = SOURCES[name], played(given, name, seeds)
    metric = source.task_of().metrics[0]
    sizes = {seed: [len(part.learned) for part in stream.increments] for seed, stream in streams.items()}
    judges = {seed: [len(part.held_out) for part in stream.increments] for seed, stream in streams.items()}
    return {
        "command": f"python -m benchmarks.replay --streams {name} --seeds {given.seeds} --threads {given.threads} "
        "--ablations",
        "stream": {
            "name": name,
            "about": source.about,
            "task": source.task,
            "parts": [
                {"name": part.name, "learned": len(part.learned), "held_out": len(part.held_out)}
                for part in next(iter(streams.values())).increments
            ],
        },
        "metric": metric,
        "backbone": given.backbone,
        "threads": given.threads,
        "machine": machine(),
        "seeds": list(seeds),
        "targets": targets(runs, metric, sizes, judges),
        "strategies": summary(runs, metric),
        "ingredients": worth(runs, metric),
    }


def machine() -> Mapping[str, Any]:
    """Where it was measured."""
    return {"processor": processor(), "cores": len(os.sched_getaffinity(0))}


def speed(given: argparse.Namespace) -> dict[str, Any]:
    """The measurement in turns, on three increments of 10cats."""
    stream = stream_of("10cats", given.data, 0, given.limit, given.judges)
    told = in_turns(stream, SOURCES["10cats"].task_of(), given.backbone, given.threads, 3, to_stderr)
    return {
        "command": f"python -m benchmarks.replay --speed --threads {given.threads}",
        "rivals": list(RIVALS),
        "machine": machine(),
        "backbone": given.backbone,
        **told,
    }


def main() -> None:
    given = arguments()
    try:
        measure(given)
    except FreshtuneError as error:
        raise SystemExit(str(error)) from None


def measure(given: argparse.Namespace) -> None:
    """What the flags ask for."""
    if given.speed:
        write(given.out / "speed.json", speed(given))
        return
    seeds = [int(seed) for seed in given.seeds.split(",")]
    for name in given.streams.split(","):
        if not ready(name):
            to_stderr(f"{name}: left out, this freshtune has no task {SOURCES[name].task}")
            continue
        write(given.out / f"{name}.json", result(given, name, seeds))


def write(path: Path, told: Mapping[str, Any]) -> None:
    """One JSON document; its path on stdout."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_lines(_rounded(told)) + "\n", "utf-8")
    sys.stdout.write(f"{path}\n")


def _rounded(value: Any) -> Any:
    """Five digits: more is noise."""
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(part) for part in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def _lines(value: Any, depth: int = 0) -> str:
    """JSON with one row of figures a line."""
    nested = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    if not any(isinstance(part, dict) for part in nested):
        return json.dumps(value, ensure_ascii=False)
    pad, end = " " * (depth + 1), " " * depth
    if isinstance(value, dict):
        rows = [f"{pad}{json.dumps(key, ensure_ascii=False)}: {_lines(part, depth + 1)}" for key, part in value.items()]
        return "{\n" + ",\n".join(rows) + f"\n{end}}}"
    return "[\n" + ",\n".join(pad + _lines(part, depth + 1) for part in nested) + f"\n{end}]"


if __name__ == "__main__":
    main()
