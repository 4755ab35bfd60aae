"""``python -m benchmarks.growing [--seeds N] [--data NAMES] [--set KEY=VALUE …]`` → ``results/growing.json``.

Classes arrive in groups, through the product: events in, ``train``, then an ``update`` a group. After each update the
data set's own test side, of which nothing is ever ingested, tells what the old classes have lost: macro F1 over the
classes that were there before the group, on the texts of those classes, before and after. The aim is 0.5 points. The
upper bound is a head that is trained anew on all that has come, after the last group.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.growing.arrivals import Arrivals, banking77, clinc150
from freshtune import front_door
from freshtune.cycle.champion import bundle_of
from freshtune.intake.mapping import ColumnMapping
from freshtune.judge.evaluate import evaluate
from freshtune.model.trunk_cache import TrunkCache
from freshtune.records import Example, Outcome, Release
from freshtune.rivals.freshtune_loop import SALT
from freshtune.tasks import answering, class_names
from freshtune.workspace import create_workspace

RESULTS = Path(__file__).parent / "results" / "growing.json"
TASK = "intent"
MAPPING = ColumnMapping(task=TASK, id="id", text="text", label="label")
STREAMS: Mapping[str, Callable[[int], Arrivals]] = {"banking77": banking77, "clinc150": clinc150}
AIM = 0.005
_CACHE_BYTES = 8_000_000_000


@dataclass(frozen=True)
class Growth:
    """One update that brought classes.

    Attributes:
        old_before, old_after: macro F1 over the classes before the group, on their texts alone.
        among_all: the same after it, on the texts of all classes that have come: what is taken for an old one counts.
        new: accuracy on the texts of the group.
        all: accuracy on everything that has come.
        retrained_old, retrained_new, retrained_all: of a head that is trained anew; None where it was not asked.
        seconds: of the update.
        verdict: what the gate said, with its reasons where it said no; ``labels`` what the test of the labels saw.
    """

    classes: int
    old_before: float
    old_after: float
    among_all: float
    new: float
    all: float
    retrained_old: float | None
    retrained_new: float | None
    retrained_all: float | None
    seconds: float
    verdict: str
    labels: str


class Shop:
    """A workspace that is fed group by group, and asked about the test side."""

    def __init__(self, root: Path, cache: Path, seed: int, flags: Sequence[str]) -> None:
        create_workspace(root, [f"[tasks.{TASK}]", "", "[model]", "cache_gigabytes = 8.0", ""], SALT)
        (root / "cache").mkdir()
        (root / "cache" / "trunk").symlink_to(cache, target_is_directory=True)
        seeds = [f"learn.first.seed={seed}", f"learn.fit.seed={seed}"]
        self.of = front_door.open(root, [*seeds, *flags])
        self._read = TrunkCache(cache, _CACHE_BYTES)

    def train(self) -> Release:
        """A first release; live whatever the gate says of it, for the stream goes on from it."""
        release = self.of.train(TASK)
        if not release.verdict.promote:
            self.of.store.registry.promote(release.id, None, "benchmark", "the stream goes on from it", force=True)
        return release

    def asked(self, examples: Sequence[Example]) -> list[tuple[str, str]]:
        """Class and answer of each text, by the live release as it serves."""
        release = self.of.store.registry.live(TASK)
        assert release is not None
        model = bundle_of(self.of.store, release, self.of.settings.model, self._read).predictor()
        task = answering(self.of.task(TASK), class_names(model.head), examples)
        outcomes = evaluate(model, task, examples, "test").outcomes
        names = class_names(task.head())
        return [_named(outcome, names) for outcome in outcomes]


def _named(outcome: Outcome, names: Sequence[str]) -> tuple[str, str]:
    return names[int(outcome.target)], names[int(outcome.prediction)]


def macro_f1(told: Sequence[tuple[str, str]], classes: Sequence[str]) -> float:
    """F1 averaged over some classes."""
    values = []
    for name in classes:
        hits = sum(name == true == said for true, said in told)
        either = sum(name == true for true, _ in told) + sum(name == said for _, said in told)
        values.append(2 * hits / either if either else 0.0)
    return float(np.mean(values))


def accuracy(told: Sequence[tuple[str, str]]) -> float:
    return float(np.mean([true == said for true, said in told]))


@dataclass(frozen=True)
class How:
    """What a stream is played with.

    Attributes:
        cache: folder of the trunk's outputs.
        most, judges: texts of a class that are ingested and that judge, at most; 0 takes all.
        flags: settings in the form of ``--set``.
        bound: whether a head is trained anew after the last group.
    """

    cache: Path
    seed: int
    most: int
    judges: int
    flags: tuple[str, ...]
    bound: bool


@contextmanager
def fresh_shop(how: How) -> Iterator[Shop]:
    with tempfile.TemporaryDirectory(prefix="freshtune-growing-") as folder:
        yield Shop(Path(folder) / "shop", how.cache, how.seed, how.flags)


def played(arrivals: Arrivals, how: How) -> list[Growth]:
    """One stream with one seed."""
    come = list(arrivals.groups[0])
    found = []
    with fresh_shop(how) as shop:
        shop.of.ingest(arrivals.learned.records(come, how.most), MAPPING)
        shop.train()
        for group in arrivals.groups[1:]:
            old = arrivals.judging.examples(come, how.judges)
            before = macro_f1(shop.asked(old), come)
            shop.of.ingest(arrivals.learned.records(group, how.most), MAPPING)
            started = time.perf_counter()
            release = shop.of.update(TASK)
            seconds = time.perf_counter() - started
            everything = arrivals.judging.examples([*come, *group], how.judges)
            told = shop.asked(everything)
            of_old = [each for each in told if each[0] in set(come)]
            of_new = [each for each in told if each[0] in set(group)]
            anew = (
                retrained(arrivals, [*come, *group], how, everything)
                if how.bound and group == arrivals.groups[-1]
                else []
            )
            anew_old = [each for each in anew if each[0] in set(come)]
            anew_new = [each for each in anew if each[0] in set(group)]
            found.append(
                Growth(
                    classes=len(come) + len(group),
                    old_before=before,
                    old_after=macro_f1(of_old, come),
                    among_all=macro_f1(told, come),
                    new=accuracy(of_new),
                    all=accuracy(told),
                    retrained_old=macro_f1(anew_old, come) if anew else None,
                    retrained_new=accuracy(anew_new) if anew else None,
                    retrained_all=accuracy(anew) if anew else None,
                    seconds=seconds,
                    verdict=_verdict(release),
                    labels=next(each.words for each in release.verdict.findings if each.rule == "labels"),
                )
            )
            come += group
            print(found[-1], flush=True)
    return found


def retrained(arrivals: Arrivals, classes: Sequence[str], how: How, asked: Sequence[Example]) -> list[tuple[str, str]]:
    """What a head says that is trained anew on all that has come."""
    with fresh_shop(how) as shop:
        shop.of.ingest(arrivals.learned.records(classes, how.most), MAPPING)
        shop.train()
        return shop.asked(asked)


def _verdict(release: Release) -> str:
    verdict = release.verdict
    said = "promoted" if verdict.promote else "undecided" if verdict.undecided else "refused"
    return " ".join([said, *verdict.reasons])


def summary(found: Sequence[Growth]) -> dict[str, object]:
    """Over all growths of a stream, all seeds; what the gate let pass, and beside it what a head trained anew knows.

    A growth that was not promoted changes nothing, and is counted as such alone.
    """
    grown = [each for each in found if each.verdict == "promoted"]
    losses = [100 * (each.old_before - each.old_after) for each in grown]
    anew = [each for each in grown if each.retrained_all is not None]
    return {
        "growths": len(found),
        "promoted": len(grown),
        "within_aim": sum(loss <= 100 * AIM for loss in losses),
        "old_loss_points": {"mean": _mean(losses), "most": max(losses, default=None)},
        "new_accuracy": _mean([each.new for each in grown]),
        "all_accuracy": _mean([each.all for each in grown]),
        "retrained": {
            "growths": len(anew),
            "old_f1_over_ours_points": _mean([100 * ((each.retrained_old or 0) - each.old_after) for each in anew]),
            "new_accuracy_over_ours_points": _mean([100 * ((each.retrained_new or 0) - each.new) for each in anew]),
        },
        "update_seconds": _mean([each.seconds for each in grown]),
    }


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0,1,2", help="with commas between")
    parser.add_argument("--data", default=",".join(STREAMS), help="with commas between")
    parser.add_argument("--most", type=int, default=40, help="texts of a class that are ingested; 0 for all")
    parser.add_argument("--judges", type=int, default=20, help="texts of a class that judge; 0 for all")
    parser.add_argument("--set", action="append", default=[], dest="flags", help="a setting; may repeat")
    parser.add_argument("--no-bound", action="store_true", help="train no head anew")
    parser.add_argument("--cache", type=Path, help="a folder for the trunk's outputs, to be found again")
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="freshtune-growing-cache-") as folder:
        cache: Path = (asked.cache or Path(folder)).resolve()
        cache.mkdir(parents=True, exist_ok=True)
        streams = {}
        for name in asked.data.split(","):
            seeds = {
                seed: played(
                    STREAMS[name](int(seed)),
                    How(cache, int(seed), asked.most, asked.judges, tuple(asked.flags), not asked.no_bound),
                )
                for seed in asked.seeds.split(",")
            }
            every = [each for found in seeds.values() for each in found]
            streams[name] = {
                "summary": summary(every),
                "seeds": {seed: [asdict(each) for each in found] for seed, found in seeds.items()},
            }
    sizes = f"--most {asked.most} --judges {asked.judges}"
    flags = "".join(f" --set '{flag}'" for flag in asked.flags)
    command = f"python -m benchmarks.growing --seeds {asked.seeds} --data {asked.data} {sizes}{flags}"
    document = {"command": command, "aim_points": 100 * AIM, "streams": streams}
    asked.out.parent.mkdir(exist_ok=True)
    asked.out.write_text(json.dumps(_rounded(document), indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(asked.out)


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    return [_rounded(part) for part in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main()
