"""The admin: the admin link, the first user of a login, and what only they may do."""

from __future__ import annotations

import logging
import stat
from pathlib import Path

import pytest

from backend.errors import NotAllowed, NotFound, TooMany
from backend.security import tokens
from backend.security.admin import CLAIMS_MAX, Admins
from backend.security.tokens import new_token
from tests.support.scripted import OWNER, Make


class Machine(dict[str, str]):
    def admins(self, folder: Path, first_user: str = "") -> Admins:
        return Admins(folder, first_user, lambda name: self.get(name, ""), self.__setitem__)


def test_the_token_file_is_private_and_created_once(tmp_path: Path) -> None:
    machine = Machine()
    token = machine.admins(tmp_path).token
    assert len(token) == 32, "192 bits"
    assert stat.S_IMODE((tmp_path / "admin").stat().st_mode) == 0o600
    assert (tmp_path / "admin").read_text() == token == machine.admins(tmp_path).token
    (tmp_path / "admin").chmod(0o644)
    assert machine.admins(tmp_path).token == token
    assert stat.S_IMODE((tmp_path / "admin").stat().st_mode) == 0o600


def test_a_browser_that_opened_the_link_is_the_admin_across_restarts(tmp_path: Path) -> None:
    machine = Machine()
    admins = machine.admins(tmp_path)
    mine, theirs = new_token(), new_token()
    assert not admins.includes(mine)
    for wrong in ("", "x" * 32, admins.token[:-1], admins.token + "x", None, 5):
        assert not admins.claim(mine, wrong)  # type: ignore[arg-type]
    assert not admins.claim("short", admins.token) and not admins.includes(mine)
    assert admins.claim(mine, admins.token) and admins.claim(mine, admins.token)
    again = machine.admins(tmp_path)
    assert again.includes(mine) and not again.includes(theirs) and not again.includes("")
    kept = machine["admins"]
    assert mine not in kept and admins.token not in kept, "a copy of the database opens nothing"


def test_a_new_token_revokes_earlier_claims(tmp_path: Path) -> None:
    machine = Machine()
    first = machine.admins(tmp_path)
    mine = new_token()
    first.claim(mine, first.token)
    (tmp_path / "admin").unlink()
    second = machine.admins(tmp_path)
    assert second.token != first.token and not second.includes(mine)
    assert not second.claim(mine, first.token) and second.claim(mine, second.token)


def test_claims_are_limited_and_damaged_ones_are_ignored(tmp_path: Path) -> None:
    machine = Machine()
    admins = machine.admins(tmp_path)
    owners = [new_token() for _ in range(CLAIMS_MAX + 1)]
    for owner in owners:
        assert admins.claim(owner, admins.token)
    assert not admins.includes(owners[0]) and all(admins.includes(owner) for owner in owners[1:])
    for text in ("{", "5", "{}", "[1, null]"):
        machine["admins"] = text
        assert not machine.admins(tmp_path).includes(owners[1])


def test_the_first_user_of_a_login_is_the_admin(tmp_path: Path) -> None:
    admins = Machine().admins(tmp_path, "ann")
    assert admins.includes(new_token(), "ann") and admins.includes("", "ann")
    assert not admins.includes(new_token(), "bob") and not admins.includes(new_token(), "")
    assert not Machine().admins(tmp_path).includes(new_token(), "")


def test_only_the_admin_sees_and_uses_input_files(make: Make, tmp_path: Path) -> None:
    folder = tmp_path / "inputs"
    (folder / "clips").mkdir(parents=True)
    (folder / "clips" / "walk.mp4").write_bytes(b"x" * 10)
    (folder / "boat.PNG").write_bytes(b"x")
    studio = make(WAN_INPUT_DIR=str(folder), WAN_AUTH="ann:secret-1,bob:secret-2")
    for owner, user in ((OWNER, ""), (OWNER, "bob"), ("", "bob")):
        with pytest.raises(NotAllowed):
            studio.input_files(owner, user)
        with pytest.raises(NotAllowed):
            studio.input_file(owner, "boat.PNG", user)
    files = studio.input_files(OWNER, "ann")
    assert [(file.name, file.bytes, file.kind) for file in files] == [
        ("boat.PNG", 1, "picture"),
        ("clips/walk.mp4", 10, "video"),
    ]
    assert studio.input_file(OWNER, "clips/walk.mp4", "ann") == (folder / "clips" / "walk.mp4").resolve()
    assert studio.claim_admin(OWNER, studio.admins.token) and len(studio.input_files(OWNER)) == 2


def test_input_names_do_not_leave_the_folder(make: Make, tmp_path: Path) -> None:
    folder, outside = tmp_path / "inputs", tmp_path / "secret.png"
    folder.mkdir()
    outside.write_bytes(b"x")
    (folder / "link.png").symlink_to(outside)
    (folder / "up").symlink_to(tmp_path)
    (folder / ".hidden.png").write_bytes(b"x")
    (folder / "notes.txt").write_bytes(b"x")
    (folder / "inner.png").write_bytes(b"x")
    (folder / "alias.png").symlink_to(folder / "inner.png")
    (folder / "dir.png").mkdir()
    (folder / "broken.png").symlink_to(folder / "nothing")
    studio = make(WAN_INPUT_DIR=str(folder))
    studio.claim_admin(OWNER, studio.admins.token)
    assert [file.name for file in studio.input_files(OWNER)] == ["alias.png", "inner.png"]
    for name in (
        "../secret.png", "link.png", "up/secret.png", str(outside), ".hidden.png", "notes.txt", "dir.png",
        "broken.png", "", ".", "inner.png/..", "./inner.png", "a\0b.png", "\ud800.png", "x" * 5000 + ".png",
    ):  # fmt: skip
        with pytest.raises(NotFound):
            studio.input_file(OWNER, name)  # type: ignore[arg-type]
    assert studio.input_file(OWNER, "alias.png") == (folder / "inner.png").resolve()


def test_no_input_folder_is_an_empty_one(make: Make, tmp_path: Path) -> None:
    studio = make(WAN_INPUT_DIR=str(tmp_path / "nowhere"))
    studio.claim_admin(OWNER, studio.admins.token)
    assert studio.input_files(OWNER) == ()


def test_on_an_open_page_invented_tokens_are_limited(make: Make) -> None:
    studio = make(GRADIO_SHARE="true", WAN_MAX_QUEUED="1000")
    values = {"prompt": "x", "seconds": 0.5, "width": 64, "height": 64}
    studio.submit(OWNER, "text_to_video", values, {})
    with pytest.raises(TooMany):
        for _ in range(100):
            studio.submit(new_token(), "text_to_video", values, {})
    studio.submit(OWNER, "text_to_video", values, {})


@pytest.mark.deep
def test_without_the_requested_share_link_its_restrictions_end(make: Make) -> None:
    studio = make(GRADIO_SHARE="true", WAN_MAX_QUEUED="1000")
    assert studio.settings.open_to_all and studio.settings.max_queued_per_owner == 3
    studio.reached("")
    assert not studio.settings.open_to_all and studio.settings.max_queued_per_owner == 5
    assert studio.public_warning() == ""
    values = {"prompt": "x", "seconds": 0.5, "width": 64, "height": 64}
    for _ in range(100):
        studio.submit(new_token(), "text_to_video", values, {})


def test_an_unrequested_share_link_makes_the_page_public(make: Make) -> None:
    studio = make(WAN_MAX_QUEUED="1000")
    studio.reached("a share link")
    assert "WAN_AUTH" in studio.public_warning() and studio.settings.max_queued_per_owner == 3
    with pytest.raises(TooMany):
        for _ in range(100):
            studio.submit(new_token(), "text_to_video", {"prompt": "x", "seconds": 0.5}, {})


def test_an_open_page_says_so(make: Make) -> None:
    assert "WAN_AUTH" in make(GRADIO_SHARE="true").public_warning()


@pytest.mark.parametrize("env", [{}, {"GRADIO_SHARE": "true", "WAN_AUTH": "a:b"}])
def test_a_private_page_does_not_warn(make: Make, env: dict[str, str]) -> None:
    assert make(**env).public_warning() == ""


def test_a_program_shows_the_token_itself_and_nothing_near_it(tmp_path: Path) -> None:
    machine = Machine()
    admins = machine.admins(tmp_path)
    token = admins.token
    assert admins.includes(token) and machine == {}, "nothing is stored"
    near = (
        token[:-1],
        token + "x",
        token.swapcase(),
        f" {token}",
        f"{token},{token}",
        tokens.owner_id(token),
    )
    assert not any(admins.includes(one) for one in near)
    assert not admins.includes("", token), "a token is no user"
    assert not any(admins.includes(one) for one in (None, 5, [token], {"token": token}))  # type: ignore[arg-type]
    (tmp_path / "admin").unlink()
    assert not machine.admins(tmp_path).includes(token), "a new token revokes it"


@pytest.mark.parametrize("byte", [b"\0", b" ", b"\xff", b"x"])
def test_a_token_file_of_one_repeated_byte_is_replaced(tmp_path: Path, byte: bytes) -> None:
    (tmp_path / "admin").write_bytes(byte * 32)
    admins = Machine().admins(tmp_path)
    guess = (byte * 32).decode("ascii", "replace")
    assert tokens.is_token(admins.token) and (tmp_path / "admin").read_text() == admins.token
    for one in (guess, guess.strip(), ""):
        assert not admins.claim(new_token(), one) and not admins.includes(one)


def test_the_token_and_what_is_derived_from_it_are_not_logged(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    studio = make(start=False)
    token = studio.admins.token
    studio.queue_rows(token)
    studio.choose_model(token, "vae", "")
    assert studio.claim_admin(OWNER, token) and not studio.claim_admin(OWNER, token[:-1])
    with pytest.raises(NotAllowed) as refused:
        studio.model_choices(token[:-1])
    told = caplog.text + str(refused.value)
    assert "admin link: opened" in told
    assert not any(secret in told for secret in (token, token[:-1], tokens.owner_id(token)))
