"""A creator's files on their way into a job: looked at, then kept in the job's own folder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from backend.errors import BadMedia
from backend.media.decoder import Decoder
from backend.media.facts import PictureFacts, SoundFacts, VideoFacts
from workflows.modes.registry import MODES
from workflows.notice import Notice, notice
from workflows.params.media import Media
from workflows.spec import ModeParams

NORMALISED_MARGIN = 2.0  # pictures are kept at up to twice the video's size: enough for ComfyUI's resampling
PICTURE_BYTES = 3  # a pixel of a picture that is kept as PNG, at most
CHUNK = 1 << 20

Facts = PictureFacts | SoundFacts | VideoFacts


def look(decoder: Decoder, kind: str, path: Path, field: str) -> Facts:
    """What an uploaded file is. `kind`: picture, sound or video. Raises BadMedia with the field."""
    if kind == "picture":
        return decoder.picture(path, field=field)
    if kind == "sound":
        return decoder.sound(path, field=field)
    return decoder.video(path, field=field)


def as_media(facts: Facts, name: str) -> Media:
    """The facts as the compiler wants them."""
    if isinstance(facts, PictureFacts):
        return Media(name, facts.width, facts.height)
    if isinstance(facts, SoundFacts):
        return Media(name, seconds=facts.seconds)
    return Media(
        name, facts.width, facts.height, facts.frames, facts.fps, facts.seconds, sound=facts.has_audio
    )


def note(facts: Facts) -> Notice | None:
    """What a caller should know of a file that is accepted all the same."""
    return notice("silent_sound") if isinstance(facts, SoundFacts) and facts.silent else None


def measured(decoder: Decoder, kind: str, path: Path, field: str, name: str) -> Media:
    """A file as Media. Raises BadMedia."""
    return as_media(look(decoder, kind, path, field), name)


def keep(
    decoder: Decoder,
    params: ModeParams,
    files: Mapping[str, Path],
    sizes: Mapping[str, Media],
    folder: Path,
    notes: Mapping[str, Notice | None],
) -> dict[str, dict[str, Any]]:
    """Copies in the job's folder, without extensions: parameter -> name, file, original, measures, note.

    Pictures are normalised and known by their new content; a padded one is kept unpadded too, so that the
    same settings at another size start from it. Sounds and videos are kept as they are: what the engine
    gets of them is cut for each graph. Raises BadMedia, DiskFull, OSError.
    """
    target = folder / "inputs"
    target.mkdir(parents=True)
    inputs: dict[str, dict[str, Any]] = {}
    side = round(NORMALISED_MARGIN * max(params.size))
    for name, path in files.items():
        if MODES[params.MODE].media[name].kind == "picture":
            stored = decoder.normalise(path, target / name, field=name, max_side=side)
            original = stored.path
            if getattr(params, "fit", "crop") == "pad":
                padded = target / f"{name}-padded"
                stored = decoder.normalise(path, padded, field=name, pad_to=params.size, max_side=side)
            file = stored.path
            media = replace(sizes[name], name=stored.name)  # its own size: a smaller copy rounds otherwise
            if file != original:
                media = Media(stored.name, stored.width, stored.height)
        else:
            file = original = target / name
            media = _copied(path, file, sizes[name], name)
        said = notes.get(name)
        inputs[name] = {
            **asdict(media),
            "note": said.to_json() if said is not None else "",
            "file": str(file.relative_to(folder)),
            "original": str(original.relative_to(folder)),
        }
    return inputs


def kept_bytes(params: ModeParams, files: Mapping[str, Path], seen: Mapping[str, Facts]) -> dict[str, int]:
    """What `keep` will write for each parameter, rather too much than too little. Raises BadMedia."""
    found = {}
    side = round(NORMALISED_MARGIN * max(params.size))
    for name, facts in seen.items():
        if isinstance(facts, PictureFacts):
            smaller = min(1.0, side / max(facts.width, facts.height))
            copies = 2 if getattr(params, "fit", "crop") == "pad" else 1
            found[name] = round(copies * PICTURE_BYTES * facts.width * facts.height * smaller**2)
        else:
            try:
                found[name] = files[name].stat().st_size
            except OSError as error:
                raise _gone(name) from error
    return found


def _gone(field: str) -> BadMedia:
    return BadMedia("The file no longer exists.", "Choose it again.", field=field)


def _copied(source: Path, target: Path, media: Media, field: str) -> Media:
    """A copy that no later change of the upload reaches, named by its content."""
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError as error:
        raise _gone(field) from error
    digest = hashlib.sha256()
    with target.open("rb") as file:
        while piece := file.read(CHUNK):
            digest.update(piece)
        with contextlib.suppress(OSError):
            os.fsync(file.fileno())
    return replace(media, name=f"wan-studio/{digest.hexdigest()[:32]}")
