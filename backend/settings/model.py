"""The settings: one frozen model, filled from the environment once at the start."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

from backend.settings import checks, folders, names, servers
from backend.settings.reach import reach
from backend.settings.serverless import RunPodSettings, WorkerSettings
from backend.settings.source import EnvironmentModel, read
from backend.settings.variable import variable, variables

QUEUED_PER_OWNER, OPEN_QUEUED_PER_OWNER = 5, 3
"""WAN_MAX_QUEUED_PER_OWNER where it is not set: on a page with a login or of this machine alone, and on a
page without a login that others can reach."""

Lowered = BeforeValidator(lambda text: text.lower() if isinstance(text, str) else text)


class Settings(EnvironmentModel):
    """What the environment says. Paths are absolute; lists are tuples.

    What depends on `public` is a property, so that a copy with another value is consistent: whether there is
    a share link is known only when the page is served.
    """

    engine: Annotated[Literal["auto", "comfyui", "runpod", "demo"], Lowered] = variable(
        "WAN_ENGINE", "auto",
        "`auto` uses `COMFYUI_URL`, else a ComfyUI on port 8188, else a ComfyUI folder, else a RunPod"
        " endpoint if both of its variables are set, else the demo engine; it never falls back to the demo"
        " once it has found a ComfyUI",
    )  # fmt: skip
    comfyui_urls: Annotated[tuple[str, ...], NoDecode, BeforeValidator(servers.comfyui_urls)] = variable(
        "COMFYUI_URL", (),
        "one or more running ComfyUIs, comma separated; each works on one video at a time",
        takes="http addresses", secret=True,
    )  # fmt: skip
    comfyui_login: Annotated[str, AfterValidator(servers.comfyui_login)] = variable(
        "WAN_COMFYUI_LOGIN", "",
        "user and password (HTTP basic authentication) for servers of `COMFYUI_URL` whose address has none",
        takes="`user:password`", secret=True,
    )  # fmt: skip
    comfyui_ca: Annotated[Path | None, AfterValidator(servers.certificates)] = variable(
        "WAN_COMFYUI_CA", None,
        "certificates to trust at https addresses of `COMFYUI_URL`, besides those of the public authorities",
        takes="a PEM file",
    )  # fmt: skip
    comfyui_dir: Annotated[Path | None, AfterValidator(checks.comfyui_folder)] = variable(
        "COMFYUI_DIR", None,
        "the ComfyUI that Wan Studio starts when none is running, one process per GPU",
        takes="a folder with ComfyUI's `main.py`",
        default_words="the first of `/workspace/runpod-slim/ComfyUI`, `/opt/ComfyUI`, `~/ComfyUI` that"
        " exists",
    )  # fmt: skip
    comfyui_dir_given: bool  # by COMFYUI_DIR, as opposed to found
    comfyui_python: str = variable(
        "COMFYUI_PYTHON", "", "the Python interpreter for it", takes="a program",
        default_words="`.venv-cu128`, `.venv-cu*` or `.venv` in that folder, else `python3`",
    )  # fmt: skip
    comfyui_args: Annotated[tuple[str, ...], NoDecode, BeforeValidator(checks.comfyui_args)] = variable(
        "COMFYUI_ARGS", (), "more options for it, such as `--fast`", takes="options"
    )
    comfyui_listen: str = variable(
        "COMFYUI_LISTEN", "127.0.0.1", "the address on which a ComfyUI that Wan Studio starts listens",
        takes="an address of this machine",
    )  # fmt: skip
    comfyui_port: int = variable(
        "COMFYUI_PORT", 8188,
        "where Wan Studio looks for a running ComfyUI, and the first port of those that it starts",
        least=1, most=65_535,
    )  # fmt: skip
    comfyui_wait_seconds: float = variable(
        "COMFYUI_WAIT_SECONDS", 300.0,
        "seconds to wait for RunPod's own start script to bring up ComfyUI before starting one",
        least=0, most=86_400,
    )  # fmt: skip
    hung_seconds: float = variable(
        "WAN_HUNG_SECONDS", 600.0,
        "seconds without a sign of life from ComfyUI after which a running video counts as hung; loading a"
        " model can take minutes in silence",
        least=1, most=86_400,
    )  # fmt: skip
    models_dir: Path = variable(
        "WAN_MODELS_DIR", ..., "the model store", takes="a folder",
        default_words="the first of `/workspace/models`, `/runpod-volume/models`, else `./models`",
    )  # fmt: skip
    data_dir: Path = variable(
        "WAN_DATA_DIR", ..., "job database, inputs and results", takes="a folder",
        default_words="`/workspace/wan-studio` if `/workspace` is a mounted volume, else `./data`; in your"
        " home folder if that is not writable",
    )  # fmt: skip
    data_dir_refused: Path | None  # the folder that would be data_dir by default, if it could be written to
    input_dir: Path = variable(
        "WAN_INPUT_DIR", Path("/workspace/wan-inputs"),
        "the admin can pick files from here instead of uploading them", takes="a folder",
    )  # fmt: skip
    auth: Annotated[tuple[tuple[str, str], ...], NoDecode, BeforeValidator(checks.accounts)] = variable(
        "WAN_AUTH", (), "who may log in; the first is the admin", takes="`user:password[,user:password]`",
        secret=True,
    )  # fmt: skip
    allowed_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(checks.host_names)] = variable(
        "WAN_ALLOWED_HOSTS", (),
        "more names at which the page is served, such as that of your reverse proxy; other names are refused,"
        " so that no other web page can pass itself off as this one ([which names are]"
        "(docs/sharing.md#names-of-the-page)). `*`: every name",
        takes="host names, `*.example.com` for all below one",
    )  # fmt: skip
    trusted_proxies: Annotated[tuple[str, ...], NoDecode, BeforeValidator(checks.networks)] = variable(
        "WAN_TRUSTED_PROXIES", ("127.0.0.1", "::1"),
        "reverse proxies whose `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host` are believed",
        takes="addresses and networks, `*` for all",
        default_words="`FORWARDED_ALLOW_IPS`, else `127.0.0.1,::1`",
    )  # fmt: skip
    public: str  # how other people than this machine's can reach the page, in words; "" when they cannot
    demo_step_seconds: float = variable(
        "WAN_DEMO_STEP_SECONDS", 0.15, "seconds per step of the demo engine", least=0, most=60
    )
    max_upload_mb: int = variable(
        "WAN_MAX_UPLOAD_MB", 100, "the largest file in MB that can be uploaded", least=1, most=100_000
    )
    max_queued: int = variable(
        "WAN_MAX_QUEUED", 100, "waiting videos allowed, for all visitors together", least=1, most=100_000
    )
    queued_per_owner: int | None = variable(  # None: WAN_MAX_QUEUED_PER_OWNER is not set
        "WAN_MAX_QUEUED_PER_OWNER", None,
        "waiting videos allowed per visitor; 3 on a public page without `WAN_AUTH`, unless you set it",
        least=1, most=100_000, default_words=f"`{QUEUED_PER_OWNER}`",
    )  # fmt: skip
    max_seconds: float = variable(
        "WAN_MAX_SECONDS", 600.0,
        "the longest video in seconds; each mode also has its own limit (sound 600, Animate 300, the others"
        " 15)",
        least=1, most=600,
    )  # fmt: skip
    keep_days: int = variable(
        "WAN_KEEP_DAYS", 30, "days after which a finished video is removed; pinned videos stay",
        least=1, most=36_500,
    )  # fmt: skip
    keep_disk_percent: float = variable(
        "WAN_KEEP_DISK_PERCENT", 80.0,
        "when the data folder's disk is fuller than this, videos are removed, starting with the oldest of"
        " whoever has most, until it is not, or until videos take no more than a tenth of the space that"
        " everything else leaves; `100`: never",
        least=1, most=100,
    )  # fmt: skip
    owner_disk_mb: int = variable(
        "WAN_OWNER_DISK_MB", 0,
        "disk space in MB for one visitor's videos and their input files; `0`: an equal share of the space"
        " for videos, or half of the free space if that is more ([what is kept](docs/keeping.md))",
        least=0, most=1_000_000_000,
    )  # fmt: skip
    recipes: bool = variable(
        "WAN_RECIPES", True,
        "whether videos and pictures carry [what they were made with](docs/recipes.md); `0`: they carry"
        " nothing",
    )  # fmt: skip
    log_level: Annotated[Literal["debug", "info", "warning"], Lowered] = variable(
        "WAN_LOG_LEVEL", "info", "the least severe messages that are logged"
    )
    log_format: Annotated[Literal["text", "json"], Lowered] = variable(
        "WAN_LOG_FORMAT", "text", "`json`: one object per line"
    )
    log_prompts: bool = variable(
        "WAN_LOG_PROMPTS", False, "`1` writes prompts to the log, which otherwise never contains them"
    )
    log_mb: float = variable(
        "WAN_LOG_MB", 10.0,
        "size in MB at which `logs/studio.log` in the data folder is rotated; three earlier files are kept."
        " `0`: no log file",
        least=0, most=10_000,
    )  # fmt: skip
    log_console: bool = variable(
        "WAN_LOG_CONSOLE", True, "`0` writes the log to the file only, not to the console (stderr)"
    )
    run_owner: str = variable(
        "WAN_OWNER", "", "whose videos `app.py run` makes; `--owner` comes first",
        takes="16 to 200 letters, digits, `-` or `_`", default_words="a token of this machine", secret=True,
    )  # fmt: skip
    run_login: str = variable(
        "WAN_LOGIN", "", "the login of `app.py run` at a studio that has one; `--login` comes first",
        takes="`user:password`", default_words="the first of `WAN_AUTH`, on this machine", secret=True,
    )  # fmt: skip
    machine: str  # a name that stays when this machine starts again: the pod's id, else the host's name
    runpod: RunPodSettings
    worker: WorkerSettings

    @property
    def open_to_all(self) -> bool:
        """Whether everyone who knows the address can use the page: public, and no login."""
        return bool(self.public) and not self.auth

    @property
    def max_queued_per_owner(self) -> int:
        if self.queued_per_owner is not None:
            return self.queued_per_owner
        return OPEN_QUEUED_PER_OWNER if self.open_to_all else QUEUED_PER_OWNER

    @property
    def secrets(self) -> tuple[str, ...]:
        """Passwords and keys, which are redacted in the log."""
        logins = (self.comfyui_login, *map(servers.login_of, self.comfyui_urls))
        found = {password for login in logins for password in servers.password_forms(login)}
        own = (self.run_owner, self.run_login.partition(":")[2])
        return (*(word for _, word in self.auth), *sorted(found), self.runpod.api_key, *own)

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
    def from_env(environ: Mapping[str, str], here: Path | None = None) -> Settings:
        """Reads and checks. here: what relative folders are relative to (default: the working folder).

        Raises BadSettings, naming every variable that cannot be used.
        """
        here = (here or Path.cwd()).resolve()
        names.check_environment(environ, VARIABLES)
        data_dir, refused = folders.data_dir(here, environ)
        return read(
            Settings,
            environ,
            here,
            COMFYUI_DIR=folders.comfyui_dir(),
            comfyui_dir_given=bool(environ.get("COMFYUI_DIR", "").strip()),
            WAN_MODELS_DIR=folders.models_dir(here),
            WAN_DATA_DIR=data_dir,
            WAN_TRUSTED_PROXIES=environ.get("FORWARDED_ALLOW_IPS", "").strip() or "127.0.0.1,::1",
            data_dir_refused=None if environ.get("WAN_DATA_DIR", "").strip() else refused,
            public=reach(environ),
            machine=environ.get("RUNPOD_POD_ID", "").strip() or socket.gethostname(),
            runpod=read(RunPodSettings, environ, here),
            worker=read(WorkerSettings, environ, here),
        )


VARIABLES = {variable.name: variable for variable in variables(Settings)}
"""Every variable that a setting is read from, in the order of the documentation."""
