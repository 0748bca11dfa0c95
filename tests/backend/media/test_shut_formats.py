"""Playlists, scripts and descriptions of streams stay shut, by their content and without that check."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.errors import BadMedia
from backend.media import clip, container, formats, sound
from backend.media.locate import Located
from tests.support.media_files import tone, write_sound

SCRIPTS: dict[str, str] = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{real}\n#EXT-X-ENDLIST\n",
    "hls of a file address": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile://{real}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile {real}\n",
    "concat with a byte order mark": "\ufeffffconcat version 1.0\nfile {real}\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>'
    "<AdaptationSet><Representation><BaseURL>{real}</BaseURL></Representation></AdaptationSet></Period></MPD>",
    "sdp": "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nm=audio 9999 RTP/AVP 0\r\n",
    "ffmetadata": ";FFMETADATA1\ntitle={real}\n",
    "imf": '<?xml version="1.0"?><CompositionPlaylist xmlns="http://www.smpte-ra.org/schemas/2067-3/2016">'
    "<Id>urn:uuid:0</Id></CompositionPlaylist>",
    "smil": "<smil><body><video src='{real}'/></body></smil>",
    "asx": "<asx version='3.0'><entry><ref href='{real}'/></entry></asx>",
    "pls": "[playlist]\nFile1={real}\n",
    "xspf": "<playlist version='1'><trackList><track><location>{real}</location></track></trackList>",
    "ram": "rtsp://127.0.0.1/a\nfile://{real}\n",
    "reference movie": "\0\0\0\x50moov\0\0\0\x48rmra\0\0\0\x40rmda\0\0\0\x38rdrf\0\0\0\0url \0\0\0\x20{real}",
    "srt": "1\n00:00:00,000 --> 00:00:05,000\n{real}\n",
    "avisynth": 'DirectShowSource("{real}")\n',
    "ttml": "<tt xmlns='http://www.w3.org/ns/ttml'/>",
}
FORCED = (
    "hls", "concat", "dash", "image2", "image2pipe", "rtsp", "rtp", "sdp", "sap", "ffmetadata", "imf",
    "webm_dash_manifest", "lavfi", "tty", "srt",
)  # fmt: skip


@pytest.fixture
def real(tmp_path: Path) -> Path:
    """A sound that a script could lead to."""
    return write_sound(tmp_path / "real.aac", tone(1.0), 44_100, "aac", "adts")


@pytest.mark.parametrize("which", SCRIPTS)
def test_a_script_is_not_followed(which: str, real: Path, tmp_path: Path) -> None:
    path = tmp_path / "list.mp4"
    path.write_bytes(SCRIPTS[which].replace("{real}", str(real)).encode("utf-8"))
    for ask in (sound.facts, clip.facts):
        with pytest.raises(BadMedia, match=r"list\.mp4 (is|has)"):
            ask(str(path), "list.mp4")


@pytest.mark.parametrize("form", FORCED)
def test_a_script_that_passes_for_a_sound_opens_nothing(
    form: str, real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second safeguard: no protocol, and no second file."""
    path = tmp_path / "list"
    monkeypatch.setattr(container, "locate", lambda file, head: Located(form, 0))
    for script in SCRIPTS.values():
        path.write_bytes(script.replace("{real}", str(real)).encode("utf-8"))
        with pytest.raises((BadMedia, PermissionError, ValueError)):
            sound.facts(str(path), "list")


def test_the_table_takes_none_of_them() -> None:
    left = {name for names in formats.LEFT_OUT.values() for name in names.split()}
    assert not set(FORCED) & set(formats.BY_DEMUXER)
    assert set(FORCED) - {"lavfi"} <= left, "lavfi is a device, which PyAV lists apart"
