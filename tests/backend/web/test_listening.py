"""Binding the page's address: every form of it, and one sentence for each reason why it cannot be."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from backend.errors import BadSettings
from backend.web import listening
from tests.support.ipv6 import has_ipv6
from tests.support.ports import free_port

pytestmark = pytest.mark.full


ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


def bind(host: str, port: int | None = None) -> listening.Listening:
    return listening.bind({"GRADIO_SERVER_NAME": host, "GRADIO_SERVER_PORT": str(port or free_port())})


def answers(bound: listening.Listening, host: str) -> bool:
    """Whether a connection to this host is accepted."""
    for one in bound.sockets:
        one.listen()
    try:
        socket.create_connection((host, bound.port), 60).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize("host", ["", "127.0.0.1", "localhost", "0.0.0.0", "127.1", "::ffff:127.0.0.1"])
def test_addresses_of_ipv4(host: str) -> None:
    bound = bind(host)
    assert answers(bound, "127.0.0.1")
    bound.close()


@ipv6
@pytest.mark.parametrize("host", ["::1", "[::1]", "0:0:0:0:0:0:0:1"])
def test_the_loopback_of_ipv6_alone(host: str) -> None:
    bound = bind(host)
    assert bound.url == f"http://[::1]:{bound.port}/"
    assert answers(bound, "::1") and not answers(bound, "127.0.0.1")
    bound.close()


@ipv6
@pytest.mark.parametrize("host", ["::", "[::]"])
def test_every_address(host: str) -> None:
    bound = bind(host)
    assert answers(bound, "::1") and answers(bound, "127.0.0.1")
    bound.close()


def refused(host: str, port: int | None = None) -> BadSettings:
    with pytest.raises(BadSettings) as caught:
        bind(host, port)
    return caught.value


def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as other:
        port = other.getsockname()[1]
        for host in ("127.0.0.1", "0.0.0.0", "localhost"):
            error = refused(host, port)
            assert error.message == f"Port {port} is taken." and "GRADIO_SERVER_PORT" in error.hint
        with pytest.raises(BadSettings, match="is taken") as caught:
            listening.bind({"PORT": str(port)})
        assert "set PORT to another" in caught.value.hint


@ipv6
def test_a_port_in_use_at_one_address_is_free_at_others() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as other:
        port = other.getsockname()[1]
        bind("::1", port).close()
        assert "is taken" in refused("::", port).message


def test_an_address_of_another_machine_and_a_name_of_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_answer(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    assert refused("192.0.2.7").message.endswith("this machine has no such address.")
    monkeypatch.setattr(socket, "getaddrinfo", no_answer)
    name = refused("no-such-host.invalid", 8080)
    assert name.message == "GRADIO_SERVER_NAME is 'no-such-host.invalid', a name without an address."
    assert "0.0.0.0 or ::" in name.hint


class Refusing(socket.socket):
    """A socket whose bind fails."""

    error = 0

    def bind(self, address: Any) -> None:
        raise OSError(self.error, os.strerror(self.error))


@pytest.mark.parametrize(
    ("host", "number", "port", "says", "advises"),
    [
        ("127.0.0.1", errno.EACCES, 80, "Only root may use port 80", "-p 80:7860"),
        ("127.0.0.1", errno.EACCES, 60_000, "does not let this user use port 60000", "another port"),
        ("127.0.0.1", errno.EINVAL, 8080, "at 127.0.0.1:8080: Invalid argument.", "GRADIO_SERVER_NAME"),
        ("::1", errno.EADDRNOTAVAIL, 8080, "this machine has no IPv6.", "127.0.0.1"),
        ("::1", errno.EAFNOSUPPORT, 8080, "this machine has no IPv6.", "0.0.0.0"),
    ],
)
def test_other_reasons(
    monkeypatch: pytest.MonkeyPatch, host: str, number: int, port: int, says: str, advises: str
) -> None:
    monkeypatch.setattr(Refusing, "error", number)
    monkeypatch.setattr(socket, "socket", Refusing)
    monkeypatch.setattr(listening, "_unprivileged", lambda: 1024)
    error = refused(host, port)
    assert says in error.message and advises in error.hint
    if number in (errno.EACCES, errno.EINVAL):
        assert "IPv6" not in error.message


def test_the_lowest_port_for_every_user(tmp_path: Path) -> None:
    (tmp_path / "start").write_text("81\n")
    assert listening._unprivileged(tmp_path / "start") == 81
    assert listening._unprivileged(tmp_path / "none") == 1024


def test_an_error_of_the_server_is_passed_on() -> None:
    bound = bind("127.0.0.1")
    assert bound.refusal(OSError(errno.EADDRINUSE, "x")).message == f"Port {bound.port} is taken."
    other = bound.refusal(OSError("Server failed to start."))
    assert other.message == f"The page cannot be served at {bound.url}."
    assert other.hint == "Server failed to start."
    bound.close()
