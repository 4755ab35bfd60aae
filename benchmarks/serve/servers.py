"""The two servers that are compared: ``python -m benchmarks.serve.servers freshtune|bare FOLDER``, URL on stderr.

``bare`` is what the FastAPI tutorial teaches: a plain function that calls the model, nothing before, nothing after.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def running(kind: str, folder: Path) -> Iterator[str]:
    """Run a server in its own process; gives its URL, ends it with SIGTERM."""
    command = [sys.executable, "-m", "benchmarks.serve.servers", kind, str(folder)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr
        first = process.stderr.readline()
        try:
            yield json.loads(first)["url"]
        finally:
            process.terminate()
            sys.stderr.write(process.communicate(timeout=60)[1])


def serve_bare(folder: Path) -> None:
    """Serve the live release without freshtune's server."""
    import uvicorn
    from fastapi import FastAPI
    from pydantic import BaseModel

    from benchmarks.serve.shop_folder import TASK, open_registry
    from freshtune.model.predictor import Input
    from freshtune.serve.opening import SharedTrunks
    from freshtune.serve.replies import readable

    class Call(BaseModel):
        inputs: list[str]

    registry = open_registry(folder)
    live = registry.live(TASK)
    assert live
    model = SharedTrunks(registry)(live)
    app = FastAPI()

    @app.post("/v1/predict/sentiment")
    def predict(call: Call) -> dict[str, object]:
        answers = model.head.answers(model.logits([Input(text) for text in call.inputs]))
        return {"release": live.id, "answers": readable(model.head, answers)}

    @app.get("/readyz")
    def ready() -> dict[str, bool]:
        return {"ready": True}

    with socket.create_server(("127.0.0.1", 0), backlog=2_048) as listening:
        print(json.dumps({"url": f"http://127.0.0.1:{listening.getsockname()[1]}"}), file=sys.stderr, flush=True)
        config = uvicorn.Config(app, access_log=False, log_level="warning")
        uvicorn.Server(config).run(sockets=[listening])


def serve_freshtune(folder: Path) -> None:
    """Serve the folder with freshtune."""
    from benchmarks.serve.shop_folder import open_service
    from freshtune.serve.app import run

    run(open_service(folder), "127.0.0.1", 0)


if __name__ == "__main__":
    {"bare": serve_bare, "freshtune": serve_freshtune}[sys.argv[1]](Path(sys.argv[2]))
