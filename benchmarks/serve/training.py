"""What a server shares its machine with: a real training loop on the same backbone, at the low priority of an update.

``python -m benchmarks.serve.training BACKBONE`` prints a line after its first step and goes on until it is ended.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

NICENESS = 19
THREADS = 2


@contextmanager
def training(backbone: str) -> Iterator[None]:
    """Train for as long as the block lasts."""
    command = [sys.executable, "-m", "benchmarks.serve.training", backbone]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            if process.stdout.readline() != "training\n":
                raise RuntimeError("the training process failed")
            yield
        finally:
            process.kill()


def _train(backbone: str) -> None:
    import torch

    from freshtune.model.backbone import open_backbone

    os.nice(NICENESS)
    torch.set_num_threads(THREADS)
    model, _ = open_backbone(backbone, None, 2, 128)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), 2e-5)
    ids = torch.randint(10, 1_000, (16, 64), dtype=torch.int32)
    mask = torch.ones_like(ids)
    cut = max(0, model.layers - 4)
    for step in range(1_000_000):
        with torch.autocast("cpu", torch.bfloat16):
            logits = model.upper(model.lower(ids, mask, cut), mask, cut)
        torch.nn.functional.cross_entropy(logits.float(), torch.arange(16) % 2).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
        if not step:
            print("training", flush=True)


if __name__ == "__main__":
    _train(sys.argv[1])
