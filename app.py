"""Wan Studio: the one entry. `python app.py` serves the page; `python app.py --help` lists the rest."""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import logging
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from backend.errors import StudioError
from backend.settings import Settings, read_env_file

HERE = Path(__file__).resolve().parent
PORT = 7860
MAX_EVENTS = 160
"""Gradio events that may run at once: API calls that wait for their video count, the page's polls do not."""
LOG_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 fine, 1 the work could not be done (the reason on stderr), 2 wrong use."""
    parser = argparse.ArgumentParser(
        prog="python app.py", description="Make videos with WAN 2.2 in a browser."
    )
    commands = parser.add_subparsers(dest="command", metavar="command")
    commands.add_parser("serve", help="serve the page (what happens without a command)")
    from backend.commands import add_compile, run_compile
    from backend.model_commands import add_models, run_models

    add_compile(commands)
    add_models(commands)
    arguments = parser.parse_args(argv)
    try:
        if arguments.command == "compile":
            return run_compile(arguments)
        if arguments.command == "models":
            return run_models(arguments)
        return serve()
    except StudioError as error:
        print(f"{error.message} {error.hint}".strip(), file=sys.stderr)
        logging.getLogger("wan").debug("%s: %s", error.code, error.detail, exc_info=True)
        return 1
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def serve() -> int:
    """Starts the studio and the page; returns after SIGINT or SIGTERM, with everything stopped."""
    for name, value in read_env_file(HERE / ".env").items():
        os.environ.setdefault(name, value)
    settings = Settings.from_env(os.environ, HERE)
    logging.basicConfig(level=settings.log_level.upper(), format=LOG_FORMAT)
    for name in ("httpx", "mcp"):
        logging.getLogger(name).setLevel(logging.WARNING)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    # Collecting garbage while hundreds of modules are imported finds none and takes an eighth of the start.
    gc.disable()
    from backend.studio import Studio

    studio = Studio(settings)  # starts the engine's process, which comes up while Gradio is imported
    try:
        _gradio_environment()
        from ui import layout

        page = layout.build(studio)
        host = os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1")
        port = int(os.environ.get("GRADIO_SERVER_PORT") or PORT)
        from backend.web import routes

        options = layout.launch_options(studio)
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # quiet=True still prints about MCP
                _, url, share_url = page.launch(
                    server_name=host,
                    server_port=port,
                    prevent_thread_lock=True,
                    quiet=True,
                    max_threads=MAX_EVENTS,
                    mcp_server=os.environ.get("GRADIO_MCP_SERVER", "true").lower() != "false",
                    app_kwargs={"routes": [*routes(studio), *layout.routes()]},
                    **options,
                )
        except OSError as error:
            logging.getLogger("wan").debug("launch: %s", error)
            print(f"Port {port} is taken.", file=sys.stderr)
            print("Stop what uses it, or set GRADIO_SERVER_PORT to another.", file=sys.stderr)
            return 1
        studio.start()
        gc.freeze()
        gc.enable()
        engine = studio.engines()[0]
        if studio.servers.plan.kind == "demo":
            print(
                "No ComfyUI was found, so the built-in demo engine runs: results are marked DEMO.", flush=True
            )
        else:
            print(f"Engine: ComfyUI at {engine.address}", flush=True)
        print(f"Wan Studio is at {share_url or url}", flush=True)
        stop.wait()
        page.close(verbose=False)
        return 0
    finally:
        studio.close()


def _gradio_environment() -> None:
    """What Gradio reads when it is imported."""
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # Uploads never lie in the data folder: what is there is kept, what is here expires.
    name = f"wan-studio-uploads-{os.getuid()}"
    os.environ.setdefault("GRADIO_TEMP_DIR", str(Path(tempfile.gettempdir()) / name))


if __name__ == "__main__":
    sys.exit(main())
