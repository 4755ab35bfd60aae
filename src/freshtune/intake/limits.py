"""How much one record, and one compressed file, may ask of the machine."""

from dataclasses import dataclass


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

    max_text_characters: int = 10_000
    max_id_characters: int = 256
    max_fields: int = 100
    max_depth: int = 16
    max_record_bytes: int = 1_000_000
    max_batch_records: int = 10_000
    max_ratio: int = 200
    ratio_from_bytes: int = 16_000_000


DEFAULT_LIMITS = Limits()
