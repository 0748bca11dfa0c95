"""Address and port of the page, from the environment: what is accepted, and what it means for links."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backend.errors import BadSettings
from backend.settings import listen_address
from backend.settings.reach import reach
from backend.web.address import address
from scripts import healthcheck
from tests.support.paths import ROOT


@pytest.mark.parametrize(
    ("given", "host", "from_here", "public"),
    [
        ("", "127.0.0.1", "127.0.0.1", False),
        ("  ", "127.0.0.1", "127.0.0.1", False),
        ("127.0.0.1", "127.0.0.1", "127.0.0.1", False),
        (" 127.0.0.1 ", "127.0.0.1", "127.0.0.1", False),
        ("127.0.0.2", "127.0.0.2", "127.0.0.2", False),
        ("127.1", "127.1", "127.1", False),
        ("localhost", "localhost", "localhost", False),
        ("LocalHost.", "LocalHost.", "LocalHost.", False),
        ("ip6-localhost", "ip6-localhost", "ip6-localhost", False),
        ("::1", "::1", "[::1]", False),
        ("[::1]", "::1", "[::1]", False),
        ("0:0:0:0:0:0:0:1", "::1", "[::1]", False),
        ("0000:0000::0001", "::1", "[::1]", False),
        ("::ffff:127.0.0.1", "127.0.0.1", "127.0.0.1", False),
        ("0.0.0.0", "0.0.0.0", "127.0.0.1", True),
        ("::", "::", "127.0.0.1", True),
        ("[::]", "::", "127.0.0.1", True),
        ("0:0:0:0:0:0:0:0", "::", "127.0.0.1", True),
        ("::ffff:0.0.0.0", "0.0.0.0", "127.0.0.1", True),
        ("192.0.2.7", "192.0.2.7", "192.0.2.7", True),
        ("2001:DB8::7", "2001:db8::7", "[2001:db8::7]", True),
        ("gpu-box", "gpu-box", "gpu-box", True),
        ("gpu_box.example.org", "gpu_box.example.org", "gpu_box.example.org", True),
        ("127.example.org", "127.example.org", "127.example.org", True),
    ],
)
def test_addresses_that_are_accepted(given: str, host: str, from_here: str, public: bool) -> None:
    environ = {"GRADIO_SERVER_NAME": given}
    assert listen_address.host(environ) == host
    assert listen_address.in_url(listen_address.from_here(host)) == from_here
    assert address(environ, host, 7860, None) == f"http://{from_here}:7860/"
    assert reach(environ) == ("the network" if public else "")


REFUSED = (
    "http://[::1]", "http://127.0.0.1:80", "127.0.0.1:80", "[::1]:80", "*", "a b", "-x", "fe80::1%eth0",
    "::1::2", "[::1", "a/b", "1.2.3.4,::1", "a..b", "a" * 64,
)  # fmt: skip


@pytest.mark.parametrize("given", REFUSED)
def test_addresses_that_are_refused(given: str) -> None:
    with pytest.raises(BadSettings) as refused:
        listen_address.host({"GRADIO_SERVER_NAME": given})
    assert given in refused.value.message and "0.0.0.0 or :: for every address" in refused.value.hint


@pytest.mark.parametrize(
    ("environ", "port"),
    [
        ({}, 7860),
        ({"PORT": "8080"}, 8080),
        ({"GRADIO_SERVER_PORT": "9000", "PORT": "8080"}, 9000),
        ({"GRADIO_SERVER_PORT": "", "PORT": "8080"}, 8080),
        ({"GRADIO_SERVER_PORT": " 9000 "}, 9000),
        ({"PORT": "65535"}, 65_535),
    ],
)
def test_ports(environ: dict[str, str], port: int) -> None:
    assert listen_address.port(environ) == port


@pytest.mark.parametrize("name", ["GRADIO_SERVER_PORT", "PORT"])
@pytest.mark.parametrize(
    "text", ["0", "65536", "-1", "80.5", "http", "tcp://10.0.0.1:80", "1/tcp", "٧٨٦٠", "9" * 5000]
)
def test_a_port_that_is_none_is_refused_by_its_variable(name: str, text: str) -> None:
    with pytest.raises(BadSettings, match=f"^{name} is "):
        listen_address.port({name: text})


def test_platforms() -> None:
    pod = {"RUNPOD_POD_ID": "abc123"}
    assert listen_address.host(pod) == "0.0.0.0" and reach(pod) == "RunPod's proxy"
    assert address(pod, "0.0.0.0", 8080, None) == "https://abc123-8080.proxy.runpod.net/"
    for loopback in ("127.0.0.1", "127.0.0.2", "::1"):
        assert address(pod, loopback, 8080, None).startswith("http://"), "RunPod's proxy cannot reach it"
    space = {"SPACE_ID": "ann/studio", "SPACE_HOST": "ann-studio.hf.space", "GRADIO_SERVER_NAME": "0.0.0.0"}
    assert address(space, listen_address.host(space), 7860, None) == "https://ann-studio.hf.space/"
    assert reach(space) == "Hugging Face Spaces"


@pytest.mark.parametrize(
    ("environ", "file", "url"),
    [
        ({}, None, "http://127.0.0.1:7860/healthz"),
        ({"GRADIO_SERVER_NAME": "0.0.0.0", "PORT": "8080"}, None, "http://127.0.0.1:8080/healthz"),
        ({"GRADIO_SERVER_NAME": "::1"}, None, "http://[::1]:7860/healthz"),
        ({"GRADIO_SERVER_NAME": "::", "GRADIO_SERVER_PORT": "9000"}, None, "http://127.0.0.1:9000/healthz"),
        ({"RUNPOD_POD_ID": "abc"}, None, "http://127.0.0.1:7860/healthz"),
        ({}, "GRADIO_SERVER_PORT=9000\n", "http://127.0.0.1:9000/healthz"),
        ({"GRADIO_SERVER_PORT": ""}, "PORT='8080' # ours\n", "http://127.0.0.1:8080/healthz"),
        ({"PORT": "8081"}, "PORT=8080\n", "http://127.0.0.1:8081/healthz"),
    ],
)
def test_the_health_check_asks_where_the_page_is(
    tmp_path: Path, environ: dict[str, str], file: str | None, url: str
) -> None:
    if file is not None:
        (tmp_path / ".env").write_text(file)
    assert healthcheck.address(tmp_path, dict(environ)) == url


@pytest.mark.full
def test_the_health_check_needs_no_package_and_names_a_wrong_setting() -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-X", "importtime", "scripts/healthcheck.py"],
        cwd=ROOT, capture_output=True, text=True, timeout=120, env={**os.environ, "PORT": "many"},
    )  # fmt: skip
    assert done.returncode == 1 and "PORT is 'many'" in done.stderr
    assert "pydantic" not in done.stderr and "Traceback" not in done.stderr
