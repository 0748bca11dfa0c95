"""Gradio serves on the sockets that it is given, whatever GRADIO_SERVER_NAME was when it was imported."""

from __future__ import annotations

import errno
import inspect
import socket
import urllib.request
from collections.abc import Iterator

import gradio as gr
import pytest
from gradio import http_server

from backend.settings.listen_address import in_url
from tests.support.ports import free_port
from ui.gradio_fixes.own_sockets import serving_on

HOSTS = {"127.0.0.1": socket.AF_INET, "::1": socket.AF_INET6}


def test_gradio_calls_it_as_its_own() -> None:
    theirs = inspect.signature(http_server.start_server)
    with serving_on([], "http://127.0.0.1:1/"):
        ours = inspect.signature(http_server.start_server)
    assert list(ours.parameters) == list(theirs.parameters)
    assert inspect.signature(http_server.start_server) == theirs, "only within the block"
    assert "http_server.start_server(" in inspect.getsource(gr.Blocks.launch)


@pytest.fixture
def sockets() -> Iterator[list[socket.socket]]:
    """One port, at each loopback address that this machine has."""
    port, made = free_port(), []
    for host, family in HOSTS.items():
        one = socket.socket(family)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((host, port))
        except OSError:
            one.close()
        else:
            made.append(one)
    yield made
    for one in made:
        one.close()


@pytest.mark.full
def test_the_page_answers_on_every_socket(
    sockets: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "LOCALHOST_NAME", "::")  # no address for Gradio's own attempt
    port = sockets[0].getsockname()[1]
    with gr.Blocks() as page:
        gr.Markdown("a small page")
    hosts = [in_url(one.getsockname()[0]) for one in sockets]
    with serving_on(sockets, f"http://{hosts[-1]}:{port}/"):
        _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, _frontend=False)
    try:
        assert url == f"http://{hosts[-1]}:{port}/"
        for host in hosts:
            with urllib.request.urlopen(f"http://{host}:{port}/", timeout=60) as answer:
                assert b"a small page" in answer.read()
    finally:
        page.close(verbose=False)


@pytest.mark.full
def test_a_port_that_was_taken_since_is_an_error(sockets: list[socket.socket]) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(sockets[0].getsockname())
        other.listen()
        with gr.Blocks() as page:
            gr.Markdown("a small page")
        with serving_on(sockets[:1], "http://127.0.0.1:1/"), pytest.raises(OSError) as raised:
            page.launch(prevent_thread_lock=True, quiet=True, _frontend=False)
        assert raised.value.errno == errno.EADDRINUSE
