"""The server's log: one JSON object a line on stderr, masked by the last thing that touches it."""

import logging
import re
from collections.abc import Callable, MutableMapping
from typing import Any, TextIO, cast

import orjson
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

_OWN = ("timestamp", "level", "request", "url")
"""What the server says of itself, as it is: an id or its own address would else read as somebody's."""
_KEY = re.compile(r"ft_[0-9a-f]{12}_[\w-]{20,}")


def masking(mask: Callable[[str], str]) -> Processor:
    """A processor that masks personal data and API keys in every string, at any depth."""

    def masked(value: Any) -> Any:
        if isinstance(value, str):
            return mask(_KEY.sub("ft_***", value))
        if isinstance(value, dict):
            return {name: masked(each) for name, each in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [masked(each) for each in value]
        return value if isinstance(value, int | float | None) else masked(str(value))

    def process(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        kept = {name: event.pop(name) for name in _OWN if name in event}
        return {**kept, **{name: masked(value) for name, value in event.items()}}

    return process


def _rendered(_: WrappedLogger, __: str, event: MutableMapping[str, Any]) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode(errors="replace")


def _chain(mask: Callable[[str], str]) -> list[Processor]:
    return [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        masking(mask),
        _rendered,
    ]


def open_log(mask: Callable[[str], str], stream: TextIO) -> FilteringBoundLogger:
    """A logger that writes masked JSON lines to ``stream``."""
    logger = structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=_chain(mask),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    return cast(FilteringBoundLogger, logger)


class Forwarding(logging.Handler):
    """Hands records of the standard library's loggers (uvicorn's) to ours, so that they are masked too."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record."""
        self._log.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info or None)
