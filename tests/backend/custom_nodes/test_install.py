"""Custom nodes: pins and packages (pure), and the installation against local git repositories."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from backend.custom_nodes.install import UNFINISHED, NodesNotInstalled, install, look
from backend.custom_nodes.pins import PACKS, Pack, constraints, cuda_of, wanted
from tests.support.paths import ROOT

INSTALLED = {"torch": "2.10.0+cu128", "numpy": "2.4.6", "opencv-python": "4.12.0.88"}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), "-c", "user.name=x", "-c", "user.email=x@y", *arguments],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.fixture
def packs(tmp_path: Path) -> tuple[Pack, ...]:
    """Two packs with a history: the pin is the commit before the last."""
    found = []
    for name in ("One-Nodes", "two_nodes"):
        folder = tmp_path / "repositories" / "somebody" / name
        folder.mkdir(parents=True)
        git(folder, "init", "-q")
        (folder / "requirements.txt").write_text(
            "numpy<=1.26.4  # old\nopencv_python\ncolour-matcher\n\ntorch\n"
        )
        (folder / "nodes.py").write_text("pinned")
        git(folder, "add", "-A")
        git(folder, "commit", "-qm", "pinned")
        commit = git(folder, "rev-parse", "HEAD")
        (folder / "nodes.py").write_text("later")
        git(folder, "commit", "-qam", "later")
        found.append(Pack("somebody", name, commit, "does something"))
    return tuple(found)


@pytest.fixture
def comfyui(tmp_path: Path) -> Path:
    folder = tmp_path / "ComfyUI"
    (folder / "custom_nodes").mkdir(parents=True)
    (folder / "main.py").touch()
    return folder


MakePython = Callable[..., str]


@pytest.fixture
def python(tmp_path: Path) -> MakePython:
    """A fake Python for ComfyUI: `pip list` prints INSTALLED, `pip install` records its arguments."""

    def make(status: int = 0) -> str:
        path = tmp_path / "python"
        listed = json.dumps([{"name": name, "version": version} for name, version in INSTALLED.items()])
        path.write_text(
            f"""#!{sys.executable}
import json, os, sys
if "list" in sys.argv:
    print({listed!r})
elif {status}:
    sys.exit("noise\\nERROR: No matching distribution found for colour-matcher\\nnoise")
else:
    files = [sys.argv[-1], *os.environ["PIP_CONSTRAINT"].split()]
    told = [open(file).read().split("\\n") for file in files]
    json.dump(told, open({str(tmp_path / "pip.json")!r}, "w"))
"""
        )
        path.chmod(0o755)
        return str(path)

    return make


def quiet(_: str) -> None:
    pass


def base(tmp_path: Path) -> str:
    return f"file://{tmp_path / 'repositories'}"


def test_pins_are_whole_commits_and_names_are_their_own() -> None:
    assert all(len(pack.commit) == 40 and int(pack.commit, 16) for pack in PACKS)
    assert len({pack.name.casefold() for pack in PACKS}) == len(PACKS)


def test_installed_packages_are_not_requested() -> None:
    lines = ["numpy<=1.26.4", "onnx  # x", "onnx", "", "# all comment", "Opencv.Python>=4", "trimesh[easy]"]
    assert wanted(lines, INSTALLED) == ["onnx", "trimesh[easy]"]


@pytest.mark.parametrize(
    ("version", "cuda"),
    [("2.10.0+cu128", 12), ("2.12.0+cu130", 13), ("2.10.0", 12), ("2.11.0", 13), ("2.9.1+cpu", 0), ("", 0)],
)
def test_the_cuda_of_pytorch(version: str, cuda: int) -> None:
    assert cuda_of(version) == cuda


def test_onnxruntime_is_one_for_the_cuda_of_pytorch() -> None:
    assert "onnxruntime-gpu<1.27" in constraints(INSTALLED)
    assert not any("onnx" in line for line in constraints({"torch": "2.12.0+cu130"}))
    assert constraints({"onnxruntime-gpu": "1.30.0", "torch": "2.10.0"})[0] == "onnxruntime-gpu==1.30.0"


@pytest.mark.full
def test_packs_are_installed_at_their_commit(
    packs: tuple[Pack, ...],
    comfyui: Path,
    python: MakePython,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("scipy<2")
    monkeypatch.setenv("PIP_CONSTRAINT", str(mine))
    left = comfyui / "custom_nodes" / f"One-Nodes.dead{UNFINISHED}"
    left.mkdir()
    assert install(comfyui, python(), quiet, packs=packs, base=base(tmp_path)) == list(packs)
    for pack in packs:
        folder = comfyui / "custom_nodes" / pack.name
        assert (folder / "nodes.py").read_text() == "pinned"
        assert git(folder, "rev-parse", "HEAD") == pack.commit
    assert sorted(path.name for path in (comfyui / "custom_nodes").iterdir()) == ["One-Nodes", "two_nodes"]
    needed, theirs, ours = json.loads((tmp_path / "pip.json").read_text())
    assert needed == ["colour-matcher", ""], "what ComfyUI has is not asked for again"
    assert theirs == ["scipy<2"] and "torch==2.10.0+cu128" in ours and "numpy==2.4.6" in ours
    assert [found.words for found in look(comfyui, packs)] == [
        f"{pack.name}: installed at the pinned commit" for pack in packs
    ]
    assert install(comfyui, "/no/python", quiet, packs=packs, base="file:///nowhere") == []


@pytest.mark.full
def test_existing_packs_are_left_unchanged(
    packs: tuple[Pack, ...], comfyui: Path, python: MakePython, tmp_path: Path
) -> None:
    theirs = comfyui / "custom_nodes" / "one-nodes"  # as ComfyUI's manager writes it
    theirs.mkdir()
    (theirs / "own.py").write_text("mine")
    assert "left unchanged" in look(comfyui, packs)[0].words
    assert install(comfyui, python(), quiet, packs=packs, base=base(tmp_path)) == [packs[1]]
    assert [path.name for path in theirs.iterdir()] == ["own.py"]


@pytest.mark.full
def test_without_its_packages_no_pack_is_installed(
    packs: tuple[Pack, ...], comfyui: Path, python: MakePython, tmp_path: Path
) -> None:
    with pytest.raises(NodesNotInstalled, match="No matching distribution found for colour-matcher"):
        install(comfyui, python(status=1), quiet, packs=packs, base=base(tmp_path))
    assert list((comfyui / "custom_nodes").iterdir()) == []


@pytest.mark.full
def test_a_commit_that_is_not_offered(
    packs: tuple[Pack, ...], comfyui: Path, python: MakePython, tmp_path: Path
) -> None:
    wrong = (packs[0], replace(packs[1], commit="0123456789" * 4))
    with pytest.raises(NodesNotInstalled, match="two_nodes could not be fetched"):
        install(comfyui, python(), quiet, packs=wrong, base=base(tmp_path))
    assert list((comfyui / "custom_nodes").iterdir()) == [], "not even the one that could be"


@pytest.mark.full
def test_folders_that_are_no_comfyui(tmp_path: Path, packs: tuple[Pack, ...]) -> None:
    with pytest.raises(NodesNotInstalled, match=r"no main\.py"):
        look(tmp_path, packs)


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(
    packs: tuple[Pack, ...], comfyui: Path, python: MakePython, tmp_path: Path
) -> None:
    (comfyui / "custom_nodes").chmod(stat.S_IREAD | stat.S_IEXEC)
    with pytest.raises(NodesNotInstalled, match="cannot be written"):
        install(comfyui, python(), quiet, packs=packs, base=base(tmp_path))


def command(comfyui: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "app.py", "nodes", "install", "--comfyui", str(comfyui), *more],
        cwd=ROOT, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.deep
@pytest.mark.full
def test_the_command_asks_before_it_changes_a_comfyui(comfyui: Path, tmp_path: Path) -> None:
    done = command(comfyui)
    assert done.returncode == 2 and "--yes" in done.stderr
    assert done.stdout.count("will be installed") == len(PACKS)
    nowhere = command(comfyui, "--yes", "--repositories", f"file://{tmp_path}/none")
    assert nowhere.returncode == 1 and "Traceback" not in nowhere.stderr
    assert f"{PACKS[0].name} could not be fetched" in nowhere.stderr
    assert list((comfyui / "custom_nodes").iterdir()) == []
    for pack in PACKS:
        (comfyui / "custom_nodes" / pack.name).mkdir()
    assert command(comfyui).returncode == 0
    wrong = command(tmp_path / "no")
    assert wrong.returncode == 1 and "is no ComfyUI" in wrong.stderr
