"""The table of formats is complete, and what the page and the documentation say follows from it."""

from __future__ import annotations

import av
import pytest
from av.codec.codec import Codec
from av.format import ContainerFormat

from backend.media import format_names, formats, locate, sniff
from backend.storage.input_folder import KINDS
from tests.support.paths import ROOT
from ui.forms import file_formats

ALIASES = {"3g2": "mp4", "3gp": "mp4", "mov": "mp4", "webm": "matroska"}
"""Other names of a demuxer in the table."""
OPENS_OTHERS = ("hls", "dash", "concat", "image2", "rtsp", "rtp", "sdp", "sap", "imf", "webm_dash_manifest")


def demuxers() -> set[str]:
    """The demuxers of the bundled FFmpeg, each by the names that it goes by."""
    found = set()
    for name in av.formats_available:
        try:
            if ContainerFormat(name).is_input:
                found.add(name)
        except ValueError:
            continue
    return found


def decoders() -> set[str]:
    found = set()
    for name in av.codecs_available:
        try:
            codec = Codec(name, "r")
        except ValueError:
            continue
        if codec.type in ("audio", "video") and not codec.is_encoder:
            found.add(name)
    return found


def words(table: dict[str, str]) -> list[str]:
    return [name for names in table.values() for name in names.split()]


def test_every_demuxer_is_in_the_table_once() -> None:
    taken, left = set(formats.BY_DEMUXER), words(formats.LEFT_OUT)
    assert len(taken) == len(formats.CONTAINERS) and len(left) == len(set(left))
    assert not taken & set(left)
    known = {*taken, *left, *ALIASES}
    unknown = {name for name in demuxers() if not {name, *name.split(",")} & known}
    assert not unknown, f"neither taken nor left out: {sorted(unknown)}"
    assert all(formats.LEFT_OUT)


def test_every_decoder_is_in_the_table_once() -> None:
    left = words(formats.CODECS_LEFT_OUT)
    assert len(left) == len(set(left)) and not formats.CODECS & set(left)
    unknown = decoders() - formats.CODECS - set(left)
    assert not unknown, f"neither taken nor left out: {sorted(unknown)}"


@pytest.mark.parametrize("name", OPENS_OTHERS)
def test_what_opens_other_files_is_left_out(name: str) -> None:
    assert name not in formats.BY_DEMUXER and name in words(formats.LEFT_OUT)


@pytest.mark.parametrize("container", formats.CONTAINERS, ids=lambda one: one.demuxer)
def test_a_container_is_known_by_its_first_bytes(container: formats.Container) -> None:
    assert container.title and container.holds and container.endings
    for alternative in container.magic:
        head = bytearray(b"\x00" * 64)
        for at, mark in alternative:
            head[at : at + len(mark)] = mark
        assert sniff.container_of(bytes(head)) == container.demuxer
        assert sniff.kind_of(bytes(head)).name in ("a sound", "a video", "GIF")


def test_file_names_end_in_one_kind_only() -> None:
    of_kind = {kind: set(format_names.endings(kind)) for kind in ("picture", "sound", "video")}
    assert of_kind == {kind: set(names) for kind, names in KINDS.items()}
    every = [ending for names in of_kind.values() for ending in names]
    assert len(every) == len(set(every))
    assert {"mts", "wmv", "flv", "3gp", "avi"} <= of_kind["video"]
    assert {"aiff", "caf", "au", "amr", "w64", "wma"} <= of_kind["sound"]
    assert {ending for one in formats.CONTAINERS for ending in one.endings} <= set(every)


def test_the_documentation_has_the_formats_of_the_table() -> None:
    page = (ROOT / "docs/files.md").read_text(encoding="utf-8")
    for kind, row in (
        ("picture", "| picture | {}; up to 80 megapixels, JPEG up to 200 |"),
        ("sound", "| sound | {}, or the sound of a video |"),
        ("video", "| driving video, pose, face, mask | {} |"),
    ):
        assert row.format(", ".join(format_names.titles(kind))) in page, kind
        assert set(format_names.USUAL[kind]) <= set(format_names.titles(kind))


def test_the_script_has_the_signatures_of_the_table() -> None:
    known = file_formats.for_script()
    marks = {
        (at, mark) for one in known["signatures"] for alternative in one["magic"] for at, mark in alternative
    }
    assert {(0, "caff"), (0, "GIF89a"), (8, "AVI "), (0, "FLV\x01")} <= marks
    assert ".mts" in known["accept"]["video"] and ".amr" in known["accept"]["sound"]


def ts(packets: int, size: int = 188, first: int = 0) -> bytes:
    packet = b"G" + bytes(range(1, 128)) + b"\xff" * 60
    whole = (packet + bytes(size - 188)) * packets
    return bytes(first) + whole


@pytest.mark.parametrize("size", [188, 192, 204])
@pytest.mark.parametrize("first", [0, 4, 100])
def test_transport_streams_are_known_by_their_packets(size: int, first: int) -> None:
    assert sniff.container_of(ts(22, size, first)[:4096]) == "mpegts"
    assert sniff.container_of(ts(3, size, first)[:4096]) == ""
    assert sniff.container_of(b"G" * 4096) == "", "a text"


def test_frames_of_aac_in_latm_are_known_by_the_next_one() -> None:
    frame = b"\x56\xe0\x10" + bytes(16)
    assert sniff.container_of(frame * 3) == "loas"
    assert sniff.container_of("Vé est un mot".encode("latin-1") + bytes(90)) == ""


def test_a_file_of_another_kind_holds_no_sound() -> None:
    import io

    from tests.support.odd_media import mp3_frames

    for head in (b"%PDF-1.7\n", b"PK\x03\x04", b"\x7fELF"):
        data = head + bytes(100) + mp3_frames(9)
        assert locate.locate(io.BytesIO(data), data[:4096]).demuxer == "", head
