"""freshtune keeps a shop's language models fresh.

>>> import freshtune as ft
>>> sorted(set(dir(ft)) & {"create", "open"})
['create', 'open']
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freshtune.front_door import OpenWorkspace, create, open  # noqa: A004

__version__ = "0.1.0"
__all__ = ["OpenWorkspace", "create", "open"]


def __getattr__(name: str) -> object:
    # Looked up when asked for: the records and the server need none of what the front door imports.
    if name in __all__:
        from freshtune import front_door

        return getattr(front_door, name)
    raise AttributeError(name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
