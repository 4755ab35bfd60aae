"""What Prometheus is told. One registry a server, so that several can live in one process."""

from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

_SECONDS = (0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


@dataclass(frozen=True, slots=True)
class TaskMeters:
    """What one task's queue tells; from any thread."""

    batch: Histogram
    queue: Gauge

    def ran(self, texts: int) -> None:
        """A model call was made."""
        self.batch.observe(texts)

    def queued(self, texts: int) -> None:
        """So many texts wait."""
        self.queue.set(texts)


class Meters:
    """The counters of one server.

    >>> meters = Meters()
    >>> meters.answered("/livez", "GET", 200, 0.001)
    >>> b'freshtune_requests_total{method="GET",route="/livez",status="200"} 1.0' in meters.exposition()
    True
    """

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self._requests = Counter(
            "freshtune_requests", "Requests answered.", ["route", "method", "status"], registry=registry
        )
        self._seconds = Histogram(
            "freshtune_request_seconds", "Time to answer.", ["route"], buckets=_SECONDS, registry=registry
        )
        self._batch = Histogram(
            "freshtune_batch_texts", "Texts in a model call.", ["task"], buckets=_TEXTS, registry=registry
        )
        self._queue = Gauge("freshtune_queue_texts", "Texts that wait.", ["task"], registry=registry)
        self._live = Info("freshtune_live_release", "The release that answers.", ["task"], registry=registry)
        self._swaps = Counter("freshtune_swaps", "Releases that took over.", ["task"], registry=registry)
        self._load = Gauge(
            "freshtune_load_seconds", "Time to load and warm the live release.", ["task"], registry=registry
        )
        self._failures = Counter(
            "freshtune_load_failures", "Releases that could not be loaded.", ["task"], registry=registry
        )
        self._lost = Counter("freshtune_registry_failures", "Looks at the registry that failed.", registry=registry)
        self._events = Counter("freshtune_events", "Event records by outcome.", ["outcome"], registry=registry)
        self._dead = Counter(
            "freshtune_dead_letters", "Event records refused, by reason.", ["reason"], registry=registry
        )
        # Looking a label up costs more than counting does.
        self._of_routes: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered; ``route`` is a path template, so that the number of series is bounded."""
        known = method if method in ("GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS") else "other"
        found = self._of_routes.get((route, known, status))
        if found is None:
            found = self._requests.labels(route, known, str(status)), self._seconds.labels(route)
            self._of_routes[route, known, status] = found
        found[0].inc()
        found[1].observe(seconds)

    def of(self, task: str) -> "TaskMeters":
        """The meters of one task's queue."""
        return TaskMeters(self._batch.labels(task), self._queue.labels(task))

    def swapped(self, task: str, release: str, seconds: float) -> None:
        """A release took over after loading for so long."""
        self._live.labels(task).info({"release": release})
        self._load.labels(task).set(seconds)
        self._swaps.labels(task).inc()

    def load_failed(self, task: str) -> None:
        """A release could not be loaded."""
        self._failures.labels(task).inc()

    def registry_failed(self) -> None:
        """The registry could not be read."""
        self._lost.inc()

    def ingested(self, kept: int, duplicates: int, dead: Mapping[str, int]) -> None:
        """A batch of records was stored; ``dead`` counts those refused by reason."""
        self._events.labels("kept").inc(kept)
        self._events.labels("duplicate").inc(duplicates)
        self._events.labels("dead").inc(sum(dead.values()))
        for reason, count in dead.items():
            self._dead.labels(reason).inc(count)

    def exposition(self) -> bytes:
        """The Prometheus text format."""
        return generate_latest(self._registry)
