"""Drafts by raw calls: files come back under their names, for their owner alone, whatever a client sends."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.security.tokens import owner_id
from tests.support.scripted import Make
from tests.support.security_site import META, Visitor
from tests.support.served_site import ServedSite
from ui.tabs.registry import TABS
from workflows.modes.registry import MODES

pytestmark = pytest.mark.full

DRAFT, OTHER = "a" * 32, "b" * 32


@pytest.fixture
def site(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServedSite]:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    (tmp_path / "uploads").mkdir()
    site = ServedSite(make(WAN_MAX_UPLOAD_MB="3"), tmp_path / "uploads")
    yield site
    site.close()


def call(who: Visitor, name: str, asked: Any) -> Any:
    """A server function of the drafts' component."""
    return who.server_function("ws-drafts", name, asked)


def keep(who: Visitor, path: Path, owner: str = "", draft: str = DRAFT) -> Any:
    return call(who, "keep", {"owner": owner or who.token, "draft": draft, "path": str(path)})


def restore(who: Visitor, data: Any, owner: str = "") -> dict[str, Any]:
    """Element id -> new value, of all that the event changes."""
    site = who.site
    number = site.fn("ws-drafts", "restore")
    outputs = next(one for one in site.config["dependencies"] if one["id"] == number)["outputs"]
    names = {one["id"]: one["props"].get("elem_id") for one in site.config["components"]}
    answer = who.event(number, [owner or who.token], data)
    assert isinstance(answer, list), answer
    found = {}
    for component, value in zip(outputs, answer, strict=True):
        if isinstance(value, dict) and value.get("__type__") == "update":
            if "value" not in value:
                continue
            value = value["value"]
        found[names[component]] = value
    return found


def form(values: Any = None, **media: Any) -> dict[str, Any]:
    return {"values": values or {}, "media": media}


def stored(site: ServedSite) -> list[Path]:
    return [path for path in (site.studio.settings.data_dir / "drafts").rglob("*") if path.is_file()]


def test_a_form_comes_back_with_its_files(site: ServedSite, picture: Path) -> None:
    ann = Visitor(site)
    upload = ann.upload("my fjord.png", picture.read_bytes())
    id = keep(ann, upload)["id"]
    upload.unlink()  # as after a day
    given = form({"prompt": "A boat", "speed": "quality"}, image={"upload": str(upload), "id": id})
    found = restore(ann, {"draft": DRAFT, "forms": {"image_to_video": given}})
    shown = Path(found["image_to_video-image"]["path"])
    assert shown.name == "my fjord.png" and shown.read_bytes() == picture.read_bytes()
    assert found["image_to_video-prompt"] == "A boat" and found["image_to_video-speed"] == "quality"
    assert found["image_to_video-steps"] == "", "a form is filled as a whole"
    assert not any(name.startswith("animate") for name in found)
    assert keep(ann, shown)["id"] == id, "known by its content"
    values = site.values(click := site.fn("image_to_video-generate", "click"))
    values[0], values[site.place(click, "image_to_video-image")] = (
        ann.token,
        {"path": str(shown), "meta": META},
    )
    ann.event(click, values)
    assert len(site.studio.jobs(ann.token)) == 1


def test_the_upload_is_used_while_nothing_is_kept(site: ServedSite, picture: Path) -> None:
    ann = Visitor(site)
    upload = ann.upload("fjord.png", picture.read_bytes())
    given = {"draft": DRAFT, "forms": {"animate": form(image={"upload": str(upload), "id": ""})}}
    assert Path(restore(ann, given)["animate-image"]["path"]).read_bytes() == picture.read_bytes()
    upload.unlink()
    assert restore(ann, given)["animate-image"] is None


def test_a_draft_of_another_owner_is_not_accessible(site: ServedSite, picture: Path) -> None:
    ann, bob = Visitor(site), Visitor(site)
    upload = ann.upload("secret.png", picture.read_bytes())
    id = keep(ann, upload)["id"]
    upload.unlink()
    before = sorted(stored(site))
    for owner in (bob.token, "", owner_id(ann.token), f"../{owner_id(ann.token)}"):
        for draft in (DRAFT, f"../{owner_id(ann.token)}/{DRAFT}"):
            given = {
                "draft": draft,
                "forms": {"animate": form({"prompt": "x"}, image={"id": id, "path": ""})},
            }
            found = restore(bob, given, owner or "no token")
            assert found["animate-image"] is None and found["animate-prompt"] == "x"
            call(bob, "retain", {"owner": owner, "draft": draft, "files": []})
    assert sorted(stored(site)) == before
    call(ann, "retain", {"owner": ann.token, "draft": DRAFT, "files": []})
    assert stored(site) == []


@pytest.mark.parametrize("odd", [None, 7, "text", [1, 2], {"owner": 3, "draft": {}, "path": [], "files": {}}])
def test_nonsense_is_refused_in_one_piece(site: ServedSite, odd: Any) -> None:
    ann = Visitor(site)
    assert "refused" in call(ann, "keep", odd) and "refused" in call(ann, "retain", odd)
    for data in (
        odd,
        {"forms": odd},
        {"forms": {"animate": odd}},
        {"forms": {"animate": {"media": {"image": odd}}}},
    ):
        assert (
            restore(ann, {"draft": odd, "kinds": odd, **data} if isinstance(data, dict) else data) is not None
        )
    assert stored(site) == []


def test_only_uploads_can_be_kept(site: ServedSite, tmp_path: Path) -> None:
    ann = Visitor(site)
    outside = tmp_path / "outside.png"
    outside.write_bytes(b"x")
    (site.uploads / "link.png").symlink_to(outside)
    (site.uploads / "big.png").write_bytes(bytes(3_000_001))
    for path in (outside, site.studio.settings.database, site.uploads / "link.png", site.uploads / "big.png",
                 site.uploads, Path("/etc/passwd"), site.uploads / ".." / "outside.png"):  # fmt: skip
        assert "refused" in keep(ann, path), path
        found = restore(ann, {"draft": DRAFT, "forms": {"animate": form(image={"upload": str(path)})}})
        assert found["animate-image"] is None or path.name == "big.png"
    upload = ann.upload("a.png", b"x")
    for owner, draft in (("short", DRAFT), (ann.token, "no id"), (ann.token, "../../x")):
        assert "refused" in keep(ann, upload, owner, draft)
    assert stored(site) == [] and outside.read_bytes() == b"x"


def test_uploads_of_an_open_page_stay_young(site: ServedSite) -> None:
    ann = Visitor(site)
    kept, plain = ann.upload("a.png", b"a" * 500), ann.upload("b.png", b"b" * 500)
    id = keep(ann, kept)["id"]
    for path in (kept, kept.parent, plain):
        os.utime(path, (1, 1))
    files = [[id, str(kept)], ["", str(plain)], ["", "/etc/passwd"], ["", ""], 7, ["one"]]
    call(ann, "retain", {"owner": ann.token, "draft": DRAFT, "files": files})
    now = time.time()
    assert kept.parent.stat().st_mtime > now - 600 and plain.stat().st_mtime > now - 600
    assert kept.stat().st_mtime == 1, "a hard link shares its age with other files"
    assert len(stored(site)) == 2


def test_every_field_of_every_form_is_stored(site: ServedSite) -> None:
    """Derived from the forms: an event in the browser for each widget, which makes no request."""
    names = {one["id"]: one["props"].get("elem_id") for one in site.config["components"]}
    events = [one for one in site.config["dependencies"] if "drafts.save" in str(one["js"])]
    watched = {names[target] for one in events for target, _ in one["targets"]}
    for tab in TABS:
        for mode in tab.modes:
            for name in (*MODES[mode].media, *(field.name for field in MODES[mode].fields)):
                assert f"{mode}-{name}" in watched
    assert not any(one["backend_fn"] for one in events)
    assert len(json.dumps(events)) < 60_000
