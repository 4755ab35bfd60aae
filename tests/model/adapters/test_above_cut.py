"""What trains below a trunk is refused, and what would not be is named."""

import re

import pytest

from freshtune.errors import ConfigurationError
from freshtune.model.adapters import Adapter
from freshtune.model.adapters.above_cut import require_above
from freshtune.model.adapters.full import Full
from freshtune.model.adapters.head_only import HeadOnly
from freshtune.model.adapters.lora import Lora
from freshtune.model.adapters.top_layers import TopLayers
from freshtune.model.adapters.trainable_tokens import TrainableTokens


@pytest.mark.parametrize(
    ("adapter", "cut"), [(HeadOnly(), 12), (TopLayers(k=2), 10), (Lora(k=2), 8), (Full(), 0), (TrainableTokens(), 12)]
)
def test_what_trains_above_the_cut_may(adapter: Adapter, cut: int) -> None:
    require_above(adapter, 12, cut)


@pytest.mark.parametrize(
    ("adapter", "cut", "mend"),
    [
        (TopLayers(k=3), 10, "Set k to 2 at most"),
        (Lora(k=12), 11, "Set k to 1 at most"),
        (Full(), 9, "Take top_layers with k = 3"),
        (TrainableTokens(rows=(7,)), 6, "Take top_layers with k = 6"),
        (TopLayers(k=1), 12, "Take head_only"),
    ],
)
def test_what_trains_below_it_hears_of_the_nearest_that_does_not(adapter: Adapter, cut: int, mend: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(mend)) as refused:
        require_above(adapter, 12, cut)
    assert f"the trunk ends at {cut}" in refused.value.why
