"""The files of a job's segments: media derived before each graph runs, the outputs collected, the join.

A segment is what one prompt draws. Its files are in `work/` in the job's folder, without extensions, and are
removed when the job has ended. An output has its name only once it is complete, so an interrupted job resumes
after its last complete segment while its plan (`work/plan`, a digest) is unchanged.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import wave
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from backend.engines.base import Engine
from backend.errors import BadMedia, InputsGone, MediaBusy, NoOutput, from_os_error
from backend.events import Output
from backend.jobs.folders import remove_below
from backend.jobs.job import Job
from backend.jobs.layout import PLAN, WORK, link_or_copy, write_text
from backend.jobs.results import engines_file
from backend.media.decoder import Decoder
from workflows.compile import Compiled
from workflows.compiled import Derived
from workflows.modes.registry import MODES
from workflows.notice import Notice, notice

log = logging.getLogger("wan.jobs")

TAIL = "-tail"
"""Marks, in an output's name, the last frames of a segment, which the next one starts from."""
FACES = "-faces"
"""Marks, in an output's name, one pixel for each frame of a driving video: black where it has no face."""
SILENCE_RATE = 16_000  # Hz
SHOWN_ONLY = frozenset({"temp", "input"})
"""Folders of ComfyUI whose files a node shows and does not save. One counts where nothing is saved."""


class Segments:
    """The segments of one compiled job. `sources`: name in the graphs -> file that the job was given."""

    def __init__(
        self,
        decoder: Decoder,
        folder: Path,
        sources: Mapping[str, Path],
        compiled: Compiled,
        job_id: str,
        *,
        check: Callable[[], None] = lambda: None,
        quiet: frozenset[str] = frozenset(),
        titles: Mapping[str, str] = {},
        fields: Mapping[str, str] = {},
    ) -> None:
        """`check` is called while media are cut and joined; an exception that it raises stops them. `quiet`:
        sources whose sound may be shorter than their video; the missing part is silent. `titles`: their names
        in messages; `fields`: their parameters."""
        self.compiled = compiled
        self._on_progress = lambda share: check()
        self._quiet, self._titles, self._fields = quiet, dict(titles), dict(fields)
        self._decoder, self._folder = decoder, folder
        self._work = folder / WORK
        self._sources = dict(sources)
        self._videos: list[Path] = []
        self._tail: list[Path] = []
        self._digest = digest_of(compiled, job_id)
        self._faces: list[bool] = []  # whether a segment of this run has a face
        self.notices: tuple[Notice, ...] = ()
        """What is to be said after the run: of a sound that could not be used, of missing faces."""

    @classmethod
    def of_job(
        cls, decoder: Decoder, folder: Path, job: Job, compiled: Compiled, *, check: Callable[[], None]
    ) -> Segments:
        """Those of a stored job, from the inputs in its folder. Raises InputsGone."""
        sources = {item.media.name: folder / item.file for item in job.inputs.values()}
        if not all(path.is_file() for path in sources.values()):
            raise InputsGone.of("inputs_missing")
        driving = frozenset({job.inputs["video"].media.name} if "video" in job.inputs else ())
        titles = {item.media.name: title_of(job, name) for name, item in job.inputs.items()}
        fields = {item.media.name: name for name, item in job.inputs.items()}
        return cls(
            decoder, folder, sources, compiled, job.id, check=check, quiet=driving, titles=titles,
            fields=fields,
        )  # fmt: skip

    def reuse(self, finished: int) -> int:
        """Keeps the `finished` first segments of an earlier run if all are there and of the same digest.

        The number kept: all of them or 0. Where that is not what the earlier run made, the work folder is
        emptied for a new start. Raises DiskFull.
        """
        videos = [self._video(index) for index in range(finished)]
        complete = all(path.is_file() for path in videos)
        if complete and _text(self._work / PLAN) == self._digest:
            self._videos = videos
            self._tail = self._tail_of(finished - 1)
            return finished
        remove_below(self._folder, WORK)
        try:
            self._work.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise from_os_error(error) from error
        write_text(self._work / PLAN, self._digest)
        return 0

    def take(self, index: int) -> bool:
        """Uses the next segment if an earlier run collected it, but ended before that was saved."""
        if not self._video(index).is_file():
            return False
        self._videos.append(self._video(index))
        self._tail = self._tail_of(index)
        return True

    def _video(self, index: int) -> Path:
        return self._work / f"part-{index}"

    def _tail_of(self, index: int) -> list[Path]:
        return sorted(self._work.glob(f"tail-{index}-*.png"))

    def derive(self, index: int) -> dict[str, Path]:
        """Name -> file, of all that a segment's graph reads; makes the derived ones. Raises BadMedia,
        DiskFull."""
        derived = self.compiled.derived[index]
        made = {item.name: self._make(item, index, number) for number, item in enumerate(derived)}
        read = _texts_in(self.compiled.graphs[index])
        return {name: path for name, path in {**self._sources, **made}.items() if name in read}

    def _make(self, derived: Derived, index: int, number: int) -> Path:
        target = self._work / f"{derived.kind}-{index}-{number}"
        if derived.kind == "tail":
            with engines_file(still=True):
                self._decoder.frames_to_video(
                    self._tail, target, fps=derived.fps, on_progress=self._on_progress
                )
            return target
        source = self._sources[derived.source]
        if derived.kind == "sound":
            self._cut_sound(derived, source, target)
        else:
            self._decoder.cut_video(
                source, target, derived.start, derived.seconds, fps=derived.fps,
                width=derived.width, height=derived.height,
                first_frame=derived.first_frame, frames=derived.frames, on_progress=self._on_progress,
                name=self._titles.get(derived.source, ""), field=self._fields.get(derived.source, "video"),
            )  # fmt: skip
        return target

    def _cut_sound(self, derived: Derived, source: Path, target: Path) -> None:
        try:
            self._decoder.cut_sound(
                source,
                target,
                derived.start,
                derived.seconds,
                silence=derived.silence,
                level=derived.level,
                name=self._titles.get(derived.source, ""),
                field=self._fields.get(derived.source, "audio"),
                on_progress=self._on_progress,
            )
        except BadMedia as error:
            if derived.source not in self._quiet or isinstance(error, MediaBusy):
                raise
            if not self._ends_before(source, derived.start):
                self.notices = (*self.notices, notice("sound_lost", field="video"))
            with wave.open(str(target), "wb") as silence:
                silence.setnchannels(1)
                silence.setsampwidth(2)
                silence.setframerate(SILENCE_RATE)
                silence.writeframes(bytes(2 * round(SILENCE_RATE * (derived.silence + derived.seconds))))

    def _ends_before(self, source: Path, start: float) -> bool:
        """Whether the sound of a video can be read and is over at `start`."""
        try:
            return self._decoder.sound(source).seconds <= start
        except BadMedia:
            return False

    def collect(self, engine: Engine, outputs: tuple[Output, ...], index: int) -> None:
        """Fetches a segment's video or picture, and the last frames for the next one. Raises NoOutput."""
        ending = ".png" if self.compiled.still else ".mp4"
        tail = sorted((o for o in outputs if TAIL in o.filename), key=lambda o: o.filename)
        results = [o for o in outputs if o not in tail and o.filename.lower().endswith(ending)]
        results = [o for o in results if o.kind not in SHOWN_ONLY] or results
        if not results:
            raise NoOutput.of("no_picture_written" if self.compiled.still else "no_video_written")
        self._tail = []
        for number, output in enumerate(tail):
            path = self._work / f"tail-{index}-{number:04d}.png"
            engine.fetch(output, path)
            self._tail.append(path)
        engine.fetch(results[-1], self._video(index))
        self._videos.append(self._video(index))
        self._look_for_faces(engine, [o for o in outputs if FACES in o.filename], index)

    def _look_for_faces(self, engine: Engine, outputs: list[Output], index: int) -> None:
        """Adds a notice if no segment of the job has a face; a job without the outputs, or that resumes,
        has none. A fault of the check does not spoil the video."""
        if not outputs:
            return
        path = self._work / f"faces-{index}"
        try:
            engine.fetch(outputs[-1], path)
            self._faces.append(self._decoder.lit(path))
        except (BadMedia, NoOutput) as error:
            log.info("faces of segment %d: %s", index, error.detail or error.message)
            return
        if len(self._faces) == len(self.compiled.graphs) and not any(self._faces):
            self.notices = (*self.notices, notice("no_face_found"))

    def join(self, result: Path) -> None:
        """Writes the job's result from all segments, which stay. Raises BadMedia of the sound, NoOutput,
        DiskFull, InternalError."""
        sound, frames = self.compiled.sound, self.compiled.frames
        try:
            if len(self._videos) == 1 and sound is None:
                result.unlink(missing_ok=True)
                link_or_copy(self._videos[0], result)
            else:
                track = self._make(sound, len(self._videos), 0) if sound is not None else None
                with engines_file():
                    self._decoder.join(
                        self._videos, result, track, frames=frames, on_progress=self._on_progress
                    )
        except OSError as error:
            raise from_os_error(error) from error


def title_of(job: Job, field: str) -> str:
    """The name of an input in messages: its owner's, else that of the field."""
    return job.inputs[field].title or f"The {MODES[job.mode].files[field].label.lower()}"


def digest_of(compiled: Compiled, job_id: str) -> str:
    """A digest that is equal for two jobs exactly when their segments are interchangeable."""
    text = json.dumps([compiled.graphs, compiled.kept, compiled.width, compiled.height, compiled.fps])
    text += repr((compiled.derived, compiled.sound))
    return hashlib.sha256(text.replace(job_id, "JOB").encode()).hexdigest()


def inherit_segments(earlier: Path, folder: Path) -> bool:
    """Links the finished segments of an earlier attempt into a job's folder; False if there are none."""
    source, target = earlier / WORK, folder / WORK
    try:
        if not (source / PLAN).is_file():
            return False
        shutil.copytree(source, target, copy_function=link_or_copy)
    except OSError:
        remove_below(folder, WORK)
        return False
    return True


def _texts_in(graph: Mapping[str, Any]) -> set[str]:
    return {value for node in graph.values() for value in node["inputs"].values() if isinstance(value, str)}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
