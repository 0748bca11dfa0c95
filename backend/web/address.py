"""The address at which people open the page."""

from __future__ import annotations

from collections.abc import Mapping

from backend.settings.reach import LOOPBACK


def address(environ: Mapping[str, str], host: str, port: int, share_url: str | None) -> str:
    """The address as a clickable link, with a slash at the end."""
    if share_url:
        return share_url.rstrip("/") + "/"
    pod, space = environ.get("RUNPOD_POD_ID", "").strip(), environ.get("SPACE_HOST", "").strip()
    if host not in LOOPBACK and pod:
        return f"https://{pod}-{port}.proxy.runpod.net/"
    if host not in LOOPBACK and space:
        return f"https://{space}/"
    root = environ.get("GRADIO_ROOT_PATH", "").strip()
    if root.startswith(("http://", "https://")):
        return root.rstrip("/") + "/"
    name = "127.0.0.1" if host in ("0.0.0.0", "::", "[::]") else host  # noqa: S104
    if ":" in name and not name.startswith("["):
        name = f"[{name}]"
    return f"http://{name}:{port}{root.rstrip('/')}/"
