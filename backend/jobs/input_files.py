"""The files that a job is made from: inspected, then copied into the job's folder."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from backend.jobs import originals
from backend.jobs.folders import remove_below
from backend.jobs.job import Job, StoredInput
from backend.jobs.layout import ENGINE_FOLDER, INPUTS, ORIGINALS, link_or_copy
from backend.jobs.originals import HASH_CHARACTERS, Upload
from backend.media import check
from backend.media.decoder import Decoder
from backend.media.facts import PictureFacts, SoundFacts, VideoFacts
from backend.media.sniff import HEAD_BYTES, kind_of
from workflows.modes.registry import MODES
from workflows.notice import Notice, notice
from workflows.params.media import Media
from workflows.spec import ModeParams

NORMALISED_MARGIN = 2.0  # pictures are stored at up to twice the video's size: enough for resampling
PICTURE_BYTES = 3  # per pixel of a stored PNG, at most

Facts = PictureFacts | SoundFacts | VideoFacts


def look(decoder: Decoder, kind: str, path: Path, field: str, title: str = "") -> Facts:
    """What an uploaded file is. `kind`: picture, sound or video; `title`: its name in messages, else that of
    the path. Raises BadMedia with the field."""
    if kind == "picture":
        return decoder.picture(path, name=title, field=field)
    if kind == "sound":
        return decoder.sound(path, name=title, field=field)
    return decoder.video(path, name=title, field=field)


def kind(path: Path) -> str:
    """What the file begins like: picture, sound, video, or "" for everything else."""
    try:
        with path.open("rb") as file:
            found = kind_of(file.read(HEAD_BYTES))
    except OSError:
        return ""
    if found.family == "raster":
        return "picture"
    return {"a sound": "sound", "a video": "video"}.get(found.name, "")


def preview(decoder: Decoder, upload: Path, target: Path) -> None:
    """Writes a small JPEG of a picture, or of a video's first frame, to `target`. Raises BadMedia,
    DiskFull."""
    make = decoder.poster if kind(upload) == "video" else decoder.preview
    make(upload, target)


def as_media(facts: Facts, name: str) -> Media:
    """The facts in the compiler's form."""
    if isinstance(facts, PictureFacts):
        return Media(name, facts.width, facts.height)
    if isinstance(facts, SoundFacts):
        return Media(name, seconds=facts.seconds)
    return Media(
        name, facts.width, facts.height, facts.frames, facts.fps, facts.seconds, sound=facts.has_audio
    )


def note(facts: Facts, field: str = "") -> Notice | None:
    """A warning about a file that is accepted all the same. `field`: the parameter, since of videos only the
    driving video's sound is used."""
    if isinstance(facts, SoundFacts) and facts.silent:
        return notice("silent_sound")
    if isinstance(facts, PictureFacts) or (isinstance(facts, VideoFacts) and field != "video"):
        return None
    if isinstance(facts, VideoFacts) and facts.sound_lost:
        return notice("sound_lost", field=field)
    return notice("to_stereo", channels=facts.channels) if facts.channels > 2 else None


def measured(decoder: Decoder, kind: str, path: Path, field: str, name: str) -> Media:
    """A file as Media. Raises BadMedia."""
    return as_media(look(decoder, kind, path, field), name)


def keep(
    decoder: Decoder,
    params: ModeParams,
    uploads: Mapping[str, Upload],
    whole: Collection[str],
    sizes: Mapping[str, Media],
    folder: Path,
    notes: Mapping[str, Notice | None],
    titles: Mapping[str, str] = {},
) -> dict[str, StoredInput]:
    """Stores files in the job's folder: the inputs of the job by parameter name.

    The files have no extensions. Pictures are normalised and named by their new content; a padded one is
    stored unpadded too, and those in `whole` as they were sent, so that another job can be made from the
    whole picture. Sounds and videos are stored unchanged: the engine gets a cut of them for each graph.
    `titles`: the names in messages. Raises BadMedia, DiskFull, OSError.
    """
    target = folder / INPUTS
    target.mkdir(parents=True, exist_ok=True)
    inputs: dict[str, StoredInput] = {}
    side = round(NORMALISED_MARGIN * max(params.size))
    for name, upload in uploads.items():
        path, kept, copy = upload.path, "", None
        if MODES[params.MODE].files[name].kind == "picture":
            title = titles.get(name, "")
            stored = decoder.normalise(path, target / name, name=title, field=name, max_side=side)
            original = stored.path
            if upload.copy_of is not None or (stored.width, stored.height) != (
                sizes[name].width,
                sizes[name].height,
            ):
                copy = Media(stored.name, stored.width, stored.height)
            if name in whole:
                kept = f"{ORIGINALS}/{name}"
                _store(decoder, upload, folder / kept, name, title or upload.filename)
            if getattr(params, "fit", "crop") == "pad":
                padded = target / f"{name}-padded"
                stored = decoder.normalise(
                    path, padded, pad_to=params.size, name=title, field=name, max_side=side
                )
            file = stored.path
            media = replace(sizes[name], name=stored.name)  # not the copy's size, which is rounded
            if file != original:
                media = Media(stored.name, stored.width, stored.height)
        else:
            file = original = target / name
            _store(decoder, upload, file, name, titles.get(name) or upload.filename)
            media = replace(sizes[name], name=f"{ENGINE_FOLDER}/{upload.digest[:HASH_CHARACTERS]}")
            kept = str(file.relative_to(folder))
        inputs[name] = StoredInput(
            media, str(file.relative_to(folder)), str(original.relative_to(folder)), notes.get(name),
            upload.filename, upload.digest, kept, copy,
        )  # fmt: skip
    return inputs


def linked(like: Job, params: ModeParams, jobs_dir: Path, folder: Path) -> dict[str, StoredInput] | None:
    """The inputs of a job that is made from the same files, linked into another job's folder; None when that
    job would store other copies (another size or fit) or they are gone."""
    if not like.inputs or params.size != (like.width, like.height):
        return None
    if getattr(params, "fit", "") != like.params.get("fit", getattr(params, "fit", "")):
        return None
    try:
        link_all(jobs_dir / like.id, folder)
    except OSError:
        for name in (INPUTS, ORIGINALS):
            remove_below(folder, name)
        return None
    return dict(like.inputs)


def link_all(source: Path, folder: Path) -> None:
    """Links the stored inputs of one job's folder into another one. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (INPUTS, ORIGINALS):
        if (source / name).is_dir():
            shutil.copytree(source / name, folder / name, copy_function=link_or_copy)


def kept_bytes(
    params: ModeParams, uploads: Mapping[str, Upload], whole: Collection[str], seen: Mapping[str, Facts]
) -> dict[str, int]:
    """An upper bound of the bytes that `keep` adds to the disk for each parameter."""
    found = {}
    side = round(NORMALISED_MARGIN * max(params.size))
    for name, facts in seen.items():
        if isinstance(facts, PictureFacts):
            smaller = min(1.0, side / max(facts.width, facts.height))
            copies = 2 if getattr(params, "fit", "crop") == "pad" else 1
            found[name] = round(copies * PICTURE_BYTES * facts.width * facts.height * smaller**2)
        else:
            found[name] = 0
        if (name in whole or not isinstance(facts, PictureFacts)) and not uploads[name].twins:
            found[name] += uploads[name].size
    return found


def _store(decoder: Decoder, upload: Upload, target: Path, field: str, title: str) -> None:
    """Raises BadMedia when the upload is gone, OSError."""
    try:
        with decoder.unchanged(upload.path):
            originals.store(upload, target)
    except FileNotFoundError as error:
        raise check.missing(title, field) from error
