"""What the loop minimises: a weighted sum of terms, each a scalar of one batch."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from freshtune.learn.losses.distillation import Distillation
from freshtune.learn.losses.ewc import Ewc
from freshtune.learn.losses.fgm import Fgm
from freshtune.learn.losses.freelb import FreeLb
from freshtune.learn.losses.hidden_states import HiddenStates
from freshtune.learn.losses.l2_sp import L2Sp
from freshtune.learn.losses.listwise import Listwise
from freshtune.learn.losses.pairwise import Pairwise
from freshtune.learn.losses.pgd import Pgd
from freshtune.learn.losses.r_drop import RDrop
from freshtune.learn.losses.smart import Smart
from freshtune.learn.losses.squared_error import SquaredError
from freshtune.learn.losses.supervised import Supervised
from freshtune.learn.losses.virtual_adversarial import VirtualAdversarial

if TYPE_CHECKING:
    import torch

    from freshtune.learn.batches import Batch
    from freshtune.learn.losses.trained import Trained


class Loss(Protocol):
    """One term. A member is a frozen dataclass whose fields are its settings, ``weight`` among them."""

    @property
    def weight(self) -> float:
        """Factor in the sum."""

    def __call__(self, batch: "Batch", logits: "torch.Tensor", model: "Trained") -> "torch.Tensor":
        """The term's mean over the batch, before its weight; logits are float32 ``[b, outputs]``."""


LOSSES: Mapping[str, type[Loss]] = {
    "supervised": Supervised,
    "distillation": Distillation,
    "hidden_states": HiddenStates,
    "squared_error": SquaredError,
    "pairwise": Pairwise,
    "listwise": Listwise,
    "fgm": Fgm,
    "pgd": Pgd,
    "freelb": FreeLb,
    "virtual_adversarial": VirtualAdversarial,
    "smart": Smart,
    "r_drop": RDrop,
    "l2_sp": L2Sp,
    "ewc": Ewc,
}
LABELLED = (Supervised, SquaredError, Fgm, Pgd, FreeLb)
"""Those that learn the label of every row."""
TAUGHT = (Distillation, HiddenStates)
"""Those that follow a teacher."""
COMPARING = (Pairwise, Listwise)
"""Those that compare rows of one group, which must meet in one batch."""
