"""requirements*.lock: pinned, with hashes, and all that requirements*.txt ask for. Nothing is fetched."""

from __future__ import annotations

import copy
import functools
import re
from importlib import metadata
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.lock_file import Locked, locked, required
from tests.support.paths import ROOT

NAMES = ("requirements", "requirements-worker", "requirements-dev")
LOCKS = {name: locked(ROOT / f"{name}.lock") for name in NAMES}
PYTHONS = ("3.11", "3.12", "3.13")
MACHINES = (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"))
EVERYWHERE = [(python, *machine) for python in PYTHONS for machine in MACHINES]


def environment(python: str, system: str, machine: str) -> dict[str, str]:
    """The markers of a machine, as pip evaluates them."""
    return {
        **{name: str(value) for name, value in default_environment().items()},
        "python_version": python, "python_full_version": f"{python}.9", "sys_platform": system,
        "platform_machine": machine, "platform_system": {"linux": "Linux", "darwin": "Darwin"}[system],
        "implementation_version": f"{python}.9", "extra": "",
    }  # fmt: skip


@functools.cache
def needs(name: str) -> tuple[Requirement, ...]:
    """The requirements of an installed package; none of one that is not installed."""
    try:
        return tuple(map(Requirement, metadata.requires(name) or ()))
    except metadata.PackageNotFoundError:
        return ()


def unconditional(requirement: Requirement) -> Requirement:
    without = copy.copy(requirement)
    without.marker = None
    return without


def missing(lock: list[Locked], wanted: list[Requirement], markers: dict[str, str]) -> list[str]:
    """What a machine of these markers needs and the lock does not have, as sentences.

    The needs of a package are those that its installed version states; of one that is not installed here,
    which is one for another machine, they are not known.
    """
    applies = {one.name: one for one in lock if one.applies(markers)}
    open_, seen, wrong = [(one, "the requirements") for one in wanted], set(), []
    while open_:
        need, by = open_.pop()
        if need.marker is not None and not need.marker.evaluate(markers):
            continue
        name = canonicalize_name(need.name)
        one = applies.get(name)
        if one is None or not need.specifier.contains(one.version or "", prereleases=True):
            wrong.append(f"{by}: {need} is not in the lock" + (f", which has {one.version}" if one else ""))
            continue
        for extra in ["", *sorted(need.extras)]:
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            for inner in needs(name):
                if inner.marker is None or inner.marker.evaluate({**markers, "extra": extra}):
                    open_.append((unconditional(inner), name))
    return wrong


@pytest.mark.parametrize("name", NAMES)
def test_every_package_has_one_version_and_hashes(name: str) -> None:
    lock = LOCKS[name]
    assert len(lock) > 60
    assert [str(one.requirement) for one in lock if one.version is None or one.requirement.url] == []
    wrong = [one.name for one in lock if not one.hashes]
    wrong += [one.name for one in lock for h in one.hashes if not re.fullmatch(r"sha256:[0-9a-f]{64}", h)]
    assert wrong == []
    assert len({(one.name, str(one.requirement.marker)) for one in lock}) == len(lock)


@pytest.mark.parametrize("name", NAMES)
def test_a_lock_names_no_place_to_fetch_from(name: str) -> None:
    text = (ROOT / f"{name}.lock").read_text(encoding="utf-8")
    assert "://" not in text and "@" not in text
    assert re.findall(r"^\s*(?:#\s*)?--(?!hash)[\w-]+", text, re.MULTILINE) == []
    assert re.findall(r"^-", text, re.MULTILINE) == []


@pytest.mark.parametrize("where", EVERYWHERE, ids="-".join)
@pytest.mark.parametrize("name", NAMES)
def test_a_lock_has_what_its_requirements_need(name: str, where: tuple[str, str, str]) -> None:
    wanted = list(required(ROOT / f"{name}.txt"))
    assert missing(LOCKS[name], wanted, environment(*where)) == [], "run scripts/lock"


def test_locks_have_one_version_and_one_set_of_files_of_a_package() -> None:
    page, worker, dev = ({(one.name, one.version): set(one.hashes) for one in LOCKS[name]} for name in NAMES)
    assert page.items() <= worker.items() and worker.items() <= dev.items()
    names = [{name for name, _ in lock} for lock in (page, worker, dev)]
    assert names[0] < names[1] < names[2]
    assert "runpod" not in names[0] and "pytest" not in names[1]


def test_packages_with_compiled_code_have_files_for_more_than_one_machine() -> None:
    """pip finds none without: each has wheels for several Pythons and machines, and a source archive."""
    few = {
        one.name: len(one.hashes) for one in LOCKS["requirements"] if one.name in ("numpy", "pillow", "av")
    }
    assert len(few) == 3 and min(few.values()) > 8, few


def test_the_tests_run_with_the_locked_packages() -> None:
    markers = {name: str(value) for name, value in default_environment().items()}
    here = {one.name: one.version for one in LOCKS["requirements-dev"] if one.applies(markers)}
    installed = {canonicalize_name(d.metadata["Name"]): d.version for d in metadata.distributions()}
    assert {name: installed.get(name) for name in here} == here, "run ./tests/run.sh, which installs them"


def test_what_is_missing_is_found(tmp_path: Path) -> None:
    file = tmp_path / "x.lock"
    markers = environment("3.11", "linux", "x86_64")
    pins = "".join(f"{one.name}=={one.version} --hash=sha256:{'0' * 64}\n" for one in LOCKS["requirements"])
    file.write_text(re.sub(r"(?m)^(httpx|starlette)==.*\n", "", pins) + "starlette==0.1 --hash=sha256:00\n")
    found = missing(locked(file), [Requirement("gradio[mcp]")], markers)
    assert any("httpx" in text and "is not in the lock" in text for text in found)
    assert any("starlette" in text and "which has 0.1" in text for text in found)
    file.write_text(
        "a>=1\nb==1.*\nc\nd==1 ; python_version < '3.12' \\\n    --hash=sha256:1 \\\n    --hash=sha256:2\n"
    )
    lock = locked(file)
    assert [one.version for one in lock] == [None, None, None, "1"]
    assert lock[3].hashes == ("sha256:1", "sha256:2")
    assert lock[3].applies(markers) and not lock[3].applies(environment("3.13", "linux", "x86_64"))


def shell_files() -> list[Path]:
    """The Dockerfile, and every script for a shell."""
    found = [ROOT / "Dockerfile", ROOT / "start.sh", ROOT / "tests" / "run.sh"]
    scripts = [file for file in (ROOT / "scripts").iterdir() if file.suffix in ("", ".sh") and file.is_file()]
    return found + scripts


def test_only_locks_are_installed() -> None:
    commands = []
    for file in shell_files():
        text = re.sub(r"\\\n", " ", file.read_text(encoding="utf-8"))
        commands += re.findall(
            r"(?:pip\b[^\n;&|]* install|uv pip (?:install|sync)|pipx? run) [^\n;&|]*", text
        )
    ours = [command for command in commands if "torch" not in command.lower()]  # ComfyUI has its own
    tool = [command for command in ours if '"uv==$uv_version"' in command]  # writes the locks
    assert len(ours) == 4 and len(tool) == 1
    for command in ours:
        if command not in tool:
            assert "--require-hashes --no-deps -r " in command, command
            assert ".txt" not in command, command
