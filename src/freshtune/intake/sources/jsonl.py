"""One JSON object a line."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from freshtune.intake.json_text import parse_json
from freshtune.intake.limits import DEFAULT_LIMITS, Limits
from freshtune.intake.reasons import BadRecord
from freshtune.intake.sources.raw import Raw, Record
from freshtune.intake.sources.text_lines import Line, Place, TextLines, decode, shown


@dataclass(frozen=True)
class JsonLines:
    """A file of JSON lines, plain or gzip.

    Attributes:
        encoding: ``utf-8`` or ``gb18030``; found out from the file where None.
    """

    path: Path
    encoding: str | None = None
    limits: Limits = DEFAULT_LIMITS

    @property
    def name(self) -> str:
        return str(self.path.resolve())

    def columns(self) -> None:
        return None

    def records(self, after: str | None = None) -> Generator[Raw, None, None]:
        text = TextLines(self.path, self.limits)
        encoding = self.encoding or text.encoding()
        place = Place.read(after)
        if not text.holds(place):
            place = Place()
        try:
            with closing(text.lines(place)) as lines:
                for line in lines:
                    if line.whole and not line.content.strip():
                        continue
                    before, place = place, Place(line.offset, line.checksum, place.number + 1)
                    content = self._content(line, encoding)
                    # A last line that is still being written is tried again when the file has grown.
                    unfinished = isinstance(content, BadRecord) and not line.ended
                    yield Raw(content, str(before if unfinished else place), place.number)
        except BadRecord as bad:
            yield Raw(bad, str(place), place.number + 1)

    def _content(self, line: Line, encoding: str) -> Record | BadRecord:
        try:
            if not line.whole:
                raise BadRecord("record_too_large", f"the limit is {self.limits.max_record_bytes} bytes")
            utf_8 = line.content if encoding == "utf-8" else decode(line.content, encoding).encode()
            value = parse_json(utf_8, self.limits)
            if not isinstance(value, dict):
                raise BadRecord("not_an_object", f"a {type(value).__name__}")
        except BadRecord as bad:
            return BadRecord(bad.reason, bad.detail, shown(line.content))
        return value
