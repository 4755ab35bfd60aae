"""How much one record, and one compressed file, may ask of the machine."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

Count = Annotated[int, Field(ge=1)]


@dataclass(frozen=True)
class Limits:
    """Bounds of intake; what exceeds them is cut (text) or becomes a dead letter.

    Attributes:
        max_text_characters: longer texts are cut there, kept and counted.
        max_id_characters: of event, user, item, session and category names.
        max_fields: JSON values inside the fields of one event, nested ones counted.
        max_depth: nesting of lists and objects inside a record.
        max_record_bytes: one line of a text file, one row of a table, one object of a batch.
        max_batch_records: objects in one HTTP batch.
        max_ratio: decompressed over compressed bytes; looked at after ``ratio_from_bytes`` decompressed bytes.
    """

    max_text_characters: Count = 10_000
    max_id_characters: Count = 256
    max_fields: Annotated[int, Field(ge=0)] = 100
    max_depth: Annotated[int, Field(ge=1, le=200)] = 16
    max_record_bytes: Count = 1_000_000
    max_batch_records: Count = 10_000
    max_ratio: Count = 200
    ratio_from_bytes: Annotated[int, Field(ge=0)] = 16_000_000


DEFAULT_LIMITS = Limits()
