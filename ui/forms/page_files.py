"""Files of a form: what is known of an upload, a job's stored inputs, and links that the page can load."""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from backend.errors import StudioError
from backend.media.facts import PictureFacts, SoundFacts, VideoFacts
from ui.forms import schema
from ui.forms.uploads import cached_copy
from workflows.modes.registry import MODES

if TYPE_CHECKING:
    from backend.jobs.views import JobView, SourceFile
    from backend.studio import Studio

    Facts = PictureFacts | SoundFacts | VideoFacts

log = logging.getLogger("wan.ui")

FILES_REMEMBERED = 256
WAVE_POINTS = 280
SUFFIXES = {
    "JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif",
    "mp3": ".mp3", "flac": ".flac", "aac": ".m4a", "alac": ".m4a", "vorbis": ".ogg", "opus": ".ogg",
    "vp8": ".webm", "vp9": ".webm",
}  # fmt: skip
"""Format or codec -> the file name suffix under which the page loads a stored input."""
OTHER_SUFFIX = {"picture": ".png", "sound": ".wav", "video": ".mp4"}


@dataclass(frozen=True)
class Measured:
    """The facts of an upload, and the peaks of a sound."""

    facts: Facts
    peaks: tuple[float, ...] = ()


class PageFiles:
    """Measures uploads and links stored files into the upload folder. Thread-safe."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self._measured: OrderedDict[tuple[str, str], Measured] = OrderedDict()
        self._reduced: OrderedDict[str, None] = OrderedDict()  # links that `source` made to smaller copies
        self._lock = Lock()

    def measure(self, mode: str, field: str, path: Path) -> Measured:
        """The facts of an upload; those of the last FILES_REMEMBERED files are cached. Raises BadMedia."""
        kind = MODES[mode].media[field].kind
        key = (kind, str(path))
        with self._lock:
            if key in self._measured:
                self._measured.move_to_end(key)
                return self._measured[key]
        found = Measured(self.studio.inspect(mode, field, path))
        if kind == "sound":
            found = replace(found, peaks=tuple(self.studio.waveform(path, WAVE_POINTS)))
        with self._lock:
            self._measured[key] = found
            while len(self._measured) > FILES_REMEMBERED:
                self._measured.popitem(last=False)
        return found

    def inputs(self, owner: str, job: JobView) -> dict[str, SourceFile]:
        """field -> stored file of the job's inputs, for its owner. Raises InputsGone when they are no longer
        stored, NotAllowed."""
        found = self.studio.sources(owner, job.id, job.key)
        return {name: found[name] for name in schema.file_names(job.mode) if name in found}

    def source(self, source: SourceFile, stem: str, mode: str, field: str) -> Path | None:
        """A link to a job's input under the creator's name for it, else under `stem`; see for_page."""
        given = Path(source.filename)
        if source.reduced:  # the copy is a PNG, whatever the original was
            link = self.for_page(source.path, given.stem or stem, mode, field)
        elif source.filename and given.suffix:
            link = self._link(source.path, source.filename)
        else:
            link = self.for_page(source.path, source.filename or stem, mode, field)
        if source.reduced and link is not None:
            with self._lock:
                self._reduced[str(link)] = None
                while len(self._reduced) > FILES_REMEMBERED:
                    self._reduced.popitem(last=False)
        return link

    def is_reduced(self, path: Path) -> bool:
        """Whether a file in the form is a smaller copy whose original is no longer kept."""
        with self._lock:
            return str(path) in self._reduced

    def has_sound(self, job: JobView, result: Path) -> bool:
        """Whether a result has a sound track. Raises BadMedia."""
        mode = next((name for name, spec in MODES.items() if "video" in spec.media), "")
        if job.result.endswith(".png") or not mode:
            return False
        facts = self.measure(mode, "video", result).facts
        return isinstance(facts, VideoFacts) and facts.has_audio

    def for_page(self, path: Path, title: str, mode: str, field: str) -> Path | None:
        """A link to a stored file in the upload folder, where a drop zone can load it. title: the file's name
        there; one without a known suffix gets that of the content.

        None, with a traceback in the log, when it cannot be made.
        """
        try:
            suffix = path.suffix or self._suffix(mode, field, path)
        except StudioError:
            log.exception("A stored file could not be read")
            return None
        name = Path(Path(title).name or field)
        return self._link(path, name.name if name.suffix == suffix else name.stem + suffix)

    def _link(self, path: Path, name: str) -> Path | None:
        try:
            return cached_copy(path, name)
        except OSError:
            log.exception("A stored file could not be linked into the upload folder")
            return None

    def _suffix(self, mode: str, field: str, path: Path) -> str:
        facts = self.measure(mode, field, path).facts
        known = facts.format.upper() if isinstance(facts, PictureFacts) else facts.codec
        return SUFFIXES.get(known, OTHER_SUFFIX[MODES[mode].media[field].kind])
