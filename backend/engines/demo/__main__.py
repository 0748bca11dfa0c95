"""Starts the demo engine: `python -m backend.engines.demo --port 8188`."""

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

CHECK_SECONDS = 0.5


def parse(arguments: list[str]) -> argparse.Namespace:
    """Exits with 2 on wrong use."""
    parser = argparse.ArgumentParser(
        prog="python -m backend.engines.demo",
        description="A server that speaks ComfyUI's protocol without a GPU. Its results are marked DEMO.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8188, help="0 picks a free one (default 8188)")
    parser.add_argument("--dir", type=Path, help="holds input, output and temp (default: made, then removed)")
    default = os.environ.get("WAN_DEMO_STEP_SECONDS") or "0.15"
    parser.add_argument(
        "--step-seconds", type=float, default=default, help="how long a sampling step takes (default 0.15)"
    )
    parser.add_argument(
        "--preview-method",
        choices=("none", "auto", "latent2rgb", "taesd"),
        default="none",
        help="send pictures of the work in progress to everyone (default: to who asks)",
    )
    parser.add_argument(
        "--without", action="append", default=[], metavar="FILE", help="a model file that is not there"
    )
    parser.add_argument("--faults", action="store_true", help="accept POST /demo/faults, for tests")
    parser.add_argument("--parent-pid", type=int, help="end when this process is gone")
    parser.add_argument(
        "--until-idle", type=float, metavar="SECONDS", help="end when nobody has asked for anything so long"
    )
    return parser.parse_args(arguments)


def alive(pid: int, was_parent: bool) -> bool:
    """Whether a process is there; our own parent counts as gone when another took us over."""
    if was_parent:
        return os.getppid() == pid
    return psutil.pid_exists(pid)


async def serve(arguments: argparse.Namespace, base: Path) -> None:
    """Serves until a signal or the end of the parent. Raises OSError when the port is taken."""
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
    """Loads the picture libraries while nobody waits for them."""
    import backend.engines.demo.nodes  # noqa: F401


def main(arguments: list[str] | None = None) -> int:
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
    os._exit(status)  # a frame may still be drawn on the other thread: it is not waited for


if __name__ == "__main__":
    main()
