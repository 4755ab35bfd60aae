"""Words counted the cheap way, beside a release: does the language model earn its keep?"""

from freshtune.cycle.gathering import look
from freshtune.errors import UsageError
from freshtune.judge.baselines import TfIdf
from freshtune.model.predictor import Predictor
from freshtune.records import LogRange
from freshtune.settings import Settings
from freshtune.tasks import Task, answering, class_names
from freshtune.workspace import Workspace


def companion_of(shop: Workspace, task: Task, settings: Settings, upto: int) -> Predictor:
    """TF-IDF as well as it can be, fitted on all labels that a release and those before it could learn.

    Args:
        task: with the classes that it is judged on.
        upto: the release's position in the log.

    Raises:
        UsageError: they are fewer than 50, or all alike.
    """
    learned = look(shop, task, settings, LogRange(0, upto)).labelled
    try:
        return TfIdf.tuned(learned, answering(task, class_names(task.head()), learned).head())
    except UsageError as error:
        raise UsageError(
            f"There is no baseline for {task.name}.", f"{error.what}: {error.why}", "Leave out --baseline."
        ) from None
