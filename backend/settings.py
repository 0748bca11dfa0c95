"""Settings: read once from the environment and `.env`, then passed around as frozen data."""

from __future__ import annotations

import io
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values

from backend.errors import BadSettings

ENGINES = ("auto", "comfyui", "demo")
COMFYUI_PORT = 8188
RUNPOD_COMFYUI = Path("/workspace/runpod-slim/ComfyUI")
COMFYUI_DIRS = (RUNPOD_COMFYUI, Path("/opt/ComfyUI"), Path("~/ComfyUI"))
MODEL_DIRS = (Path("/workspace/models"), Path("/runpod-volume/models"))

DEFAULTS: dict[str, str] = {
    "WAN_ENGINE": "auto",
    "COMFYUI_URL": "",
    "COMFYUI_DIR": "",
    "COMFYUI_PYTHON": "",
    "COMFYUI_ARGS": "",
    "COMFYUI_LISTEN": "127.0.0.1",
    "COMFYUI_WAIT_SECONDS": "300",
    "WAN_MODELS_DIR": "",
    "WAN_DATA_DIR": "",
    "WAN_DEMO_STEP_SECONDS": "0.15",
    "WAN_MAX_UPLOAD_MB": "100",
    "WAN_MAX_QUEUED": "100",
    "WAN_MAX_QUEUED_PER_OWNER": "5",
    "WAN_KEEP_DAYS": "30",
    "WAN_LOG_LEVEL": "info",
}
"""Every variable that we read ourselves, with its default as text; the README lists the same (tested)."""


@dataclass(frozen=True)
class Settings:
    """What the environment says. Paths are absolute; lists are tuples."""

    engine: str
    comfyui_urls: tuple[str, ...]
    comfyui_dir: Path | None
    comfyui_python: str
    comfyui_args: tuple[str, ...]
    comfyui_listen: str
    comfyui_wait_seconds: float
    models_dir: Path
    data_dir: Path
    demo_step_seconds: float
    max_upload_mb: int
    max_queued: int
    max_queued_per_owner: int
    keep_days: int
    log_level: str

    @property
    def jobs_dir(self) -> Path:
        return self.data_dir / "jobs"

    @property
    def database(self) -> Path:
        return self.data_dir / "studio.db"

    @staticmethod
    def from_env(environ: Mapping[str, str], here: Path | None = None) -> Settings:
        """Reads and checks. `here`: what relative folders are relative to (default: the working folder).

        Raises BadSettings, naming the variable.
        """
        here = (here or Path.cwd()).resolve()

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
            (here / Path(given_dir).expanduser()) if given_dir else _first_dir(COMFYUI_DIRS, "main.py")
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
                    "Use COMFYUI_LISTEN for the address; the port is 8188.",
                )
        data_default = Path("/workspace/wan-studio") if os.path.ismount("/workspace") else here / "data"
        return Settings(
            engine=engine,
            comfyui_urls=urls,
            comfyui_dir=comfyui_dir,
            comfyui_python=text("COMFYUI_PYTHON"),
            comfyui_args=args,
            comfyui_listen=text("COMFYUI_LISTEN"),
            comfyui_wait_seconds=_number(text("COMFYUI_WAIT_SECONDS"), "COMFYUI_WAIT_SECONDS", 0, 86_400),
            models_dir=folder("WAN_MODELS_DIR", _first_dir(MODEL_DIRS) or here / "models"),
            data_dir=folder("WAN_DATA_DIR", data_default),
            demo_step_seconds=_number(text("WAN_DEMO_STEP_SECONDS"), "WAN_DEMO_STEP_SECONDS", 0, 60),
            max_upload_mb=int(_number(text("WAN_MAX_UPLOAD_MB"), "WAN_MAX_UPLOAD_MB", 1, 100_000)),
            max_queued=int(_number(text("WAN_MAX_QUEUED"), "WAN_MAX_QUEUED", 1, 100_000)),
            max_queued_per_owner=int(
                _number(text("WAN_MAX_QUEUED_PER_OWNER"), "WAN_MAX_QUEUED_PER_OWNER", 1, 100_000)
            ),
            keep_days=int(_number(text("WAN_KEEP_DAYS"), "WAN_KEEP_DAYS", 1, 36_500)),
            log_level=_choice(text("WAN_LOG_LEVEL").lower(), "WAN_LOG_LEVEL", ("debug", "info", "warning")),
        )


def read_env_file(path: Path) -> dict[str, str]:
    """The NAME=value lines of a `.env` file; a missing file is an empty one.

    Raises BadSettings when it is there and cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path.name} cannot be read: {error}.") from error
    values = dotenv_values(stream=io.StringIO(text), interpolate=False)
    return {name: value for name, value in values.items() if value is not None}


def _url(text: str) -> str:
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
            f"COMFYUI_URL has {text.strip()!r}, which is not an http address.",
            "Example: COMFYUI_URL=http://127.0.0.1:8188",
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


def _first_dir(candidates: tuple[Path, ...], holding: str = "") -> Path | None:
    for candidate in candidates:
        candidate = candidate.expanduser()
        if candidate.is_dir() and (candidate / holding).exists():
            return candidate
    return None
