"""Sets that are fetched in the background, from a small server that follows the hub's API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.errors import BadInput
from backend.models.fetcher import Fetcher
from backend.models.formats import GIB
from backend.models.hub import Hub
from backend.models.set_options import Hardware, Wish
from backend.settings.model import Settings
from tests.support.fake_hub import FakeHub, running, small_pieces
from tests.support.model_files import model, model_bytes
from tests.support.waiting import until
from workflows.catalog import Catalog

pytestmark = pytest.mark.full
SIZE = 400_000
SMALL, LARGE = model_bytes("small", 50_000), model_bytes("large", SIZE)
MACHINE = Hardware(24 * GIB)
WISH = Wish("animate")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with running() as server, small_pieces():
        yield server


@pytest.fixture
def fetcher(hub: FakeHub, tmp_path: Path) -> Iterator[Fetcher]:
    small = model("small", SMALL, "animate")
    large = model("large", LARGE, "animate", bytes=0, sha256="", exact=False)
    hub.files.update({small.source: SMALL, large.source: LARGE})
    settings = Settings.from_env(
        {"WAN_MODELS_DIR": str(tmp_path / "store"), "WAN_DATA_DIR": str(tmp_path / "data")}, tmp_path
    )
    made = Fetcher(settings, lambda: Hub(hub.url), Catalog((small, large), "", ("animate",)))
    yield made
    made.close()


def test_a_download_is_planned_cancelled_resumed_and_finished(
    fetcher: Fetcher, hub: FakeHub, tmp_path: Path
) -> None:
    planned = fetcher.plan(WISH, MACHINE)
    assert [each.size for each in planned.files] == [50_000, SIZE], "the hub says what no source gives"
    assert planned.left == SIZE + 50_000 and planned.have == 0 and planned.fits and planned.seconds is None
    hub.faults.hold.clear()  # one block of each file, then nothing
    fetcher.start(WISH, MACHINE)
    until(lambda: fetcher.state().flow.done and fetcher.state().flow.file == "large.safetensors")
    with pytest.raises(BadInput, match="A download is running"):
        fetcher.start(WISH, MACHINE)
    during = fetcher.state()
    assert during.stage == "running" and during.wish == WISH and during.flow.total == SIZE + 50_000
    assert 50_000 < during.flow.fetched < during.flow.total
    fetcher.cancel()
    assert fetcher.state().stage == "stopping"
    hub.faults.hold.set()
    until(lambda: fetcher.state().stage == "cancelled")
    store = tmp_path / "store" / "vae"
    assert (store / "small.safetensors").read_bytes() == SMALL and not (store / "large.safetensors").exists()
    again = fetcher.plan(WISH, MACHINE)
    assert [bool(each.used) for each in again.files] == [True, False]
    assert 0 < again.have < SIZE and again.left == SIZE - again.have
    fetcher.start(WISH, MACHINE)
    until(lambda: fetcher.state().stage == "done")
    assert hub.storage_requests()[-1] == f"bytes={again.have}-"
    assert (store / "large.safetensors").read_bytes() == LARGE
    assert fetcher.plan(WISH, MACHINE).to_fetch == () and fetcher.state().errors == ()


def test_a_download_that_fails_says_why_and_can_be_tried_again(fetcher: Fetcher, hub: FakeHub) -> None:
    hub.faults.status, hub.faults.code = 404, "EntryNotFound"
    planned = fetcher.plan(WISH, MACHINE)
    assert planned.unknown == 1 and planned.left == 50_000 and len(planned.trouble) == 2
    fetcher.start(WISH, MACHINE)
    until(lambda: fetcher.state().stage == "failed")
    assert "it is not there (404)" in fetcher.state().errors[0].message
    hub.faults.status = 0
    fetcher.start(WISH, MACHINE)
    until(lambda: fetcher.state().stage == "done")


def test_closing_ends_a_download(fetcher: Fetcher, hub: FakeHub) -> None:
    hub.faults.hold.clear()
    fetcher.start(WISH, MACHINE)
    until(lambda: fetcher.state().flow.done)
    fetcher.cancel()
    hub.faults.hold.set()
    fetcher.close()
    assert fetcher.state().stage == "cancelled"
    with pytest.raises(BadInput):
        fetcher.start(WISH, MACHINE)
