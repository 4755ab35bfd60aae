"""A folder with a registry of real int8 releases and one key, for servers to open."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import orjson

from freshtune.intake.checks import EventChecks
from freshtune.intake.event_log import SqliteEventLog
from freshtune.intake.masking import Masker
from freshtune.model.heads.classes import Classes
from freshtune.records import LogRange, Verdict
from freshtune.serve.app import accept_into
from freshtune.serve.auth import Keys
from freshtune.serve.opening import SharedTrunks
from freshtune.serve.service import Service
from freshtune.ship.artefacts import FolderStore
from freshtune.ship.registry import Registry
from freshtune.ship.release_rows import ReleaseDraft
from freshtune.tasks import TASKS

TASK = "sentiment"
HEAD = Classes(("negative", "positive"))
_PARTS = (
    ("房间很干净，", "快递太慢了，", "屏幕有点暗，", "味道不错，", "The room was clean, ", "It broke after a week, "),
    (
        "服务态度也好，",
        "客服不回消息，",
        "电池能用两天，",
        "包装完整，",
        "the staff helped us, ",
        "the battery lasts, ",
    ),
    ("下次还会再来。", "不会再买了。", "推荐给朋友。", "性价比一般。", "we will come again.", "not worth the price."),
)


def texts(count: int) -> list[str]:
    """Made-up reviews of about 20 tokens, Chinese, English and both, all different.

    >>> len(set(texts(300)))
    300
    """
    made = []
    for number in range(count):
        parts = [choice[number // len(choice) ** place % len(choice)] for place, choice in enumerate(_PARTS)]
        made.append("".join(parts) + f" {number}")
    return made


def build(folder: Path, backbone: str, cuts: Sequence[int]) -> list[str]:
    """Record one int8 release a cut, weights pretrained, heads random; the same cut twice shares its trunk.

    Args:
        folder: gets ``registry.db``, ``artefacts`` and the files.
        backbone: name of the model.
        cuts: for each release, how many layers are trunk.

    Returns:
        The releases' ids.
    """
    import torch

    from freshtune.model.backbone import open_backbone
    from freshtune.ship.compression.int8 import Int8
    from freshtune.ship.export import export_top, export_trunk

    releases = []
    with open_registry(folder) as registry:
        for number, cut in enumerate(cuts):
            torch.manual_seed(number)
            model, tokens = open_backbone(backbone, None, HEAD.outputs, 128)
            place = folder / f"release-{number}"
            place.mkdir()
            for part, export in (("trunk", export_trunk), ("top", export_top)):
                plain = place / f"{part}.fp32.onnx"
                export(model, cut, plain)
                Int8().apply(plain, place / f"{part}.onnx")
                plain.unlink()
            tokens.write(place / "tokenizer.json")
            described = {"head": asdict(HEAD), "prefix": tokens.prefix, "max_tokens": tokens.max_tokens, "cut": cut}
            (place / "model.json").write_bytes(orjson.dumps(described))
            trunk = hashlib.sha256((place / "trunk.onnx").read_bytes()).hexdigest()
            draft = ReleaseDraft(TASK, None, trunk, trunk, LogRange(number, number + 1), "bench", {}, Verdict(True, ()))
            releases.append(registry.record(draft, {path.name: path for path in place.iterdir()}).id)
    return releases


def open_registry(folder: Path) -> Registry:
    """The folder's registry."""
    return Registry(folder / "registry.db", FolderStore(folder / "artefacts"))


def make_key(folder: Path) -> str:
    """A key that may do all that the benchmarks do."""
    with Keys(folder / "keys.db") as keys:
        return keys.create("benchmark", ["predict", "read", "operate"])[1]


def open_service(folder: Path) -> Service:
    """The folder as a service, masking as in production."""
    masker, tasks, log = Masker(b"benchmark" * 2), {TASK: TASKS[TASK]()}, SqliteEventLog(folder / "events.db")
    registry = open_registry(folder)
    return Service(
        registry=registry,
        accept=accept_into(log, EventChecks(tasks, masker)),
        log_head=log.head,
        mask=lambda text: masker.mask(text).text,
        keys=Keys(folder / "keys.db"),
        open_model=SharedTrunks(registry),
        tasks=tasks,
    )
