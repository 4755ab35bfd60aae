"""What the server answers. To add routes: one file with a tuple ``ROUTES``, one line here."""

from collections.abc import Mapping

from freshtune.serve.routes import docs, events, health, infer, metrics, predict, releases, status
from freshtune.serve.routes.route import Route

ROUTES: Mapping[str, tuple[Route, ...]] = {
    "health": health.ROUTES,
    "predict": predict.ROUTES,
    "events": events.ROUTES,
    "releases": releases.ROUTES,
    "status": status.ROUTES,
    "infer": infer.ROUTES,
    "metrics": metrics.ROUTES,
    "docs": docs.ROUTES,
}
