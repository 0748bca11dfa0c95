"""A preset as a file and as the text of a link, to be passed on. The content is untrusted.

The file is JSON: {"preset": 1, "name": "...", "settings": {version, mode, values}}. A link has the same,
compressed, in letters that need no escape in an address.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from typing import Any
from unicodedata import normalize

from backend.errors import BadInput
from backend.jobs.stored_settings import stored_settings
from workflows.modes.presets import Preset, kept
from workflows.modes.settings_json import UnreadableSettings, parsed, to_json

VERSION = 1
NAME_MAX = 60
"""Characters of a preset's name."""
FILE_MAX = 100_000
"""Bytes of a file, or of what a link unpacks to."""
LINK_MAX = 4_000
"""Characters of the text in a link: what browsers, proxies and messengers pass on."""
JOINERS = "\u200c\u200d"
"""Characters that separate or join letters, as in Persian words and in composed emoji."""
LOOSE_JOINERS = re.compile(rf"(?<![^\x00-\x7f])[{JOINERS}]+|[{JOINERS}]+(?![^\x00-\x7f])")
"""Such characters where they have no effect: not between two letters beyond ASCII."""
LINK = re.compile(r"[A-Za-z0-9_-]+")


def clean_name(name: str) -> str:
    """A name on one line, without invisible characters. Raises BadInput for an empty and for a long one."""
    shown = "".join(c if c.isprintable() or c in JOINERS else " " for c in name[: 4 * NAME_MAX])
    shown = normalize("NFC", " ".join(LOOSE_JOINERS.sub("", shown).split()))
    if not shown:
        raise BadInput.of("preset_unnamed", field="name")
    if len(shown) > NAME_MAX:
        raise BadInput.of("preset_name_long", most=NAME_MAX, field="name")
    return shown


def to_file(preset: Preset) -> bytes:
    """The content of the file."""
    return json.dumps(_plain(preset), ensure_ascii=False, indent=1).encode()


def file_name(preset: Preset) -> str:
    """`Soft light.wanpreset.json`, without letters that a file name cannot have."""
    stem = re.sub(r'[\\/:*?"<>|\x00-\x1f]+', " ", preset.name).strip(" .") or "preset"
    return f"{stem}.wanpreset.json"


def to_link(preset: Preset) -> str:
    """The text of a link. Raises BadInput when it is too long for one."""
    packed = zlib.compress(json.dumps(_plain(preset), ensure_ascii=False, separators=(",", ":")).encode(), 9)
    text = base64.urlsafe_b64encode(packed).decode().rstrip("=")
    if len(text) > LINK_MAX:
        raise BadInput.of("preset_link_long")
    return text


def from_file(data: bytes) -> Preset:
    """The preset in a file. Raises BadInput."""
    if len(data) > FILE_MAX:
        raise BadInput.of("preset_file_large")
    try:
        found = parsed(data.removeprefix(b"\xef\xbb\xbf"))
    except UnreadableSettings as error:
        raise BadInput.of("preset_file") from error
    if not isinstance(found, dict) or not isinstance(found.get("name"), str):
        raise BadInput.of("preset_file")
    version = found.get("preset")
    if isinstance(version, bool) or not isinstance(version, int) or version < VERSION:
        raise BadInput.of("preset_file")
    if version > VERSION:
        raise BadInput.of("settings_later")
    return loaded(found["name"], found.get("settings"))


def from_link(text: str) -> Preset:
    """The preset in the text of a link. Raises BadInput."""
    if len(text) > LINK_MAX or not LINK.fullmatch(text):
        raise BadInput.of("preset_file")
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        unpacking = zlib.decompressobj()
        data = unpacking.decompress(packed, FILE_MAX)
    except (ValueError, binascii.Error, zlib.error) as error:
        raise BadInput.of("preset_file") from error
    if not unpacking.eof or unpacking.unused_data:
        raise BadInput.of("preset_file")
    return from_file(data)


def loaded(name: str, settings: object, id: str = "") -> Preset:
    """A preset of this name with these settings, each of which is checked. Raises BadInput."""
    found = stored_settings(settings)
    values = kept(found.mode, found.values, sentence=True)
    return Preset(mode=found.mode, name=clean_name(name), values=values, id=id, left_out=found.left_out)


def _plain(preset: Preset) -> dict[str, Any]:
    return {"preset": VERSION, "name": preset.name, "settings": to_json(preset.mode, preset.values)}
