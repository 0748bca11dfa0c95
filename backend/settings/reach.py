"""Who can reach the page, as far as the environment says."""

from __future__ import annotations

from collections.abc import Mapping

from backend.settings.listen_address import is_loopback


def share_asked(environ: Mapping[str, str]) -> bool:
    """Whether Gradio is asked for a share link."""
    return environ.get("GRADIO_SHARE", "").lower() == "true"


def reach(environ: Mapping[str, str], shared: bool | None = None) -> str:
    """How other people can reach the page, in words ("a share link"); "" when only this machine can.

    shared: whether there is a share link; None while that is not known, when a requested one counts.
    """
    if share_asked(environ) if shared is None else shared:
        return "a share link"
    host = environ.get("GRADIO_SERVER_NAME", "").strip()
    if is_loopback(host):
        return ""
    if environ.get("SPACE_ID"):
        return "Hugging Face Spaces"
    if environ.get("RUNPOD_POD_ID"):
        return "RunPod's proxy"
    return "the network" if host else ""
