"""Line ends of a checkout: LF on every system for what is text, and no change to what is not."""

from __future__ import annotations

import subprocess

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.full

BINARY = (
    "avif", "gif", "heic", "ico", "jpeg", "jpg", "m4a", "mov", "mp3", "mp4", "npz", "ogg", "pdf", "png",
    "wav", "webm", "webp", "woff2", "zip",
)  # fmt: skip
RUN = (
    "start.sh", "tests/run.sh", ".ci/run", "scripts/check", "scripts/lock", "scripts/golden", "Dockerfile",
    "docker-compose.yml", ".dockerignore", ".env", "requirements.txt", "requirements.lock", "app.py",
    "new.bash", "extra_model_paths.yaml", "ui/assets/new.js", "workflows/new.yml",
)  # fmt: skip


def attributes(names: list[str]) -> dict[str, dict[str, str]]:
    """text, eol and diff of each file, as git applies them."""
    done = subprocess.run(
        ["git", "check-attr", "-z", "--stdin", "text", "eol", "diff"],
        cwd=ROOT, input="\0".join(names) + "\0", capture_output=True, text=True, check=True,
    )  # fmt: skip
    parts = done.stdout.split("\0")
    found: dict[str, dict[str, str]] = {}
    for name, attribute, value in zip(parts[0::3], parts[1::3], parts[2::3], strict=False):
        found.setdefault(name, {})[attribute] = value
    return found


def tracked() -> list[str]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    names = [name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]
    if not names:
        pytest.skip("not a git checkout")
    return names


def test_every_file_is_text_with_lf_or_declared_binary() -> None:
    wrong = []
    for name, found in attributes(tracked()).items():
        data = (ROOT / name).read_bytes()
        if b"\0" in data:
            wrong += [f"{name}: holds NUL and is not declared binary"] * (found["text"] != "unset")
        else:
            wrong += [f"{name}: {found}"] * (found["text"] != "auto" or found["eol"] != "lf")
            wrong += [f"{name}: has CRLF"] * (b"\r\n" in data)
    assert wrong == []


def test_what_is_run_has_lf_and_media_stay_as_they_are() -> None:
    tracked()
    found = attributes([*RUN, *(f"x/y.{kind}" for kind in BINARY)])
    assert {name for name in RUN if found[name]["eol"] != "lf"} == set()
    assert {kind for kind in BINARY if found[f"x/y.{kind}"]["text"] != "unset"} == set()


def test_git_itself_agrees() -> None:
    names = tracked()
    listed = subprocess.run(["git", "ls-files", "--eol"], cwd=ROOT, capture_output=True, text=True).stdout
    lines = [line.split("\t") for line in listed.splitlines()]
    assert len(lines) >= len(names)
    assert [name for state, name in lines if "crlf" in state.split("attr/")[0] or "mixed" in state] == []
