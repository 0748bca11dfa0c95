"""App start to the first answer of /healthz, against a hello-world Gradio app on the same machine.

Both are whole processes, started in turn; the hello-world app's first answer is that of its page.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from backend.servers.ports import free_port

ROOT = Path(__file__).resolve().parent.parent
HELLO = """
import gradio as gr, sys, threading
with gr.Blocks() as page:
    name = gr.Textbox()
    out = gr.Textbox()
    gr.Button("Greet").click(lambda x: f"Hello {x}", name, out)
page.launch(server_port=int(sys.argv[1]), prevent_thread_lock=True, quiet=True)
threading.Event().wait()
"""


def seconds_to(url: str, command: list[str], env: dict[str, str]) -> float:
    """Seconds from the start of the process to a 200 from `url`; stops the process afterwards."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while time.perf_counter() - began < 120:
            if process.poll() is not None:
                raise RuntimeError(f"{command} ended with {process.returncode}")
            try:
                with urllib.request.urlopen(url, timeout=5) as answer:
                    if answer.status == 200:
                        return time.perf_counter() - began
            except (urllib.error.URLError, OSError):
                time.sleep(0.01)
        raise RuntimeError(f"{url} did not answer")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        env = {
            **os.environ,
            "GRADIO_ANALYTICS_ENABLED": "False",
            "WAN_ENGINE": "demo",
            "WAN_DATA_DIR": folder,
        }
        for number in range(runs + 1):
            port = free_port()
            hello = seconds_to(f"http://127.0.0.1:{port}/", [sys.executable, "-c", HELLO, str(port)], env)
            port = free_port()
            app = seconds_to(
                f"http://127.0.0.1:{port}/healthz",
                [sys.executable, "app.py"],
                {**env, "GRADIO_SERVER_PORT": str(port)},
            )
            if number:  # the first of each warms the file cache
                ours.append(app)
                theirs.append(hello)
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    a, b = statistics.median(ours), statistics.median(theirs)
    print(
        f"app {a:.2f} s, hello world {b:.2f} s, ratio {ratio:.3f}  (median of {runs};"
        f" app {min(ours):.2f}-{max(ours):.2f}, hello {min(theirs):.2f}-{max(theirs):.2f})"
    )


if __name__ == "__main__":
    main()
