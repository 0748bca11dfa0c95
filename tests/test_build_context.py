"""What of a working copy goes into the context of an image: the code, and nothing else in its folders."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts import pin_bases
from tests.support.dockerignore import kept, patterns
from tests.support.paths import ROOT

RULES = patterns(ROOT / ".dockerignore")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
FOLDERS = ("backend", "backend/settings", "ui", "ui/assets/starters", "workflows/modes", "benchmarks")
LEFT_BEHIND = (
    ".env", ".env.local", ".env.production", "prod.env", "settings.env.bak", ".netrc", ".npmrc", ".pypirc",
    ".git/config", ".git-credentials", ".ssh/id_rsa", ".aws/credentials", ".DS_Store", ".idea/workspace.xml",
    ".vscode/settings.json", ".ipynb_checkpoints/x.json", ".pytest_cache/x", ".mypy_cache/x",
    ".venv/bin/python", "venv/bin/python", "id_rsa", "id_ed25519.pub", "server.key", "server.pem",
    "server.crt", "store.p12",
    "secrets.yaml", "client_secrets.json", "credentials.json", "google-credentials.json", "studio.db",
    "studio.db-wal", "studio.db-shm", "x.sqlite3", "studio.log", "start.log", "model.safetensors", "x.gguf",
    "x.ckpt", "x.pth", "x.pt", "x.onnx", "backup.zip", "backup.tar.gz", "x.whl", "page.py.bak",
    "page.py.orig", "page.py.rej", ".page.py.swp", "page.py~", "__pycache__/x.cpython-311.pyc", "x.pyc",
    "node_modules/x/y.js",
)  # fmt: skip
OUTSIDE = (
    ".env", ".git/HEAD", ".gitattributes", "data/studio.db", "models/vae/x.safetensors", "tests/test_app.py",
    "docs/api.md", "README.md", "docker-compose.yml", "Dockerfile", "scripts/lock", "requirements-dev.txt",
    "requirements-dev.lock", "requirements.txt.bak", "notes.txt", "venv/bin/python", "app.py.orig",
)  # fmt: skip


@pytest.mark.parametrize("folder", FOLDERS)
def test_what_is_left_in_a_folder_of_code_stays_out(folder: str) -> None:
    assert [name for name in LEFT_BEHIND if kept(f"{folder}/{name}", RULES)] == []


def test_what_is_not_code_stays_out() -> None:
    assert [name for name in OUTSIDE if kept(name, RULES)] == []


def test_the_code_on_this_disk_goes_in() -> None:
    kinds = {".py", ".js", ".css", ".yaml", ".json", ".jpg", ".png", ".mp3", ".mp4", ".svg", ".woff2", ".txt"}
    files = [
        path.relative_to(ROOT)
        for top in ("backend", "ui", "workflows")
        for path in (ROOT / top).rglob("*")
        if path.suffix in kinds and not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
    ]
    assert len(files) > 300
    assert [str(path) for path in files if not kept(path.as_posix(), RULES)] == []


def test_what_the_dockerfile_copies_is_in_the_context() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    names = [name for line in copied for name in line.split() if name != "."]
    assert "requirements.lock" in names and "requirements-worker.lock" in names
    for name in names:
        path = ROOT / name
        files = list(path.rglob("*.py")) if path.is_dir() else [path]
        assert files and all(kept(file.relative_to(ROOT).as_posix(), RULES) for file in files), name


def test_the_rules_of_patterns(tmp_path: Path) -> None:
    (tmp_path / "ignore").write_text("# all\n*\n!a\n**/*.key\n**/.*\n!a/b/keep.key\na/?.tx[tT]\n")
    rules = patterns(tmp_path / "ignore")
    verdicts = {name: kept(name, rules) for name in ("a/x.py", "a/b/c.py", "b", "a/k.key", "a/b/k.key")}
    assert verdicts == {"a/x.py": True, "a/b/c.py": True, "b": False, "a/k.key": False, "a/b/k.key": False}
    assert not kept("a/.git/config", rules) and kept("a/b/keep.key", rules)
    assert not kept("a/x.txT", rules) and kept("a/xy.txt", rules)


def test_every_base_image_has_a_tag_and_may_have_a_digest_beside_it() -> None:
    bases = re.findall(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, re.MULTILINE)
    stages = {stage for _, stage in bases}
    images = [base for base, _ in bases if not base.startswith("${") and base not in stages]
    assert len(images) == 3
    assert images == [found[0].removeprefix("FROM ") for found in pin_bases.FROM.finditer(DOCKERFILE)]
    defaults = dict(re.findall(r"^ARG (\w+_BASE)=\$\{BASE_IMAGE:-(.+)\}$", DOCKERFILE, re.MULTILINE))
    assert defaults == {"STUDIO_BASE": "base", "GPU_BASE": "base-cuda-${CUDA}"}
    default = re.search(r"^ARG CUDA=(.+)$", DOCKERFILE, re.MULTILINE)
    assert default is not None
    assert {"base", f"base-cuda-{default[1]}", "base-cuda-13.0"} <= stages


def test_digests_stand_beside_the_tags(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text(DOCKERFILE)
    asked: list[str] = []

    def resolve(image: str) -> str:
        asked.append(image)
        return f"sha256:{len(asked):064x}"

    assert pin_bases.main([], file, resolve) == 0
    once = file.read_text()
    assert f"FROM ubuntu:24.04@sha256:{1:064x} AS base\n" in once
    assert asked == [found["image"] for found in pin_bases.FROM.finditer(DOCKERFILE)]
    assert pin_bases.main(["--check"], file, resolve) == 1 and file.read_text() == once
    assert pin_bases.main([], file, resolve) == 0
    again = file.read_text()
    assert again != once and again.count("@sha256:") == 3
    assert re.sub(r"@sha256:\w+", "", again) == re.sub(r"@sha256:\w+", "", DOCKERFILE)
    same = {found["image"]: found["digest"] for found in pin_bases.FROM.finditer(again)}
    assert pin_bases.main(["--check"], file, same.__getitem__) == 0
    assert "ubuntu:24.04@sha256:" in capsys.readouterr().out


def test_without_a_tool_the_dockerfile_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text(DOCKERFILE)
    assert pin_bases.main([], file, lambda image: pin_bases.digest(image, which=lambda name: None)) == 1
    assert "ubuntu:24.04: docker with buildx, skopeo or crane is needed" in capsys.readouterr().err
    assert file.read_text() == DOCKERFILE


def test_base_images_without_a_digest_are_shown() -> None:
    """No failure: a digest takes a registry within reach."""
    tags = [found["image"] for found in pin_bases.FROM.finditer(DOCKERFILE) if not found["digest"]]
    if tags:
        pytest.skip(f"base images without a digest: {', '.join(tags)}; run python -m scripts.pin_bases")
