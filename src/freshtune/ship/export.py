"""A trained model as two ONNX graphs, the trunk and the top, for texts that are not padded.

Neither graph has an attention mask: texts of one length share a run, others do not. So that an update need not trace
the network again, a top is traced once as a template and refilled with new weights under their own names.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from freshtune.errors import IntegrityError

if TYPE_CHECKING:
    import onnx
    from torch import Tensor, nn

    from freshtune.model.backbone import TextModel

OPSET = 20
_TRANSPOSED = ".T"
"""Ends the name of a weight that the graph holds as [in, out]: a matrix product reads it so."""


def export_trunk(model: "TextModel", cut: int, path: Path) -> None:
    """Write the part below ``cut``: int32 ``input_ids [b, t]`` → float32 ``hidden [b, t or taps, width]``."""
    import torch

    class Trunk(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: "Tensor") -> "Tensor":
            return self.model.lower(input_ids, None, cut)

    _export(Trunk(), torch.ones(2, 3, dtype=torch.int32), ("input_ids", "hidden"), path)


def export_top(model: "TextModel", cut: int, path: Path) -> None:
    """Write the part above ``cut``: float32 ``hidden [b, rows, width]`` → float32 ``logits [b, outputs]``.

    Rows are tokens; above the whole network they are taps, and after them rows with the places of words.
    """
    import torch

    class Top(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, hidden: "Tensor") -> "Tensor":
            return self.model.upper(hidden, None, cut)

    rows = len(model.architecture.read) + bool(model.architecture.words) if cut == model.layers else 3
    state = model.top_state(cut)
    values = {name: value.numpy().copy() for name, value in state.items()}
    try:
        for number, value in enumerate(state.values(), 1):  # the exporter makes one of all weights that are equal
            value.fill_(number)
        _export(Top(), torch.zeros(2, rows, model.width), ("hidden", "logits"), path)
    finally:
        model.load_top({name: torch.from_numpy(value) for name, value in values.items()})
    TopTemplate(path).write_top(values, path)


def _export(part: "nn.Module", example: "Tensor", names: tuple[str, str], path: Path) -> None:
    import onnx
    import torch

    axes = {names[0]: {0: "batch", 1: "tokens"}, names[1]: {0: "batch"}}
    if names[1] == "hidden":
        axes["hidden"][1] = "tokens"
    with torch.no_grad(), warnings.catch_warnings():
        # The tracing exporter takes half a second for four layers, its successor nine; torch calls it deprecated.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            part.eval(),
            (example,),
            path,
            input_names=[names[0]],
            output_names=[names[1]],
            dynamic_axes=axes,
            opset_version=OPSET,
            do_constant_folding=False,
            dynamo=False,
        )
    graph = onnx.load(path)
    _name_weights(graph)
    onnx.save(graph, path)


def _name_weights(graph: "onnx.ModelProto") -> None:
    """Store every transposed weight as it is read, under its name with ``.T``; drop the wrapper's part of names."""
    from onnx import numpy_helper

    weights = {weight.name: weight for weight in graph.graph.initializer}
    renamed = {name: name.removeprefix("model.") for name in weights}
    for node in list(graph.graph.node):
        if node.op_type == "Transpose" and node.input[0] in weights:
            old = node.input[0]
            turned = numpy_helper.to_array(weights[old]).T.copy()
            weights[old].CopyFrom(numpy_helper.from_array(turned, old))
            renamed[old] = renamed[old] + _TRANSPOSED
            renamed[node.output[0]] = renamed[old]
            graph.graph.node.remove(node)
    for weight in weights.values():
        weight.name = renamed[weight.name]
    for node in graph.graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = renamed.get(name, name)


class TopTemplate:
    """A traced top whose weights are filled in later, without torch.

    Args:
        path: a file that :func:`export_top` wrote.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def write_top(self, weights: Mapping[str, NDArray[np.float32]], target: Path) -> None:
        """Write the graph with other weights: the same bytes that a fresh export would give.

        Args:
            weights: arrays by the names of :meth:`TextModel.top_state`.
            target: where to write.

        Raises:
            IntegrityError: a weight is missing or has another shape than the template's.
        """
        import onnx
        from onnx import numpy_helper

        graph = onnx.load(self.path)
        for slot in graph.graph.initializer:
            name = slot.name.removesuffix(_TRANSPOSED)
            if name not in weights:
                raise IntegrityError(f"The weight {name} of {self.path.name} is missing.")
            value = weights[name].T if slot.name.endswith(_TRANSPOSED) else weights[name]
            if tuple(slot.dims) != value.shape:
                raise IntegrityError(f"The weight {name} has the shape {value.shape}, not {tuple(slot.dims)}.")
            slot.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(value, np.float32), slot.name))
        onnx.save(graph, target)
