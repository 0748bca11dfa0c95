"""docker-compose.yml, with its profiles and variables resolved as Docker Compose does."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from backend.settings import listen_address
from backend.web.address import address
from tests.support.paths import ROOT

TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
RUNNING = (ROOT / "docs" / "running.md").read_text(encoding="utf-8")
VARIABLE = re.compile(r"\$\{(\w+)(?::-((?:[^${}]|\$\{[^{}]*\})*))?\}")


def resolved(environ: dict[str, str]) -> dict[str, Any]:
    """The services, with `${NAME:-default}` filled in; a default may hold another one."""

    def fill(text: str) -> str:
        while VARIABLE.search(text):
            text = VARIABLE.sub(lambda found: environ.get(found[1]) or found[2] or "", text)
        return text

    return yaml.safe_load(fill(TEXT))["services"]


def started(profiles: set[str], environ: dict[str, str] | None = None) -> dict[str, Any]:
    """The services that `docker compose up` starts with these profiles."""
    services = resolved(environ or {})
    return {
        name: service
        for name, service in services.items()
        if not service.get("profiles") or profiles & set(service["profiles"])
    }


@pytest.mark.parametrize(
    ("profile", "starts", "target"), [("gpu", "studio", "gpu"), ("page", "page", "studio")]
)
def test_a_profile_starts_one_service(profile: str, starts: str, target: str) -> None:
    services = started({profile})
    assert list(services) == [starts]
    assert services[starts]["build"]["target"] == target
    assert f"FROM ${{{'GPU' if target == 'gpu' else 'STUDIO'}_BASE}} AS {target}\n" in (
        ROOT / "Dockerfile"
    ).read_text(encoding="utf-8")


def test_only_the_service_with_comfyui_asks_for_gpus() -> None:
    asks = {name for name, service in resolved({}).items() if "gpus" in service or "deploy" in service}
    assert asks == {"studio"}


def test_nothing_starts_without_a_profile_and_ports_and_folders_are_not_shared_within_one() -> None:
    assert started(set()) == {}
    profiles = {profile for service in resolved({}).values() for profile in service["profiles"]}
    assert profiles == {"gpu", "page"}
    for profile in profiles:
        services = started({profile}).values()
        for key in ("ports", "volumes"):
            used = [entry for service in services for entry in service[key]]
            assert len(used) == len(set(used)), (profile, key)


@pytest.mark.parametrize(
    ("environ", "port"),
    [
        ({}, 7860),
        ({"PORT": "8080"}, 8080),
        ({"GRADIO_SERVER_PORT": "9000"}, 9000),
        ({"GRADIO_SERVER_PORT": "9000", "PORT": "8080"}, 9000),
        ({"GRADIO_SERVER_PORT": "", "PORT": "8080"}, 8080),
    ],
)
@pytest.mark.parametrize("profile", ["gpu", "page"])
def test_the_published_port_is_that_of_the_page(profile: str, environ: dict[str, str], port: int) -> None:
    (service,) = started({profile}, environ).values()
    inside = {**environ, **{name: str(value) for name, value in service["environment"].items()}}
    assert listen_address.port(inside) == port
    assert listen_address.host(inside) == "0.0.0.0", "a container's loopback cannot be published"
    assert service["ports"] == [f"127.0.0.1:{port}:{port}"], "this machine alone, unless asked"
    assert address(inside, listen_address.host(inside), port, None) == f"http://127.0.0.1:{port}/"


def test_the_network_is_reached_when_asked() -> None:
    (service,) = started({"page"}, {"WAN_PUBLISH": "0.0.0.0"}).values()
    assert service["ports"] == ["0.0.0.0:7860:7860"]


@pytest.mark.parametrize("profile", ["gpu", "page"])
def test_folders_of_this_machine_in_the_settings_file_do_not_count_inside(profile: str) -> None:
    (service,) = started({profile}).values()
    assert service["env_file"] == [{"path": ".env", "required": False}]
    inside = service["environment"]
    mounted = {volume.rsplit(":", 1)[1] for volume in service["volumes"]}
    for name in (
        "WAN_DATA_DIR",
        "WAN_MODELS_DIR",
        "COMFYUI_DIR",
        "COMFYUI_PYTHON",
        "COMFYUI_LISTEN",
        "GRADIO_TEMP_DIR",
    ):
        assert inside[name] in (*mounted, "", "/opt/ComfyUI"), name
    assert inside["WAN_DATA_DIR"] in mounted


def test_the_documents_say_which_compose_and_which_commands() -> None:
    needs = "env_file" in TEXT and "required: false" in TEXT  # the form that came with 2.24
    assert needs and all("2.24" in text for text in (TEXT, RUNNING))
    for text in (TEXT, README, RUNNING):
        for command in re.findall(r"docker compose [^`\n]*", text):
            words = command.split()
            if "up" in words:
                assert "--profile" in words, command
                assert words[words.index("--profile") + 1] in ("gpu", "page"), command
    assert "docker compose --profile gpu up" in RUNNING and "docker compose --profile page up" in RUNNING
