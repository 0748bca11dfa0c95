"""What the start says on the console: where the page is, who owns the machine, what to beware of. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backend.settings import LOOPBACK


def address(environ: Mapping[str, str], host: str, port: int, share_url: str | None) -> str:
    """The address that a person can click, with a slash at its end."""
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


def lines(
    where: str, *, users: Sequence[str], admin_token: str, share_asked: bool, shared: bool, warning: str
) -> list[str]:
    """The sentences, one a line. users: who can log in, the machine's owner first; none without a login."""
    said = [f"Wan Studio is at {where}"]
    if share_asked and not shared:
        said.append(
            "No share link could be made: this machine cannot reach gradio.live. "
            "The page is at the address above all the same."
        )
    if users:
        said.append(f"A login is asked for; {users[0]} is the machine's owner.")
    else:
        said.append(
            f"For the machine's owner, in one browser and not to be passed on: {where}?admin={admin_token}"
        )
    if warning:
        said.append(f"Warning: {warning}")
    return said
