"""A load generator that costs little: raw sockets, requests built beforehand, replies looked at afterwards.

``python -m benchmarks.serve.load`` reads an ``Order`` as JSON on stdin and writes ``Sample``s as JSON lines.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Order:
    """What to send.

    Attributes:
        port: on 127.0.0.1.
        key: API key.
        texts: one text a request, in turn.
        concurrency: connections, each with one request at a time.
        seconds: how long; 0 means until stdin is closed.
        bodies: whether replies are wanted, not only their times.
    """

    port: int
    key: str
    texts: Sequence[str]
    concurrency: int
    seconds: float
    bodies: bool = False


class Sample(NamedTuple):
    """One request: which text, when it was sent (monotonic s), how long it took (s), status, and the reply's body."""

    text: int
    sent: float
    seconds: float
    status: int
    body: str


def _requests(order: Order) -> list[bytes]:
    requests = []
    for text in order.texts:
        body = json.dumps({"inputs": [text]}).encode()
        head = (
            f"POST /v1/predict/sentiment HTTP/1.1\r\nHost: 127.0.0.1:{order.port}\r\n"
            f"Authorization: Bearer {order.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        requests.append(head.encode() + body)
    return requests


async def _connection(order: Order, requests: Sequence[bytes], first: int, stop: asyncio.Event) -> list[Sample]:
    reader, writer = await asyncio.open_connection("127.0.0.1", order.port)
    samples: list[Sample] = []
    number = first
    while not stop.is_set():
        sent = time.monotonic()
        try:
            writer.write(requests[number])
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(length)
            status = int(head[9:12])
        except (OSError, ValueError, asyncio.IncompleteReadError) as error:
            samples.append(Sample(number, sent, time.monotonic() - sent, 0, repr(error)))
            break
        taken = time.monotonic() - sent
        samples.append(Sample(number, sent, taken, status, body.decode() if order.bodies else ""))
        number = (number + order.concurrency) % len(requests)
    writer.close()
    return samples


async def _play(order: Order) -> list[Sample]:
    stop = asyncio.Event()
    requests = _requests(order)
    connections = [
        asyncio.create_task(_connection(order, requests, first % len(requests), stop))
        for first in range(order.concurrency)
    ]
    if order.seconds:
        await asyncio.sleep(order.seconds)
    else:
        await asyncio.to_thread(sys.stdin.read)
    stop.set()
    return [sample for samples in await asyncio.gather(*connections) for sample in samples]


def start(order: Order) -> "subprocess.Popen[str]":
    """Start a generator in its own process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.serve.load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin
    process.stdin.write(json.dumps(asdict(order)) + "\n")
    process.stdin.flush()
    return process


def finish(process: "subprocess.Popen[str]") -> list[Sample]:
    """End it, and take what it measured."""
    written, _ = process.communicate()
    if process.returncode:
        raise RuntimeError("the load generator failed")
    return [Sample(*json.loads(line)) for line in written.split("\n") if line]


if __name__ == "__main__":
    for each in asyncio.run(_play(Order(**json.loads(sys.stdin.readline())))):
        print(json.dumps(each))
