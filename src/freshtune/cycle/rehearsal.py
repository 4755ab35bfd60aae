"""What a release hands to the next update: whom to remember, and who judges. Ids alone; texts stay in the event log."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from freshtune.errors import IntegrityError
from freshtune.judge.windows import Windows
from freshtune.strata import Standing


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The memory, and the held-out windows, as they are when the release is live."""

    memory: tuple[Standing, ...] = ()
    windows: Windows = Windows()

    def write(self, path: Path) -> None:
        """As json, one list a side."""
        sides = {"memory": self.memory, "new": self.windows.new, "old": self.windows.old}
        rows = {name: [[row.id, row.label, row.category, row.hash] for row in side] for name, side in sides.items()}
        path.write_bytes(orjson.dumps(rows))

    @staticmethod
    def read(path: Path) -> "Rehearsal":
        """The reverse of :meth:`write`; IntegrityError where the file is none."""
        try:
            sides: Mapping[str, Iterable[list[object]]] = orjson.loads(path.read_bytes())
            memory, new, old = (
                tuple(Standing(str(row[0]), str(row[1]), str(row[2]), int(str(row[3]))) for row in sides[name])
                for name in ("memory", "new", "old")
            )
        except (OSError, orjson.JSONDecodeError, KeyError, ValueError, TypeError) as error:
            raise IntegrityError(f"{path.name} of the release cannot be read.", str(error)) from None
        return Rehearsal(memory, Windows(new, old))
