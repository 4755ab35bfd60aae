"""Whether an adapter trains only what lies above a trunk, whose outputs were computed once and for all."""

from freshtune.errors import ConfigurationError
from freshtune.model.adapters import Adapter


def require_above(adapter: Adapter, layers: int, cut: int) -> None:
    """Refuse an adapter that trains below a cut.

    Args:
        layers: of the whole model.
        cut: layers of the trunk.

    Raises:
        ConfigurationError: names the nearest setting that trains above it.
    """
    lowest = adapter.lowest_trained(layers)
    if lowest >= cut:
        return
    if cut == layers:
        nearest = "Take head_only"
    elif hasattr(adapter, "k"):
        nearest = f"Set k to {layers - cut} at most"
    else:
        nearest = f"Take top_layers with k = {layers - cut}"
    raise ConfigurationError(
        f"{adapter} cannot learn above a cached trunk.",
        f"It trains from layer {lowest} on, the trunk ends at {cut}.",
        f"{nearest}, or make a new trunk: freshtune train.",
    )
