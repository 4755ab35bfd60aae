"""Before there is a champion: a pretrained model, its trunk, and a top that begins from nothing."""

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from freshtune.cycle.champion import cores, cut_of
from freshtune.cycle.gathering import Gathered
from freshtune.cycle.lessons import hidden, inputs_of, lesson
from freshtune.cycle.preparing import prepared
from freshtune.cycle.teaching import Teacher
from freshtune.errors import IntegrityError, UsageError
from freshtune.learn.challenger import Challenger, Learn, begin, tune_trunk
from freshtune.learn.fit import Step, seeded
from freshtune.learn.head_start import begin_with_the_usual
from freshtune.learn.lesson import Lesson
from freshtune.learn.state import Run
from freshtune.model.bundled import default_cache
from freshtune.model.heads import Head
from freshtune.model.onnx_model import OnnxTrunk
from freshtune.model.trunk_cache import CachedTrunk, TrunkCache
from freshtune.model.words import table_rows, with_words
from freshtune.records import Example
from freshtune.settings import Settings
from freshtune.ship.artefacts import FolderStore
from freshtune.ship.bundle import TEMPLATE, TRUNK, Bundle, ModelFacts, open_bundle, write_first, write_top, write_trunk
from freshtune.strata import standing, stratified
from freshtune.tasks import Task

if TYPE_CHECKING:
    from freshtune.model.backbone import TextModel

EXPORT_VERSION = 1


def first_model(
    task: Task,
    settings: Settings,
    gathered: Gathered,
    run: Run,
    folder: Path,
    cache: TrunkCache,
    on_step: Callable[[Step], None],
    teacher: Teacher | None = None,
) -> Bundle:
    """Train a model from the pretrained weights and write its files into ``folder``; returns them opened.

    The trunk is tuned first, unless ``learn.trunk`` has a share of 0 or a teacher taught it (``cycle.preparing``), or
    the adapter learns below the cut. One that nothing changed is exported once for this machine.
    """
    from freshtune.model.backbone import open_backbone

    head = task.head()
    seeded(settings.learn.first.seed)
    of = settings.model
    model, tokens = open_backbone(of.backbone, None, head.outputs, of.max_tokens, of.taps)
    ready = prepared(model, tokens, gathered, settings, run, teacher, on_step)
    model, examples, share = ready.model, ready.examples, settings.learn.development
    cut = cut_of(settings, model.layers)
    if cut == model.layers:
        model.widen_head(of.units, table_rows(of.words, head.outputs))
    taught_by = teacher.release if teacher else ""
    facts = ModelFacts(of.backbone, cut, model.architecture.as_json(), taught_by, settings.learn.adapt.on)
    tuned = settings.learn.trunk.share > 0 and teacher is None
    if tuned:
        some = _some(examples, settings.learn.trunk.most)
        texts = lesson(some, (), tokens.encode(inputs_of(some)), share)
        tune_trunk(model, head, texts, settings.learn, run, on_step)
    if settings.learn.adapter.lowest_trained(model.layers) >= cut:
        if tuned or ready.changed:
            write_trunk(model, cut, settings.ship.compression, folder / TRUNK)
        else:
            (folder / TRUNK).write_bytes(_pretrained_trunk(model, cut, settings).read_bytes())
        trunk = with_words(CachedTrunk(OnnxTrunk(folder / TRUNK, cores(of)), cache), facts.architecture)
        material = lesson(examples, (), hidden(examples, tokens, trunk), share)
        challenger = first_top(model, cut, head, material, settings.learn, run, on_step)
    else:
        material = lesson(examples, (), tokens.encode(inputs_of(examples)), share)
        challenger = begin(model, cut, head, material, settings.learn, run, on_step)
        write_trunk(model, cut, settings.ship.compression, folder / TRUNK)
    write_first(model, tokens, head, facts, folder)
    write_top(folder / TEMPLATE, challenger.weights, settings.ship.compression, folder)
    return open_bundle(folder, cache, cores(settings.model))


def first_top(
    model: "TextModel",
    cut: int,
    head: Head,
    material: Lesson,
    settings: Learn,
    run: Run | None = None,
    on_step: Callable[[Step], None] = lambda _: None,
) -> Challenger:
    """Train what lies above a trunk where there is no champion; the lesson's inputs are the trunk's outputs."""
    if cut == model.layers:
        begin_with_the_usual(model, head, material)
    return begin(model, cut, head, material, settings, run, on_step)


def _some(examples: Sequence[Example], most: int) -> Sequence[Example]:
    """All of them, or as many, evenly over classes and categories; in their order."""
    chosen = {row.id for row in stratified(map(standing, examples), most)}
    return [example for example in examples if example.id in chosen]


def _pretrained_trunk(model: "TextModel", cut: int, settings: Settings) -> Path:
    """The pretrained trunk in the form that is served, made once for this machine; one that is damaged is made anew."""
    read = model.architecture.read  # of equal weights, two trunks may give other layers
    recipe = hashlib.sha256(f"{cut}\0{read}\0{settings.ship.compression!r}\0{EXPORT_VERSION}".encode())
    for weight in model.trunk_parameters(cut):
        recipe.update(weight.detach().numpy().tobytes())
    store = FolderStore(default_cache() / "trunks")
    named = default_cache() / "trunks" / f"{recipe.hexdigest()}.name"
    try:
        return store.path(named.read_text())
    except (FileNotFoundError, IntegrityError, UsageError):
        with tempfile.TemporaryDirectory(dir=named.parent) as folder:
            write_trunk(model, cut, settings.ship.compression, Path(folder) / TRUNK)
            digest = store.put(Path(folder) / TRUNK)
            (Path(folder) / named.name).write_text(digest)
            (Path(folder) / named.name).replace(named)
        return store.path(digest)
