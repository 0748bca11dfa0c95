"""Settings: read once from the environment and `.env`, then passed around as frozen data."""

from __future__ import annotations

import os
import re
import shlex
import socket
import tempfile
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from backend import env_names
from backend.env_file import QUOTES, read_env_file, repeated
from backend.errors import BadSettings

ENGINES = ("auto", "comfyui", "runpod", "demo")
RUNPOD_COMFYUI = Path("/workspace/runpod-slim/ComfyUI")
COMFYUI_DIRS = (RUNPOD_COMFYUI, Path("/opt/ComfyUI"), Path("~/ComfyUI"))
RUNPOD_URL = "https://api.runpod.ai/v2"
MODEL_DIRS = (Path("/workspace/models"), Path("/runpod-volume/models"))

DEFAULTS: dict[str, str] = {
    "WAN_ENGINE": "auto",
    "COMFYUI_URL": "",
    "COMFYUI_DIR": "",
    "COMFYUI_PYTHON": "",
    "COMFYUI_ARGS": "",
    "COMFYUI_LISTEN": "127.0.0.1",
    "COMFYUI_PORT": "8188",
    "COMFYUI_WAIT_SECONDS": "300",
    "WAN_HUNG_SECONDS": "600",
    "WAN_MODELS_DIR": "",
    "WAN_DATA_DIR": "",
    "WAN_INPUT_DIR": "/workspace/wan-inputs",
    "WAN_AUTH": "",
    "WAN_DEMO_STEP_SECONDS": "0.15",
    "WAN_MAX_UPLOAD_MB": "100",
    "WAN_MAX_QUEUED": "100",
    "WAN_MAX_QUEUED_PER_OWNER": "5",
    "WAN_MAX_SECONDS": "600",
    "WAN_KEEP_DAYS": "30",
    "WAN_KEEP_DISK_PERCENT": "80",
    "WAN_OWNER_DISK_MB": "0",
    "WAN_LOG_LEVEL": "info",
    "WAN_LOG_FORMAT": "text",
    "WAN_LOG_PROMPTS": "0",
    "WAN_LOG_CONSOLE": "1",
    "WAN_LOG_MB": "10",
    "RUNPOD_ENDPOINT_ID": "",
    "RUNPOD_API_KEY": "",
    "RUNPOD_ENDPOINT_BASE_URL": RUNPOD_URL,
    "WAN_RUNPOD_CONCURRENCY": "3",
    "WAN_RUNPOD_MINUTES": "60",
    "WAN_RUNPOD_TTL_HOURS": "24",
    "WAN_WORKER_MINUTES": "120",
    "WAN_WORKER_START_SECONDS": "600",
    "WAN_WORKER_VOLUME": "/runpod-volume",
    "WAN_WORKER_RESULT_MB": "10",
}
"""Every variable that we read ourselves, with its default as text; the README lists the same (tested)."""
OPEN_QUEUED_PER_OWNER = 3
"""WAN_MAX_QUEUED_PER_OWNER where anybody can come in and the variable does not say otherwise."""
LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")


@dataclass(frozen=True)
class RunPodSettings:
    """The Serverless endpoint that a page sends its jobs to."""

    endpoint_id: str
    api_key: str = field(repr=False)
    base_url: str
    concurrency: int  # jobs at RunPod at once
    minutes: float  # a worker may spend on one job
    ttl_hours: float  # a job may live, waiting included

    @property
    def given(self) -> bool:
        """Whether there is an endpoint to send to."""
        return bool(self.endpoint_id and self.api_key)


@dataclass(frozen=True)
class WorkerSettings:
    """The worker of a Serverless endpoint (`app.py worker`)."""

    minutes: float  # for one job
    start_seconds: float  # ComfyUI may take to come up
    volume: Path  # the network volume; need not be there
    result_mb: float  # the largest answer that RunPod takes back, base64 and all


@dataclass(frozen=True)
class Settings:
    """What the environment says. Paths are absolute; lists are tuples.

    auth: (user, password) pairs, the admin first. public: how people other than this machine's
    can reach the page, in words ("a share link"); "" when they cannot. What depends on it is a property, so
    that `replace(settings, public=...)` is consistent: whether there is a share link is known only when the
    page is served.
    """

    engine: str
    comfyui_urls: tuple[str, ...]
    comfyui_dir: Path | None
    comfyui_dir_given: bool  # by COMFYUI_DIR, as opposed to found
    comfyui_python: str
    comfyui_args: tuple[str, ...]
    comfyui_listen: str
    comfyui_port: int  # where one is looked for, and from which on our own are started
    comfyui_wait_seconds: float
    hung_seconds: float
    models_dir: Path
    data_dir: Path
    data_dir_refused: Path | None  # the folder that would be data_dir by default, if it could be written to
    input_dir: Path
    auth: tuple[tuple[str, str], ...] = field(repr=False)
    public: str
    demo_step_seconds: float
    max_upload_mb: int
    max_queued: int
    queued_per_owner: int | None  # WAN_MAX_QUEUED_PER_OWNER where it is set
    max_seconds: float  # of a video
    keep_days: int
    keep_disk_percent: float
    owner_disk_mb: int  # what one visitor's videos may take; 0: an equal share
    log_level: str
    log_format: str
    log_prompts: bool
    log_console: bool  # whether the log goes to stderr too
    log_mb: float  # the size at which the log file is rotated; 0: there is none
    machine: str  # a name that stays when this machine starts again: the pod's id, else the host's name
    runpod: RunPodSettings
    worker: WorkerSettings

    @property
    def open_to_all(self) -> bool:
        """Whether anybody who knows the address can use the page: public, and no login."""
        return bool(self.public) and not self.auth

    @property
    def max_queued_per_owner(self) -> int:
        if self.queued_per_owner is not None:
            return self.queued_per_owner
        return OPEN_QUEUED_PER_OWNER if self.open_to_all else int(DEFAULTS["WAN_MAX_QUEUED_PER_OWNER"])

    @property
    def jobs_dir(self) -> Path:
        return self.data_dir / "jobs"

    @property
    def database(self) -> Path:
        return self.data_dir / "studio.db"

    @property
    def log_file(self) -> Path:
        return self.data_dir / "logs" / "studio.log"

    @staticmethod
    def from_env(
        environ: Mapping[str, str], here: Path | None = None, comfyui_dirs: Sequence[Path] | None = None
    ) -> Settings:
        """Reads and checks. `here`: what relative folders are relative to (default: the working folder).
        `comfyui_dirs`: where ComfyUI is looked for without COMFYUI_DIR (default: COMFYUI_DIRS).

        Raises BadSettings, naming the variable.
        """
        here = (here or Path.cwd()).resolve()
        env_names.check_environment(environ, DEFAULTS)
        comfyui_dirs = COMFYUI_DIRS if comfyui_dirs is None else comfyui_dirs

        def text(name: str) -> str:
            return environ.get(name, "").strip() or DEFAULTS[name]

        def folder(name: str, *fallbacks: Path) -> Path:
            value = text(name)
            return (here / Path(value).expanduser()) if value else fallbacks[0]

        engine = text("WAN_ENGINE").lower()
        if engine not in ENGINES:
            raise BadSettings(
                f"WAN_ENGINE is {engine!r}, which is not one of {', '.join(ENGINES)}.",
                "Leave it out to let Wan Studio find ComfyUI by itself.",
            )
        urls = tuple(_url(part) for part in text("COMFYUI_URL").split(",") if part.strip())
        given_dir = text("COMFYUI_DIR")
        comfyui_dir = (
            (here / Path(given_dir).expanduser()) if given_dir else _first_dir(comfyui_dirs, "main.py")
        )
        if given_dir and comfyui_dir and not (comfyui_dir / "main.py").is_file():
            raise BadSettings(
                f"COMFYUI_DIR is {comfyui_dir}, and there is no ComfyUI (main.py) in it.",
                "Set it to the folder that holds ComfyUI's main.py.",
            )
        try:
            args = tuple(shlex.split(text("COMFYUI_ARGS")))
        except ValueError as error:
            raise BadSettings(f"COMFYUI_ARGS cannot be read: {error}.", "Check its quotes.") from error
        for taken in ("--port", "--listen"):
            if any(arg == taken or arg.startswith(taken + "=") for arg in args):
                raise BadSettings(
                    f"COMFYUI_ARGS has {taken}, which Wan Studio sets itself.",
                    "Use COMFYUI_LISTEN for the address and COMFYUI_PORT for the first port.",
                )
        auth, public = _accounts(environ.get("WAN_AUTH", "")), reach(environ)
        per_owner = "WAN_MAX_QUEUED_PER_OWNER"
        data_default, data_refused = _data_dir(here, environ)
        return Settings(
            engine=engine,
            comfyui_urls=urls,
            comfyui_dir=comfyui_dir,
            comfyui_dir_given=bool(given_dir),
            comfyui_python=text("COMFYUI_PYTHON"),
            comfyui_args=args,
            comfyui_listen=text("COMFYUI_LISTEN"),
            comfyui_port=int(_number(text("COMFYUI_PORT"), "COMFYUI_PORT", 1, 65_535)),
            comfyui_wait_seconds=_number(text("COMFYUI_WAIT_SECONDS"), "COMFYUI_WAIT_SECONDS", 0, 86_400),
            hung_seconds=_number(text("WAN_HUNG_SECONDS"), "WAN_HUNG_SECONDS", 1, 86_400),
            models_dir=folder("WAN_MODELS_DIR", _first_dir(MODEL_DIRS) or here / "models"),
            data_dir=folder("WAN_DATA_DIR", data_default),
            data_dir_refused=None if text("WAN_DATA_DIR") else data_refused,
            input_dir=folder("WAN_INPUT_DIR"),
            auth=auth,
            public=public,
            demo_step_seconds=_number(text("WAN_DEMO_STEP_SECONDS"), "WAN_DEMO_STEP_SECONDS", 0, 60),
            max_upload_mb=int(_number(text("WAN_MAX_UPLOAD_MB"), "WAN_MAX_UPLOAD_MB", 1, 100_000)),
            max_queued=int(_number(text("WAN_MAX_QUEUED"), "WAN_MAX_QUEUED", 1, 100_000)),
            queued_per_owner=int(_number(text(per_owner), per_owner, 1, 100_000))
            if environ.get(per_owner, "").strip()
            else None,
            max_seconds=_number(text("WAN_MAX_SECONDS"), "WAN_MAX_SECONDS", 1, 600),
            keep_days=int(_number(text("WAN_KEEP_DAYS"), "WAN_KEEP_DAYS", 1, 36_500)),
            keep_disk_percent=_number(text("WAN_KEEP_DISK_PERCENT"), "WAN_KEEP_DISK_PERCENT", 1, 100),
            owner_disk_mb=int(_number(text("WAN_OWNER_DISK_MB"), "WAN_OWNER_DISK_MB", 0, 1_000_000_000)),
            log_level=_choice(text("WAN_LOG_LEVEL").lower(), "WAN_LOG_LEVEL", ("debug", "info", "warning")),
            log_format=_choice(text("WAN_LOG_FORMAT").lower(), "WAN_LOG_FORMAT", ("text", "json")),
            machine=environ.get("RUNPOD_POD_ID", "").strip() or socket.gethostname(),
            log_prompts=_choice(text("WAN_LOG_PROMPTS"), "WAN_LOG_PROMPTS", ("0", "1")) == "1",
            log_console=_choice(text("WAN_LOG_CONSOLE"), "WAN_LOG_CONSOLE", ("0", "1")) == "1",
            log_mb=_number(text("WAN_LOG_MB"), "WAN_LOG_MB", 0, 10_000),
            runpod=_runpod(text),
            worker=WorkerSettings(
                minutes=_number(text("WAN_WORKER_MINUTES"), "WAN_WORKER_MINUTES", 0.1, 10_080),
                start_seconds=_number(
                    text("WAN_WORKER_START_SECONDS"), "WAN_WORKER_START_SECONDS", 1, 86_400
                ),
                volume=here / Path(text("WAN_WORKER_VOLUME")).expanduser(),
                result_mb=_number(text("WAN_WORKER_RESULT_MB"), "WAN_WORKER_RESULT_MB", 0.1, 1000),
            ),
        )


def _runpod(text: Callable[[str], str]) -> RunPodSettings:
    endpoint = text("RUNPOD_ENDPOINT_ID")
    if not re.fullmatch(r"[A-Za-z0-9_-]{0,100}", endpoint):
        raise BadSettings(
            f"RUNPOD_ENDPOINT_ID is {endpoint!r}, which is not an endpoint's id.",
            "It is the short word in the endpoint's address: .../v2/THIS/run.",
        )
    key = text("RUNPOD_API_KEY")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise BadSettings("RUNPOD_API_KEY has characters that no key has.", "Copy it once more from RunPod.")
    return RunPodSettings(
        endpoint_id=endpoint,
        api_key=key,
        base_url=_url(text("RUNPOD_ENDPOINT_BASE_URL"), "RUNPOD_ENDPOINT_BASE_URL", RUNPOD_URL),
        concurrency=int(_number(text("WAN_RUNPOD_CONCURRENCY"), "WAN_RUNPOD_CONCURRENCY", 1, 100)),
        minutes=_number(text("WAN_RUNPOD_MINUTES"), "WAN_RUNPOD_MINUTES", 0.1, 10_080),
        ttl_hours=_number(text("WAN_RUNPOD_TTL_HOURS"), "WAN_RUNPOD_TTL_HOURS", 0.01, 168),
    )


def load_environment(here: Path, environ: MutableMapping[str, str] = os.environ) -> list[str]:
    """Adds what `.env` in this folder says and the environment does not; an empty variable says nothing.

    Returns warnings: names that look like settings and are none. Raises BadSettings.
    """
    file = here / ".env"
    env_names.check_environment(environ, DEFAULTS)
    values = read_env_file(file)
    warnings = [
        f"{file} sets {env_names.shown(name)} more than once; the last line counts."
        for name in repeated(file)
    ]
    for where, names in ((str(file), values), ("The environment", sorted(environ))):
        warnings += [
            f"{where} sets {env_names.shown(name)}, which is not a setting. Did you mean {nearest}?"
            for name, nearest in env_names.unknown(names, DEFAULTS)
        ]
    for name, value in values.items():
        if not environ.get(name, "").strip():
            environ[name] = value
    return warnings


def _accounts(text: str) -> tuple[tuple[str, str], ...]:
    """ "ann:secret,bob:other" as pairs; none for "". Raises BadSettings, which never repeats a password."""
    example = "Example: WAN_AUTH=ann:a-long-password,bob:another. A password has no comma."
    pairs = [part.strip().partition(":") for part in text.split(",") if part.strip()]
    if text and not pairs:
        raise BadSettings(
            "WAN_AUTH names no user.",
            "Write WAN_AUTH=user:password, or leave it out for a page without a login.",
        )
    for number, (user, colon, password) in enumerate(pairs, 1):
        if not user.strip() or not colon or not password:
            raise BadSettings(f"Entry {number} of WAN_AUTH is not user:password.", example)
        if user[0] in QUOTES or user[0] == "=":
            raise BadSettings(
                f"Entry {number} of WAN_AUTH begins with {'a quote' if user[0] in QUOTES else '='}.",
                "Put straight quotes around the whole value, and only in .env or a shell; elsewhere none.",
            )
        if not (user + password).isprintable():
            raise BadSettings(
                f"Entry {number} of WAN_AUTH has a character that cannot be seen, such as a tab or a "
                "non-breaking space.",
                "Type it anew.",
            )
    users = [user.strip() for user, _, _ in pairs]
    if len(set(users)) < len(users):
        raise BadSettings("WAN_AUTH names a user twice.", "Give every user one entry.")
    return tuple((user.strip(), password) for user, _, password in pairs)


def share_asked(environ: Mapping[str, str]) -> bool:
    """Whether Gradio is asked for a share link."""
    return environ.get("GRADIO_SHARE", "").lower() == "true"


def reach(environ: Mapping[str, str], shared: bool | None = None) -> str:
    """How strangers reach the page, in words; "" when only this machine does.

    shared: whether there is a share link; None while that is not known, when one that is asked for counts.
    """
    if share_asked(environ) if shared is None else shared:
        return "a share link"
    host = environ.get("GRADIO_SERVER_NAME", "").strip()
    if host in LOOPBACK or host.startswith("127."):
        return ""
    if environ.get("SPACE_ID"):
        return "Hugging Face Spaces"
    if environ.get("RUNPOD_POD_ID"):
        return "RunPod's proxy"
    return "the network" if host else ""


def _url(text: str, name: str = "COMFYUI_URL", example: str = "http://127.0.0.1:8188") -> str:
    url = text.strip()
    if "://" not in url:
        url = "http://" + url
    try:
        parts = urlsplit(url)
        wrong = parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0
    except ValueError:  # a port that is none, half an IPv6 address
        wrong = True
    if wrong:
        raise BadSettings(
            f"{name} has {text.strip()!r}, which is not an http address.",
            f"Example: {name}={example}",
        )
    return url.rstrip("/")


def _number(text: str, name: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise BadSettings(f"{name} is {text!r}; it takes a number from {low:g} to {high:g}.")
    return value


def _choice(text: str, name: str, allowed: tuple[str, ...]) -> str:
    if text not in allowed:
        raise BadSettings(f"{name} is {text!r}; it takes one of {', '.join(allowed)}.")
    return text


def _data_dir(here: Path, environ: Mapping[str, str]) -> tuple[Path, Path | None]:
    """The data folder where none is given, and the one that would be it if it could be written to.

    The volume of a pod, the persistent disk of a Space, else beside app.py, else the user's own folder.
    """
    volume = Path("/workspace/wan-studio")
    if environ.get("SPACE_ID"):
        volume = Path("/data/wan-studio")
    folders = [volume] if os.path.ismount(volume.parent) else []
    folders += [here / "data"]
    if environ.get("HOME"):
        folders += [Path(environ["HOME"]) / ".local" / "share" / "wan-studio"]
    folders += [Path(tempfile.gettempdir()) / f"wan-studio-{os.getuid()}"]
    chosen = next((folder for folder in folders if _writable(folder)), folders[0])
    return chosen, folders[0] if chosen != folders[0] else None


def _writable(folder: Path) -> bool:
    """Whether the folder can be written to, or made: the disk may be read-only for root, too."""
    there = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def _first_dir(candidates: Sequence[Path], holding: str = "") -> Path | None:
    for candidate in candidates:
        try:
            candidate = candidate.expanduser()
        except RuntimeError:  # a user without a home, as containers have them
            continue
        if candidate.is_dir() and (candidate / holding).exists():
            return candidate
    return None
