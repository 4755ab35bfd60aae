"""What can go wrong, told in three parts: what, why, and the mend. Each kind is one exit code of the command line."""


class FreshtuneError(Exception):
    """Base of every error that freshtune raises on purpose.

    Args:
        what: what could not be done.
        why: the cause.
        mend: what the reader can do about it.
    """

    exit_code = 1

    def __init__(self, what: str, why: str = "", mend: str = "") -> None:
        super().__init__(what)
        self.what, self.why, self.mend = what, why, mend

    def __str__(self) -> str:
        return "\n".join(part for part in (self.what, self.why, self.mend) if part)


class UsageError(FreshtuneError):
    """The call itself makes no sense."""

    exit_code = 2


class NotFound(FreshtuneError):  # noqa: N818 (reads as what happened)
    """What was named is not there, or there is nothing new to do."""

    exit_code = 4


class ConfigurationError(FreshtuneError):
    """The settings are wrong."""

    exit_code = 5


class IntegrityError(FreshtuneError):
    """Stored bytes are not what their digest says, or a store is from a newer version."""

    exit_code = 5
