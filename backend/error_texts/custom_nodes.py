"""Errors of installing custom nodes into a ComfyUI. Needs only the standard library: the container image
installs them before the rest of the code is copied."""

from __future__ import annotations

from collections.abc import Mapping

from backend.error_texts.text import ErrorText

_UNCHANGED = "Nothing was changed. Run the same command again when the cause is removed."

TEXTS: Mapping[str, ErrorText] = {
    "nodes_no_comfyui": ErrorText(
        "No ComfyUI was found on this machine.", "Name its folder with --comfyui DIR."
    ),
    "nodes_not_comfyui": ErrorText("{folder} is no ComfyUI: there is no main.py in it.", _UNCHANGED),
    "nodes_not_readable": ErrorText("{folder} cannot be read: {reason}.", _UNCHANGED),
    "nodes_not_writable": ErrorText("{folder} cannot be written: {reason}.", _UNCHANGED),
    "nodes_without_git": ErrorText("git is not installed.", "Run: apt-get install git (Debian and Ubuntu)"),
    "nodes_other_commit": ErrorText("{pack} was not fetched at the commit that was asked for.", _UNCHANGED),
    "nodes_fetch_late": ErrorText("{pack} could not be fetched within {minutes} min.", _UNCHANGED),
    "nodes_not_fetched": ErrorText("{pack} could not be fetched: {reason}", _UNCHANGED),
    "nodes_fetch_failed": ErrorText("{pack} could not be fetched: git gave no reason.", _UNCHANGED),
    "nodes_no_package_list": ErrorText("{python} -m pip list gave no list of packages.", _UNCHANGED),
    "nodes_pip_late": ErrorText("pip did not end within {minutes} min.", _UNCHANGED),
    "nodes_no_python": ErrorText("{python} cannot be started: {reason}.", _UNCHANGED),
    "nodes_packages_failed": ErrorText(
        "The packages of the custom nodes could not be installed: {reason}", _UNCHANGED
    ),
}
