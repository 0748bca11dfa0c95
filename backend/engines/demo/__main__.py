"""Command line of the demo engine: `python -m backend.engines.demo --port 8188`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path

import psutil
from aiohttp import web

from backend.engines.demo.executor import Options
from backend.engines.demo.folders import Folders
from backend.engines.demo.server import DemoServer

CHECK_SECONDS = 0.5  # between checks whether the parent is alive and the server is idle


def parse(arguments: list[str]) -> argparse.Namespace:
    """Parses the command line; exits with status 2 if it is invalid."""
    parser = argparse.ArgumentParser(
        prog="python -m backend.engines.demo",
        description="A server with ComfyUI's API that needs no GPU. Its results are marked DEMO.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8188, help="0 picks a free one (default 8188)")
    parser.add_argument("--dir", type=Path, help="holds input, output and temp (default: a temporary folder)")
    default = os.environ.get("WAN_DEMO_STEP_SECONDS") or "0.15"
    parser.add_argument(
        "--step-seconds", type=float, default=default, help="how long a sampling step takes (default 0.15)"
    )
    parser.add_argument(
        "--preview-method",
        choices=("none", "auto", "latent2rgb", "taesd"),
        default="none",
        help="send previews to all clients (default: only to those that request them)",
    )
    parser.add_argument(
        "--without", action="append", default=[], metavar="FILE", help="a model file to leave out"
    )
    parser.add_argument("--faults", action="store_true", help="accept POST /demo/faults, for tests")
    parser.add_argument("--parent-pid", type=int, help="exit when this process has ended")
    parser.add_argument(
        "--until-idle", type=float, metavar="SECONDS", help="exit after this long without a request"
    )
    return parser.parse_args(arguments)


def alive(pid: int, was_parent: bool) -> bool:
    """Whether a process exists. The parent (`was_parent`) has ended once this process has another parent."""
    if was_parent:
        return os.getppid() == pid
    return psutil.pid_exists(pid)


async def serve(arguments: argparse.Namespace, base: Path) -> None:
    """Serves until a signal arrives, the parent ends or the server is idle.

    Raises OSError if the port is in use.
    """
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end.set)
    folders = Folders.below(base)
    options = Options(max(0.0, arguments.step_seconds), arguments.preview_method)
    server = DemoServer(folders, options, without=arguments.without, allow_faults=arguments.faults)
    runner = web.AppRunner(server.app(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, arguments.host, arguments.port)
    await site.start()
    port = runner.addresses[0][1]
    delivery = server.start()
    host = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
    print(f"Demo engine on http://{host}:{port} (no GPU; results are marked DEMO)", flush=True)
    threading.Thread(target=_preload, daemon=True).start()
    await _wait_for_exit(end, arguments.parent_pid, server, arguments.until_idle)
    delivery.cancel()


async def _wait_for_exit(
    end: asyncio.Event, parent: int | None, server: DemoServer, idle: float | None
) -> None:
    was_parent = parent is not None and os.getppid() == parent
    while not end.is_set():
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(end.wait(), CHECK_SECONDS if parent or idle else None)
        if parent and not alive(parent, was_parent):
            return
        if idle and server.idle_seconds() > idle:
            return


def _preload() -> None:
    """Imports the image libraries in the background, before the first prompt needs them."""
    import backend.engines.demo.nodes  # noqa: F401


def main(arguments: list[str] | None = None) -> int:
    """Runs the server and ends the process: status 0, or 1 if it cannot listen on the port."""
    options = parse(sys.argv[1:] if arguments is None else arguments)
    base = options.dir or Path(tempfile.mkdtemp(prefix="wan-demo-"))
    status = 0
    try:
        asyncio.run(serve(options, base))
    except OSError as error:
        print(f"The demo engine cannot listen on port {options.port}: {error}", file=sys.stderr)
        status = 1
    finally:
        if options.dir is None:
            shutil.rmtree(base, ignore_errors=True)
    sys.stdout.flush()
    os._exit(status)  # does not wait for the executor thread, which may still be rendering a frame


if __name__ == "__main__":
    main()
