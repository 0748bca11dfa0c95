"""Uploads to the real app, one and several at once: MB per second, and CPU and memory of the app."""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import threading
import time
from urllib.parse import urlsplit

from benchmarks.served import App, app, load

MB = 1_000_000


def upload(url: str, block: bytes, count: int) -> None:
    """Sends one multipart body of `count` blocks. Raises RuntimeError when it is refused."""
    parts = urlsplit(url)
    head = (
        b'--x\r\nContent-Disposition: form-data; name="files"; filename="clip.mp4"\r\n'
        b"Content-Type: video/mp4\r\n\r\n"
    )
    tail = b"\r\n--x--\r\n"
    size = len(head) + len(block) * count + len(tail)
    with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=120) as link:
        link.sendall(
            f"POST /gradio_api/upload HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n"
            f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {size}\r\n\r\n".encode()
        )
        link.sendall(head)
        for _ in range(count):
            link.sendall(block)
        link.sendall(tail)
        answer = b""
        while piece := link.recv(65536):
            answer += piece
    if b" 200 " not in answer.split(b"\r\n", 1)[0]:
        raise RuntimeError(answer[:300].decode(errors="replace"))


def measure(served: App, megabytes: int, at_once: int, runs: int) -> None:
    block = os.urandom(MB)
    rates, costs = [], []
    for _ in range(runs):
        cpu, began = served.cpu_seconds(), time.perf_counter()
        threads = [
            threading.Thread(target=upload, args=(served.url, block, megabytes)) for _ in range(at_once)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rates.append(megabytes * at_once / (time.perf_counter() - began))
        costs.append(1000 * (served.cpu_seconds() - cpu) / (megabytes * at_once))
    print(
        f"{at_once} at once, {megabytes} MB each: {statistics.median(rates):.0f} MB/s together"
        f" ({min(rates):.0f} to {max(rates):.0f}), {statistics.median(costs):.1f} ms of a core for each MB,"
        f" app {served.memory() / MB:.0f} MB in memory",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=90)
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    with app() as served:
        print(load())
        for at_once in arguments.at_once:
            measure(served, arguments.megabytes, at_once, arguments.runs)


if __name__ == "__main__":
    main()
