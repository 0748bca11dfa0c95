"""Downloads against a small server that follows the hub's API."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.errors import StudioError
from backend.models import download as download_module
from backend.models import partial
from backend.models.download import WAITS, download
from backend.models.errors import (
    ModelDownloadFailed,
    ModelMismatch,
    ModelNotOffered,
    ModelStoreError,
    NoRoom,
)
from backend.models.hub import Hub
from backend.models.inventory import inventory
from backend.models.progress import Progress
from tests.support.fake_hub import FakeHub, running, small_pieces
from tests.support.model_files import model, model_bytes, sparse
from tests.support.paths import ROOT
from tests.support.waiting import until
from workflows.catalog import Catalog, ModelFile

pytestmark = pytest.mark.full

CONTENT = model_bytes("one", 1_000_000)
FILE = model("one", CONTENT, "animate")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Small chunks, no pauses, no settings of this machine."""
    monkeypatch.setattr("huggingface_hub.file_download.time", types.SimpleNamespace(sleep=lambda _: None))
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with small_pieces():
        yield


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with running() as server:
        server.files[FILE.source] = CONTENT
        yield server


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "models"


class Log:
    """The printed lines and the waits in seconds."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.waits: list[float] = []
        self.hashes: list[tuple[Path, str]] = []

    def __contains__(self, text: str) -> bool:
        return any(text in line for line in self.lines)


def fetch(
    store: Path, hub: FakeHub | Hub | str, *files: ModelFile, log: Log | None = None
) -> list[StudioError]:
    log = log or Log()
    catalog = Catalog(files or (FILE,), "")
    server = hub if isinstance(hub, Hub) else Hub(hub if isinstance(hub, str) else hub.url)
    found = inventory(store, catalog=catalog)
    progress = Progress(log.lines.append, verified=lambda *read: log.hashes.append(read))
    return download(catalog.files, found, store, server, progress, log.waits.append)


def names(store: Path) -> list[str]:
    return sorted(str(path.relative_to(store)) for path in store.rglob("*") if not path.is_dir())


def part_of(store: Path, content: bytes, file: ModelFile = FILE) -> Path:
    """An abandoned partial file, as a killed download leaves it."""
    final = store / file.folder / file.name
    final.parent.mkdir(parents=True, exist_ok=True)
    part = partial.claim(final, file.sha256)
    part.write_bytes(content)
    return part


def test_a_download_leaves_no_other_files(store: Path, hub: FakeHub) -> None:
    log = Log()
    assert fetch(store, hub, log=log) == []
    assert names(store) == ["vae/one.safetensors"]
    path = store / "vae" / "one.safetensors"
    assert path.read_bytes() == CONTENT and log.hashes == [(path, FILE.sha256)]
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask
    assert "1 of 1: one.safetensors, 1 MB, into vae" in log and f"1 MB from {hub.url} into {store}" in log
    assert hub.sent == len(CONTENT)


def test_existing_files_are_not_downloaded(store: Path, hub: FakeHub) -> None:
    fetch(store, hub)
    before, log = len(hub.requests), Log()
    assert fetch(store, hub, log=log) == []
    assert log.lines == ["one.safetensors already exists."] and len(hub.requests) == before


def test_a_download_resumes_after_broken_connections(store: Path, hub: FakeHub) -> None:
    hub.faults.cut_after = [300_000, 0, 200_000, 100_000]
    assert fetch(store, hub) == []
    assert (store / "vae" / FILE.name).read_bytes() == CONTENT
    ranges = hub.storage_requests()
    assert len(ranges) == 5 and ranges[0] == "" and ranges[-1].startswith("bytes=")
    assert hub.sent < len(CONTENT) + 5 * 65536, "received bytes are not sent again"


def test_retries_back_off(store: Path, hub: FakeHub) -> None:
    hub.faults.storage_status = [503, 502, 0]
    log = Log()
    assert fetch(store, hub, log=log) == []
    assert log.waits == [WAITS[0], WAITS[1]]
    assert "the server is temporarily unavailable (503). Trying again in 2 s." in log


def test_the_last_retry_keeps_the_partial_file(store: Path, hub: FakeHub) -> None:
    hub.faults.cut_after = [400_000]
    hub.faults.storage_status = [0] + [503] * 20
    log = Log()
    with pytest.raises(ModelDownloadFailed) as failure:
        fetch(store, hub, log=log)
    assert "resumes where it stopped" in failure.value.hint and log.waits == [*WAITS]
    (part,) = names(store)
    kept = (store / part).read_bytes()
    assert len(kept) >= 300_000 and CONTENT.startswith(kept) and part.endswith(".part")
    hub.faults.storage_status.clear()
    log = Log()
    assert fetch(store, hub, log=log) == []
    assert f"bytes={len(kept)}-" in hub.storage_requests() and "resuming at" in log
    assert names(store) == ["vae/one.safetensors"]


def test_a_server_without_range_requests(store: Path, hub: FakeHub) -> None:
    part_of(store, CONTENT[:500_000])
    hub.faults.no_range = True
    assert fetch(store, hub) == []
    assert (store / "vae" / FILE.name).read_bytes() == CONTENT


def test_a_complete_part_needs_no_bytes(store: Path, hub: FakeHub) -> None:
    part_of(store, CONTENT)
    assert fetch(store, hub) == []
    assert hub.sent == 0 and names(store) == ["vae/one.safetensors"]


@pytest.mark.parametrize("rotten", [b"x" * 500_000, b"y" * 2_000_000, CONTENT[:-1] + b"?"])
def test_a_damaged_partial_file_is_discarded(store: Path, hub: FakeHub, rotten: bytes) -> None:
    part_of(store, rotten)
    log = Log()
    assert fetch(store, hub, log=log) == []
    assert (store / "vae" / FILE.name).read_bytes() == CONTENT and names(store) == ["vae/one.safetensors"]


def test_wrong_content_never_gets_the_final_name(store: Path, hub: FakeHub) -> None:
    hub.faults.wrong_bytes = True
    (error,) = fetch(store, hub)
    assert isinstance(error, ModelMismatch) and "sha256 differs" in error.message
    assert names(store) == []


def test_a_file_without_a_published_hash_is_checked_against_the_servers(store: Path, hub: FakeHub) -> None:
    bare = model("one", CONTENT, "animate", sha256="")
    hub.faults.wrong_bytes = True
    (error,) = fetch(store, hub, bare)
    assert isinstance(error, ModelMismatch) and names(store) == []


def test_another_file_on_the_server_is_refused_before_it_comes(store: Path, hub: FakeHub) -> None:
    hub.files[FILE.source] = model_bytes("two", len(CONTENT))
    (error,) = fetch(store, hub)
    assert isinstance(error, ModelMismatch) and "Nothing was fetched" in error.hint and hub.sent == 0
    bare = model("one", CONTENT, "animate", sha256="")
    hub.files[FILE.source] = model_bytes("two", 2 * len(CONTENT))
    (error,) = fetch(store, hub, bare)
    assert "2 MB instead of" in error.message and hub.sent == 0


def test_an_error_page_saved_by_a_proxy_is_no_model(store: Path, hub: FakeHub) -> None:
    page = b"<!DOCTYPE html>" + b" " * (len(CONTENT) - 15)
    file = model("one", page, "animate", sha256="")
    hub.files[FILE.source] = page
    (error,) = fetch(store, hub, file)
    assert "is a web page" in error.message and names(store) == []


@pytest.mark.parametrize(
    ("status", "code", "kind", "says"),
    [
        (404, "EntryNotFound", ModelNotOffered, "it is not there (404)"),
        (404, "RepoNotFound", ModelNotOffered, "there is no such repository (404)"),
        (401, "RepoNotFound", ModelNotOffered, "the server requires authentication (401)"),
        (401, "GatedRepo", ModelNotOffered, "the server requires authentication (401)"),
        (403, "GatedRepo", ModelNotOffered, "the server requires authentication (403)"),
        (403, "", ModelNotOffered, "requires authentication (403)"),
        (451, "", ModelNotOffered, "the server refuses (451)"),
        (400, "", ModelNotOffered, "the server refuses (400)"),
        (429, "", ModelDownloadFailed, "too many requests (429)"),
        (500, "", ModelDownloadFailed, "temporarily unavailable (500)"),
        (503, "", ModelDownloadFailed, "temporarily unavailable (503)"),
    ],
)
def test_refusals_are_sentences(
    store: Path, hub: FakeHub, status: int, code: str, kind: type[StudioError], says: str
) -> None:
    hub.faults.status, hub.faults.code = status, code
    if kind is ModelDownloadFailed:
        with pytest.raises(kind) as failure:
            fetch(store, hub)
        error: StudioError = failure.value
    else:
        (error,) = fetch(store, hub)
    assert type(error) is kind and says in error.message and FILE.name in error.message
    assert error.hint and "Error" not in error.message
    assert names(store) == []


def test_one_refused_file_does_not_stop_the_others(store: Path, hub: FakeHub) -> None:
    other = model("two", model_bytes("two", 5000), "animate")
    (error,) = fetch(store, hub, other, FILE)
    assert "two.safetensors" in error.message and names(store) == ["vae/one.safetensors"]


def test_no_connection(store: Path) -> None:
    with running() as gone:
        url = gone.url
    with pytest.raises(ModelDownloadFailed, match="no connection") as failure:
        fetch(store, url)
    assert "Check the network" in failure.value.hint


def test_no_answer(store: Path, hub: FakeHub) -> None:
    hub.faults.hang = True
    with pytest.raises(ModelDownloadFailed, match="does not answer in time"):
        fetch(store, Hub(hub.url, ask_seconds=0.1))


def test_no_hub(store: Path, hub: FakeHub) -> None:
    hub.faults.plain = True
    with pytest.raises(ModelDownloadFailed, match="does not answer as Hugging Face does"):
        fetch(store, hub)


def test_offline(store: Path, hub: FakeHub) -> None:
    """The library reads this variable when it is imported."""
    process = child(store, hub, HF_HUB_OFFLINE="1")
    _, error = process.communicate()
    assert process.returncode == 1 and "HF_HUB_OFFLINE is set" in error
    assert not hub.requests


def test_the_token_goes_to_the_hub_and_not_to_its_storage(
    store: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.faults.token = "hf_secret"
    (error,) = fetch(store, hub)
    assert "HF_TOKEN" in error.hint
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert fetch(store, hub) == []
    assert {with_token for _, path, _, with_token in hub.requests if path.startswith("/cdn/")} == {False}


def test_disk_space_is_checked_first(store: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_module, "room", lambda _: (600_000, 10_000_000))
    with pytest.raises(NoRoom) as failure:
        fetch(store, hub)
    assert (
        failure.value.message == (f"The download needs 1 MB, and the disk of {store} has 600 kB free.")
        and failure.value.code == "no_room"
    )
    assert hub.storage_requests() == [] and not store.exists()
    part_of(store, CONTENT[:500_000])
    assert fetch(store, hub) == [], "what is on the disk already needs no room"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_becomes_full(
    store: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    room = [400_000]

    def write(self: download_module._Counted, data: bytes) -> int:
        if room[0] < len(data):
            raise OSError(number, os.strerror(number))
        room[0] -= len(data)
        return self._file.write(data)

    with monkeypatch.context() as full:
        full.setattr(download_module._Counted, "write", write)
        with pytest.raises(NoRoom) as failure:
            fetch(store, hub)
    assert "became full" in failure.value.message and "is kept" in failure.value.hint
    assert fetch(store, hub) == []
    assert hub.storage_requests() == ["", f"bytes={400_000 - room[0]}-"]


def test_a_store_that_is_no_folder(tmp_path: Path, hub: FakeHub) -> None:
    (tmp_path / "models").write_text("a file")
    (error,) = fetch(tmp_path / "models", hub)
    assert isinstance(error, ModelStoreError) and "cannot be used" in error.message


def test_a_damaged_file_is_replaced_and_a_sound_other_one_kept(store: Path, hub: FakeHub) -> None:
    path = store / "vae" / FILE.name
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT[:5000])
    assert fetch(store, hub) == [] and path.read_bytes() == CONTENT
    assert names(store) == ["vae/one.safetensors"]
    for kept in ("one.safetensors.other", "one.safetensors.other2"):
        sparse(path, 5_000_000)
        log = Log()
        assert fetch(store, hub, log=log) == []
        assert path.read_bytes() == CONTENT and f"is now {kept}" in log
        assert (path.parent / kept).stat().st_size == 5_000_000


def test_a_link_that_leads_nowhere_is_replaced(store: Path, hub: FakeHub) -> None:
    (store / "vae").mkdir(parents=True)
    (store / "vae" / FILE.name).symlink_to("gone")
    assert fetch(store, hub) == [] and not (store / "vae" / FILE.name).is_symlink()


def test_files_that_a_download_would_not_fix(tmp_path: Path, store: Path, hub: FakeHub) -> None:
    own = tmp_path / "ComfyUI" / "models"
    sparse(own / "vae" / FILE.name, 500)
    catalog = Catalog((FILE,), "")
    found = inventory(store, own, catalog=catalog)
    (error,) = download([FILE], found, store, Hub(hub.url), Progress(print))
    assert "is in the way" in error.message and "Remove or rename it" in error.hint
    (store / "loras").mkdir(parents=True)
    (store / "loras" / FILE.name).write_bytes(CONTENT)
    (error,) = fetch(store, hub)
    assert f"move it to {store / 'vae'}" in error.message and hub.requests == []


def test_a_segment_of_another_version_is_not_continued(store: Path, hub: FakeHub) -> None:
    old = part_of(store, b"old" * 1000, model("one", b"old content", "animate"))
    assert fetch(store, hub) == []
    assert hub.storage_requests() == [""] and not old.exists(), "and it is cleared away"


def test_partial_files_in_use_are_left_alone(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    final = store / "vae" / FILE.name
    final.parent.mkdir(parents=True)
    living = final.with_name(f".{FILE.name}.{partial._key('tag')}.{'otherpod'}-1-00000000.part")
    living.write_bytes(b"x" * 100)
    mine = partial.claim(final, "tag")
    assert living.exists() and mine != living and mine.stat().st_size == 0
    partial.clean(final)
    assert living.exists() and not mine.exists()
    os.utime(living, (time.time() - 1000,) * 2)
    taken = partial.claim(final, "tag")
    assert not living.exists() and taken.stat().st_size == 100, "its pod is gone"
    assert time.time() - taken.stat().st_mtime < 60, "and nobody else takes it for abandoned"


def test_the_listing_of_the_hub_is_the_one_that_the_library_reads(hub: FakeHub) -> None:
    from huggingface_hub import HfApi

    info = HfApi(endpoint=hub.url).model_info("maker/models", files_metadata=True)
    assert [(s.rfilename, s.size) for s in info.siblings or ()] == [
        ("split_files/vae/one.safetensors", len(CONTENT))
    ]


# Processes

SIZE = 40_000_000  # the library writes in pieces of 10 MB


def child(store: Path, hub: FakeHub, output: Path | None = None, **env: str) -> subprocess.Popen[str]:
    clean = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    with contextlib.ExitStack() as stack:
        file: Any = stack.enter_context(output.open("w")) if output is not None else subprocess.PIPE
        return subprocess.Popen(
            [sys.executable, "-m", "tests.support.download_child", str(store), hub.url, "big", str(SIZE)],
            cwd=ROOT, stdout=file, stderr=subprocess.STDOUT if output is not None else file, text=True,
            env={**clean, "HF_HUB_DISABLE_TELEMETRY": "1", **env},
        )  # fmt: skip


@pytest.fixture(scope="module")
def big() -> bytes:
    return model_bytes("big", SIZE)


def serve_big(hub: FakeHub, big: bytes) -> None:
    hub.files[model("big", b"").source] = big


def length_of_parts(store: Path) -> int:
    return sum(path.stat().st_size for path in store.rglob("*.part"))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_download_resumes(store: Path, hub: FakeHub, big: bytes, how: signal.Signals) -> None:
    serve_big(hub, big)
    hub.faults.delay = 0.02
    process = child(store, hub)
    until(lambda: process.poll() is not None or length_of_parts(store) >= 10_000_000)
    assert process.poll() is None, process.communicate()
    process.send_signal(how)
    process.communicate(timeout=60)
    assert process.returncode != 0 and not (store / "vae" / "big.safetensors").exists()
    have = length_of_parts(store)
    assert have >= 10_000_000
    hub.faults.delay = 0
    again = child(store, hub)
    out, error = again.communicate(timeout=60)
    assert again.returncode == 0, error
    assert f"bytes={have}-" in hub.storage_requests() and "resuming at" in out
    assert (store / "vae" / "big.safetensors").read_bytes() == big
    assert names(store) == ["vae/big.safetensors"]


@pytest.mark.parametrize("one_machine", [True, False])
def test_two_processes_and_one_file(
    tmp_path: Path, store: Path, hub: FakeHub, big: bytes, one_machine: bool
) -> None:
    """On one machine the second waits; two pods, which share a volume but no lock, both download it."""
    serve_big(hub, big)
    hub.faults.hold.clear()  # no download ends before both processes are at it
    places = [tmp_path / ("a" if one_machine else name) for name in ("a", "b")]
    for place in places:
        place.mkdir(exist_ok=True)
    files = [tmp_path / f"out-{number}" for number in range(2)]
    both = [
        child(store, hub, output=file, TMPDIR=str(place)) for place, file in zip(places, files, strict=True)
    ]

    def waiting() -> int:
        return sum("waiting for that one" in file.read_text() for file in files)

    until(
        lambda: waiting() if one_machine else len(hub.storage_requests()) == 2,
        says=lambda: files[0].read_text(),
    )
    hub.faults.hold.set()
    for process, file in zip(both, files, strict=True):
        assert process.wait(120) == 0, file.read_text()
    assert (store / "vae" / "big.safetensors").read_bytes() == big
    if one_machine:
        assert hub.storage_requests() == [""] and hub.sent == SIZE
        assert waiting() == 1
    assert names(store) == ["vae/big.safetensors"]
