"""What a release hands to the next update: whom to remember, and who judges. Ids and logits; texts stay in the log."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from freshtune.errors import IntegrityError
from freshtune.judge.windows import Windows
from freshtune.strata import Standing


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The memory, and the held-out windows, as they are when the release is live.

    Attributes:
        said: what the champion of its time said of a remembered example when it was recalled for the first time,
            logits by id. It goes on teaching: later champions, each a little further off, do not.
    """

    memory: tuple[Standing, ...] = ()
    windows: Windows = Windows()
    said: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def said_of(self, rows: Iterable[Standing]) -> dict[str, tuple[float, ...]]:
        """What was said of some examples, where something was."""
        return {row.id: self.said[row.id] for row in rows if row.id in self.said}

    def write(self, path: Path) -> None:
        """As json, one list a side, and the logits."""
        sides = {"memory": self.memory, "new": self.windows.new, "old": self.windows.old}
        rows = {name: [_written(row) for row in side] for name, side in sides.items()}
        path.write_bytes(orjson.dumps({**rows, "said": self.said}))

    @staticmethod
    def read(path: Path) -> "Rehearsal":
        """The reverse of :meth:`write`; IntegrityError where the file is none."""
        try:
            sides = orjson.loads(path.read_bytes())
            memory, new, old = (tuple(map(_read, sides[name])) for name in ("memory", "new", "old"))
            said = {str(id_): tuple(map(float, logits)) for id_, logits in sides.get("said", {}).items()}
        except (OSError, orjson.JSONDecodeError, AttributeError, KeyError, IndexError, ValueError, TypeError) as error:
            raise IntegrityError(f"{path.name} of the release cannot be read.", str(error)) from None
        return Rehearsal(memory, Windows(new, old), said)


def _written(row: Standing) -> list[str | int | float]:
    """A row that no memory ranked is one number shorter."""
    return [row.id, row.label, row.category, row.hash, *([] if row.rank is None else [row.rank])]


def _read(row: Sequence[object]) -> Standing:
    rank = float(str(row[4])) if len(row) > 4 else None
    return Standing(str(row[0]), str(row[1]), str(row[2]), int(str(row[3])), rank)
