"""The files of the container image: what goes in, what is pinned, and the scripts that run inside it."""

from __future__ import annotations

import http.server
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml

from tests.support import dockerignore
from tests.support.paths import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
RULES = dockerignore.patterns(ROOT / ".dockerignore")


def kept(name: str) -> bool:
    """Whether .dockerignore lets a file into the image."""
    return dockerignore.kept(name, RULES)


@pytest.mark.full
def test_the_image_contains_what_runs_and_nothing_else() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split("\n")
    if not any(tracked):
        pytest.skip("not a git checkout")
    inside = {name for name in tracked if name and kept(name)}
    for needed in (
        "app.py", "start.sh", "requirements.txt", "requirements-worker.txt", "requirements.lock",
        "requirements-worker.lock", "extra_model_paths.yaml",
        "scripts/environment.sh", "scripts/installed.py", "scripts/healthcheck.py", "workflows/models.yaml",
        "backend/custom_nodes/pins.py",
    ):  # fmt: skip
        assert needed in inside, needed
    assert {name for name in tracked if name.startswith(("backend/", "ui/", "workflows/"))} <= inside
    assert not {name for name in inside if name.startswith(("tests/", "docs/", "."))}
    assert not kept(".env") and not kept("data/studio.db") and not kept("models/vae/x.safetensors")
    assert not kept("backend/__pycache__/x.pyc")
    for script in re.findall(r"(?:scripts|\./)[\w./-]+\.(?:sh|py)", (ROOT / "start.sh").read_text()):
        assert script in inside, script


def test_what_the_dockerfile_fetches_is_pinned() -> None:
    arguments = dict(re.findall(r"^ARG (\w+)=(.*)$", DOCKERFILE, re.M))
    for name in ("TORCH_VERSION", "TORCHVISION_VERSION", "TORCHAUDIO_VERSION", "COMFYUI_VERSION"):
        assert re.fullmatch(r"\d+\.\d+\.\d+", arguments[name]), name
    assert ":latest" not in DOCKERFILE and "safetensors" not in DOCKERFILE
    assert {"BASE_IMAGE", "COMFYUI_REPO", "TORCH_INDEX_URL", "CUDA"} <= arguments.keys()
    page = (ROOT / "docs" / "running.md").read_text(encoding="utf-8")
    table = page.split("| build argument |")[1].split("\n\n")[0]
    for name in arguments.keys() - {"STUDIO_BASE", "GPU_BASE"}:
        assert f"`{name}`" in table, name
        if re.fullmatch(r"[\d.]+", arguments[name]):
            assert f"`{arguments[name]}`" in table, name


def test_our_code_comes_last_so_that_a_change_of_it_rebuilds_little() -> None:
    gpu = DOCKERFILE.split("AS gpu\n")[1]
    order = [
        gpu.index(part)
        for part in (
            '"torch==',
            "git init",
            "COPY backend/custom_nodes",
            "/opt/studio /opt/studio",
            "/app /app",
        )
    ]
    assert order == sorted(order)
    assert DOCKERFILE.count("HEALTHCHECK") == DOCKERFILE.count('ENTRYPOINT ["tini", "-g"') == 2


def test_compose_asks_for_gpus_and_keeps_data_and_models() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    studio = services["studio"]
    (device,) = studio["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}
    mounted = {volume.rsplit(":", 1)[1] for volume in studio["volumes"]}
    assert mounted == {studio["environment"]["WAN_DATA_DIR"], studio["environment"]["WAN_MODELS_DIR"]}
    assert "deploy" not in services["page"]


class Health(http.server.BaseHTTPRequestHandler):
    body = b'{"status": "starting"}'

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        pass


def healthcheck(port: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-S", "scripts/healthcheck.py"],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
        env={**os.environ, "GRADIO_SERVER_NAME": "0.0.0.0", "GRADIO_SERVER_PORT": str(port),
             "http_proxy": "http://127.0.0.1:1"},
    )  # fmt: skip


@pytest.mark.full
def test_the_health_check_wants_the_page_not_comfyui(monkeypatch: pytest.MonkeyPatch) -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), Health) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        port = server.server_address[1]
        assert healthcheck(port).returncode == 0, "starting is healthy"
        monkeypatch.setattr(Health, "body", b"<html>somebody else</html>")
        other = healthcheck(port)
        server.shutdown()
        thread.join()
    assert other.returncode == 1 and "Traceback" not in other.stderr
    assert healthcheck(port).returncode == 1, "nobody there"


@pytest.mark.full
def test_the_image_installs_custom_nodes_with_the_standard_library_alone(tmp_path: Path) -> None:
    copied = re.findall(r"^COPY (.+) /tmp/nodes/(.+)$", DOCKERFILE, re.M)
    assert copied
    for sources, target in copied:
        for source in map(ROOT.joinpath, sources.split()):
            if source.is_dir():
                shutil.copytree(source, tmp_path / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                (tmp_path / target).mkdir(parents=True, exist_ok=True)
                shutil.copy(source, tmp_path / target)
    done = subprocess.run(
        [sys.executable, "-S", "-m", "backend.custom_nodes.install", str(tmp_path)],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1 and "is no ComfyUI" in done.stderr and "Traceback" not in done.stderr
