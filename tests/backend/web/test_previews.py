"""The route for previews of uploaded pictures: what it serves and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from backend.errors import BadMedia
from backend.threads import Threads
from backend.web.previews import routes


class Previewing:
    """A studio that only makes previews."""

    def __init__(self) -> None:
        self.reads = Threads()
        self.asked: list[str] = []

    def preview_file(self, upload: Path, target: Path) -> None:
        self.asked.append(upload.name)
        if upload.suffix != ".heic":
            raise BadMedia("It is not a picture.", "Choose another.")
        target.write_bytes(b"a JPEG")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[SimpleNamespace]:
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    (uploads / "beach.heic").write_bytes(b"x")
    (uploads / "notes.txt").write_bytes(b"x")
    (tmp_path / "secret.heic").write_bytes(b"x")
    (uploads / "link.heic").symlink_to(tmp_path / "secret.heic")
    studio: Any = Previewing()
    yield SimpleNamespace(
        uploads=uploads, studio=studio, http=TestClient(Starlette(routes=routes(studio, uploads)))
    )
    studio.reads.close()


def test_a_picture_of_the_upload_folder(served: SimpleNamespace) -> None:
    answer = served.http.get("/preview", params={"path": str(served.uploads / "beach.heic")})
    assert (answer.status_code, answer.content) == (200, b"a JPEG")
    assert answer.headers["content-type"] == "image/jpeg" and "private" in answer.headers["cache-control"]


def test_a_file_that_is_no_picture_has_no_preview(served: SimpleNamespace) -> None:
    answer = served.http.get("/preview", params={"path": str(served.uploads / "notes.txt")})
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["cache-control"] == "no-store"


def test_nothing_outside_of_the_upload_folder_is_opened(served: SimpleNamespace) -> None:
    outside = [served.uploads / ".." / "secret.heic", served.uploads / "link.heic", "/etc/passwd"]
    for path in (*map(str, outside), "", "\0", str(served.uploads), str(served.uploads / "gone.heic")):
        assert served.http.get("/preview", params={"path": path}).status_code == 404, path
    assert served.http.get("/preview").status_code == 404
    assert served.studio.asked == []
