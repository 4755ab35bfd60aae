"""A whole small service for tests: real registry, real ONNX models of a few kilobytes, real keys."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from freshtune.intake.checks import EventChecks
from freshtune.intake.event_log import SqliteEventLog
from freshtune.intake.masking import Masker
from freshtune.model.heads import Head
from freshtune.model.predictor import Input
from freshtune.records import Finding, LogRange, Release, Verdict
from freshtune.serve.app import accept_into
from freshtune.serve.auth import SCOPES, Keys
from freshtune.serve.service import ServeSettings, Service
from freshtune.ship.artefacts import FolderStore
from freshtune.ship.registry import Registry
from freshtune.ship.release_rows import ReleaseDraft
from freshtune.tasks import TASKS, Task

MASKED = "13800138000"
"""A number that is masked."""

MASKER = Masker(b"a salt for tests")


def tiny_onnx(seed: int, outputs: int, padding: int = 0) -> bytes:
    """A graph from UTF-8 bytes ``[n, t]`` to logits ``[n, outputs]``; ``padding`` makes it that many floats heavier."""
    random = np.random.default_rng(seed)
    constants = [
        numpy_helper.from_array(random.normal(size=(256, 8)).astype(np.float32), "table"),
        numpy_helper.from_array(random.normal(size=(8, outputs)).astype(np.float32) * 4, "top"),
        numpy_helper.from_array(random.normal(size=max(1, padding)).astype(np.float32), "weight"),
        numpy_helper.from_array(np.array(0, np.int64), "first"),
    ]
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"]),
        helper.make_node("ReduceMean", ["rows"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["mean", "top"], ["plain"]),
        helper.make_node("Gather", ["weight", "first"], ["heavy"]),
        helper.make_node("Add", ["plain", "heavy"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["n", "t"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", outputs])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


class TinyPredictor:
    """Answers from the bytes of a text, one at a time, so that an answer depends on nothing else."""

    def __init__(self, path: Path, head: Head) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
        self.head = head

    def logits(self, inputs: Sequence[Input]) -> NDArray[np.float32]:
        rows = [self._one(f"{each.text}\0{each.pair or ''}") for each in inputs]
        return np.concatenate(rows) if rows else np.empty((0, self.head.outputs), np.float32)

    def _one(self, text: str) -> NDArray[np.float32]:
        ids = np.frombuffer(text.encode(), np.uint8).astype(np.int64)[None, :512]
        logits: NDArray[np.float32] = self._session.run(None, {"ids": ids})[0]
        return logits


@dataclass
class TinyShop:
    """The stores behind a service, and one key for each scope."""

    registry: Registry
    keys: Keys
    key: dict[str, str]
    tasks: dict[str, Task]
    log: SqliteEventLog

    def train(self, task: str, seed: int, padding: int = 0, promotes: bool = True) -> Release:
        """Record a release whose weights come from a seed."""
        folder = self.registry._path.parent
        path = folder / f"{task}-{seed}.onnx"
        path.write_bytes(tiny_onnx(seed, self.tasks[task].head().outputs, padding))
        live = self.registry.live_id(task)
        verdict = Verdict(promotes, (Finding("gain", promotes, {}, "No gain."),))
        draft = ReleaseDraft(task, live, "trunk", "space", LogRange(seed, seed + 1), "recipe", {}, verdict)
        return self.registry.record(draft, {"top.onnx": path})

    def train_live(self, task: str, seed: int, padding: int = 0) -> Release:
        """Record a release and promote it."""
        release = self.train(task, seed, padding)
        return self.registry.promote(release.id, self.registry.live_id(task), "test", "test")

    def open_model(self, release: Release) -> TinyPredictor:
        """Open a recorded release, verified."""
        return TinyPredictor(self.registry.load_file(release, "top.onnx"), self.tasks[release.task].head())

    def service(self, settings: ServeSettings | None = None, keys: bool = True) -> Service:
        """The service over these stores."""
        return Service(
            registry=self.registry,
            accept=accept_into(self.log, EventChecks(self.tasks, MASKER)),
            log_head=self.log.head,
            mask=mask,
            keys=self.keys if keys else None,
            open_model=self.open_model,
            tasks=self.tasks,
            settings=settings or ServeSettings(workers=2),
        )

    def close(self) -> None:
        """Close the stores."""
        self.keys.close()
        self.registry.close()
        self.log.close()


def mask(text: str) -> str:
    """Mask as the tiny shop does."""
    return MASKER.mask(text).text


def open_shop(folder: Path, tasks: Sequence[str] = ("sentiment", "rating", "relevance")) -> TinyShop:
    """Open the stores in a folder, with one key a scope."""
    keys = Keys(folder / "keys.db")
    shown: dict[str, str] = {scope: keys.create(scope, [scope])[1] for scope in SCOPES}
    registry = Registry(folder / "registry.db", FolderStore(folder / "artefacts"))
    return TinyShop(
        registry, keys, shown, {name: TASKS[name]() for name in tasks}, SqliteEventLog(folder / "events.db")
    )


def with_opener(service: Service, open_model: Callable[[Release], TinyPredictor]) -> Service:
    """The same service with another way to open models."""
    return replace(service, open_model=open_model)
