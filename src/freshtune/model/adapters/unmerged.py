"""What a member says that cannot become plain weights."""

from freshtune.errors import ConfigurationError


def cannot_merge(adapter: object) -> ConfigurationError:
    """The error to raise: what, why, and the nearest member that merges."""
    return ConfigurationError(
        f"{adapter} cannot be released.",
        "Its parts do not merge into the weights, and a released top is plain weights.",
        "Choose lora, the nearest that merges.",
    )
