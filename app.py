"""Wan Studio: the one entry. `python app.py` serves the page; `python app.py --help` lists the rest."""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib.util
import io
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from backend import logs
from backend.errors import StudioError
from backend.notices import words
from backend.security.accounts import Accounts
from backend.settings.reach import reach, share_asked
from backend.stopping import StopSignal
from backend.storage import upload_folder
from backend.system import banner, user_folders
from backend.web import address, listening

if TYPE_CHECKING:
    from gradio import Blocks

    from backend.settings.model import Settings
    from backend.studio import Studio
    from backend.web.listening import Listening

HERE = Path(__file__).resolve().parent
MAX_EVENTS = 160
"""Gradio events that may run at once: API calls that wait for their video count, the page's polls do not."""


def main(argv: Sequence[str] | None = None, here: Path = HERE) -> int:
    """`here`: where the `models` command finds `.env`. Exit status: 0 fine, 1 the work could not be done (the
    reason on stderr), 2 wrong use."""
    parser = argparse.ArgumentParser(
        prog="python app.py", description="Make videos with WAN 2.2 in a browser."
    )
    commands = parser.add_subparsers(dest="command", metavar="command")
    serving = commands.add_parser("serve", help="serve the page (what happens without a command)")
    serving.add_argument("--parent", type=int, metavar="PID", help="stop when this process, the parent, ends")
    from backend.cli.bench_table import add_bench
    from backend.cli.compile import add_compile, run_compile
    from backend.cli.models import add_models, run_models
    from backend.cli.nodes import add_nodes, run_nodes
    from backend.cli.run_options import add_run
    from backend.worker.main import add_worker

    add_run(commands)
    add_compile(commands)
    add_models(commands)
    add_nodes(commands)
    add_bench(commands)
    add_worker(commands)
    arguments, rest = parser.parse_known_args(argv)
    if rest and arguments.command != "worker":  # the worker's are the RunPod SDK's
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        user_folders.check_temporary()
        if arguments.command == "compile":
            return run_compile(arguments, lambda: _settings(log_file=False))
        if arguments.command == "models":
            return run_models(arguments, here)
        if arguments.command == "nodes":
            return run_nodes(arguments)
        if arguments.command == "bench":
            from backend.cli.bench import run_bench

            return run_bench(arguments, HERE)
        if arguments.command == "run":
            from backend.cli.run import run_run

            return run_run(arguments, HERE)
        if arguments.command == "worker":
            return run_worker(rest)
        return serve(getattr(arguments, "parent", None))
    except StudioError as error:
        from backend.cli.console import complain

        complain(error.message, error.hint)
        logging.getLogger("wan").debug("%s: %s", error.code, error.detail, exc_info=True)
        return 1
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def run_worker(options: Sequence[str]) -> int:
    """The worker of a RunPod Serverless endpoint; `options` are its SDK's."""
    from backend.worker.main import run_worker

    return run_worker(_settings(log_file=False), options)


def _settings(log_file: bool = True) -> Settings:
    """The settings of the environment and `.env`; the log is set up by them. log_file: there will be one."""
    from backend.settings.environment import load_environment
    from backend.settings.model import Settings

    warnings = load_environment(HERE)
    settings = Settings.from_env(os.environ, HERE)
    console = settings.log_console or not (log_file and settings.log_mb)
    logs.start(settings.log_level, settings.log_format, settings.log_prompts, settings.secrets, console)
    for warning in warnings:
        logging.getLogger("wan.settings").warning(words(warning))
    for sentence in user_folders.prepare(os.environ):
        print(sentence, file=sys.stderr, flush=True)
    return settings


def serve(parent: int | None = None) -> int:
    """Starts the studio and the page; returns after SIGINT or SIGTERM, with everything stopped. parent: the
    process whose end stops it too."""
    settings = _settings()
    listener = listening.bind(os.environ)
    stop = StopSignal()
    stop.install()

    from backend.system import diagnostics

    for sentence in diagnostics.at_start(settings):
        print(sentence, file=sys.stderr, flush=True)

    # Collecting garbage while hundreds of modules are imported finds none and takes an eighth of the start.
    gc.disable()
    from backend.studio import Studio

    studio = Studio(
        settings, exclusive=True
    )  # starts the engine's process, which comes up while Gradio is imported
    if settings.log_mb:  # only now is the data folder ours alone
        logs.to_file(settings.log_file, round(settings.log_mb * 1e6))
    try:
        with logs.printing_logged() as out:
            return _serve(studio, settings, listener, stop, out, parent)
    finally:
        studio.close()
        listener.close()


def _serve(
    studio: Studio, settings: Settings, listener: Listening, stop: StopSignal, out: TextIO,
    parent: int | None = None,
) -> int:  # fmt: skip
    """Serves the page until `stop`. out: where the start's own sentences are printed; parent: as in serve."""
    from backend.services import UPLOADS

    os.environ["GRADIO_SERVER_PORT"] = str(listener.port)  # Gradio cannot be imported with an empty one
    _gradio_environment(studio.secret(UPLOADS))
    from ui import page

    if stop.asked:  # the rest of the start takes seconds
        return 0
    blocks = page.build(studio)
    share_url = _launch(blocks, studio, settings, listener)
    studio.reached(reach(os.environ, shared=bool(share_url)))
    page.update_public_warning(blocks, studio)
    studio.start()
    studio.served(listener.url)
    gc.freeze()
    gc.enable()
    for line in _start_lines(studio, settings, listener, share_url):
        print(line, file=out, flush=True)
    stop.wait(parent=parent)
    blocks.close(verbose=False)
    return 0


def _launch(blocks: Blocks, studio: Studio, settings: Settings, listener: Listening) -> str | None:
    """Serves the page on the listener's sockets. Returns the address of its share link, if there is one."""
    from backend.web import connections, hosts, previews
    from backend.web.routes import middleware_lifespan, routes
    from ui import page
    from ui.gradio_fixes import file_records
    from ui.gradio_fixes.own_sockets import serving_on
    from ui.i18n.texts import text

    accounts, uploads = Accounts.of(settings), Path(os.environ["GRADIO_TEMP_DIR"])
    root = address.root_path(os.environ)
    names = hosts.known(os.environ, listener.host, settings.allowed_hosts)
    options = page.launch_options(studio)
    try:
        # quiet=True still prints about MCP
        with (
            contextlib.redirect_stdout(io.StringIO()),
            connections.bounded_servers(),
            serving_on(listener.sockets, listener.url),
        ):
            served, _, share_url = blocks.launch(
                root_path=root,
                prevent_thread_lock=True,
                quiet=True,
                max_threads=MAX_EVENTS,
                mcp_server=os.environ.get("GRADIO_MCP_SERVER", "true").lower() != "false",
                auth=accounts.check if accounts is not None else None,
                auth_message=text("page.login"),
                app_kwargs={
                    "routes": [*routes(studio), *previews.routes(studio, uploads), *page.routes()],
                    "lifespan": middleware_lifespan(studio, uploads, address.prefix(root), names),
                    "exception_handlers": page.exception_handlers(),
                },
                **options,
            )
    except OSError as error:
        raise listener.refusal(error) from error
    file_records.keep_latest(served)
    names.add(share_url or "")
    blocks.share = False  # else Gradio sends share links a page whose scripts are on another host
    return share_url


def _start_lines(
    studio: Studio, settings: Settings, listener: Listening, share_url: str | None
) -> Iterator[str]:
    """The lines that the terminal shows once the page is served: the engine, its faults, the banner."""
    choice = studio.servers.choice
    if choice.row.simulated:
        why = "No ComfyUI was found: the" if settings.engine == "auto" else "The"
        yield f"{why} built-in demo engine runs, results are marked DEMO."
    else:
        yield f"Engine: {choice.row.service} at {studio.engines()[0].address}"
    for fault in dict.fromkeys(filter(None, (info.fault for info in studio.engines()))):
        yield f"Warning: {words(fault)}"
    yield from banner.lines(
        address.address(os.environ, listener.host, listener.port, share_url),
        users=[user for user, _ in settings.auth],
        admin_token=studio.admins.token,
        share_asked=share_asked(os.environ),
        shared=bool(share_url),
        warning=studio.public_warning(),
    )


def _gradio_environment(whose: str) -> None:
    """What Gradio reads when it is imported. `whose`: marks the upload folder as this studio's."""
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # Else each event makes pandas compute a table of the last 10,000 events, which is shown nowhere.
    os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "1")
    os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", str(10**9))
    if importlib.util.find_spec("spaces") is None:
        # On a Space Gradio would reload changed code by this package, and fail without it with a traceback.
        os.environ.pop("SYSTEM", None)
    # Uploads are never in the data folder: files there are kept, uploads expire.
    default = f"{tempfile.gettempdir()}/wan-studio-uploads-{os.getuid()}"
    folder = upload_folder.claim(
        upload_folder.named(os.environ.get("GRADIO_TEMP_DIR", "").strip() or default), whose
    )
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    upload_folder.sweep(folder, whose, time.time() - upload_folder.KEEP_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
