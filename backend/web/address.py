"""The address at which people open the page."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from backend.settings.listen_address import from_here, in_url, is_loopback


def root_path(environ: Mapping[str, str]) -> str:
    """GRADIO_ROOT_PATH without a slash at its end: "", a path that begins with a slash, or a full URL."""
    given = environ.get("GRADIO_ROOT_PATH", "").strip().rstrip("/")
    if not given or given.lower().startswith(("http://", "https://")):
        return given
    return "/" + given.lstrip("/")


def prefix(root: str) -> str:
    """The path of a root path, "" where the page lies at the top of its host."""
    return urlsplit(root).path.rstrip("/") if "://" in root else root


def address(environ: Mapping[str, str], host: str, port: int, share_url: str | None) -> str:
    """The address as a clickable link, with a slash at the end."""
    if share_url:
        return share_url.rstrip("/") + "/"
    pod, space = environ.get("RUNPOD_POD_ID", "").strip(), environ.get("SPACE_HOST", "").strip()
    if pod and not is_loopback(host):
        return f"https://{pod}-{port}.proxy.runpod.net/"
    if space and not is_loopback(host):
        return f"https://{space}/"
    root = root_path(environ)
    if "://" in root:
        return root + "/"
    return f"http://{in_url(from_here(host))}:{port}{root}/"
