"""The files between the graphs of one job: cuts made before a graph runs, what it hands on, the join.

Everything lies in `work/` in the job's folder, without extensions, and goes when the job has ended. What a
graph made is there under its name only when it is whole, so a job that was interrupted goes on after the
last part that is there, as long as its plan (`work/plan`, a digest) is the same.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import wave
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from backend.engines.base import Engine
from backend.errors import BadMedia, NoOutput, from_os_error
from backend.events import Output
from backend.jobs.folders import remove_below
from backend.jobs.layout import PLAN, WORK, link_or_copy, write_text
from backend.media.decoder import Decoder
from workflows.compile import Compiled
from workflows.compiled import Derived

TAIL = "-tail"
SILENCE_RATE = 16_000  # Hz


class Parts:
    """One job's bench. `sources`: name in the graphs -> file, for what the creator gave."""

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
    ) -> None:
        """`check` is called while media are cut and joined; what it raises ends that. `quiet`: sources whose
        sound may be shorter than their pictures: silence stands in for what is not there."""
        self._on_progress = lambda share: check()
        self.quiet = quiet
        self.decoder, self.folder, self.compiled = decoder, folder, compiled
        self.work = folder / WORK
        self.sources = dict(sources)
        self.videos: list[Path] = []
        self._tail: list[Path] = []
        self.plan = plan_digest(compiled, job_id)

    def take_up(self, finished: int) -> int:
        """How many of the `finished` parts are there and belong to this plan; they are not made again.

        All of them, or none: then the bench is cleared for a new start. Raises DiskFull.
        """
        videos = [self._video(index) for index in range(finished)]
        there = all(path.is_file() for path in videos)
        if finished and there and _text(self.work / PLAN) == self.plan:
            self.videos = videos
            self._tail = sorted(self.work.glob(f"tail-{finished - 1}-*.png"))
            return finished
        remove_below(self.folder, WORK)
        try:
            self.work.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise from_os_error(error) from error
        write_text(self.work / PLAN, self.plan)
        return 0

    def _video(self, index: int) -> Path:
        return self.work / f"part-{index}"

    def files(self, index: int, graph: Mapping[str, Any]) -> dict[str, Path]:
        """The files that this graph reads, derived ones made now. Raises BadMedia, DiskFull."""
        made = {
            derived.name: self._make(derived, index, n)
            for n, derived in enumerate(self.compiled.derived[index])
        }
        at_hand = {**self.sources, **made}
        read = {
            value for node in graph.values() for value in node["inputs"].values() if isinstance(value, str)
        }
        return {name: path for name, path in at_hand.items() if name in read}

    def _make(self, derived: Derived, index: int, number: int) -> Path:
        target = self.work / f"{derived.kind}-{index}-{number}"
        if derived.kind == "tail":
            self.decoder.frames_to_video(self._tail, target, fps=derived.fps, on_progress=self._on_progress)
            return target
        source = self.sources[derived.source]
        if derived.kind == "sound":
            self._cut_sound(derived, source, target)
        else:
            self.decoder.cut_video(
                source, target, derived.start, derived.seconds, fps=derived.fps,
                width=derived.width, height=derived.height,
                first_frame=derived.first_frame, frames=derived.frames, on_progress=self._on_progress,
            )  # fmt: skip
        return target

    def _cut_sound(self, derived: Derived, source: Path, target: Path) -> None:
        try:
            self.decoder.cut_sound(
                source,
                target,
                derived.start,
                derived.seconds,
                silence=derived.silence,
                level=derived.level,
                on_progress=self._on_progress,
            )
        except BadMedia:
            if derived.source not in self.quiet:
                raise
            with wave.open(str(target), "wb") as silence:
                silence.setnchannels(1)
                silence.setsampwidth(2)
                silence.setframerate(SILENCE_RATE)
                silence.writeframes(bytes(2 * round(SILENCE_RATE * (derived.silence + derived.seconds))))

    def fetch(self, engine: Engine, outputs: tuple[Output, ...], index: int) -> None:
        """Takes what a graph wrote: its video or picture, and the frames to hand on. Raises NoOutput."""
        ending = ".png" if self.compiled.still else ".mp4"
        tail = sorted((o for o in outputs if TAIL in o.filename), key=lambda o: o.filename)
        results = [o for o in outputs if o not in tail and o.filename.lower().endswith(ending)]
        if not results:
            what = "picture" if self.compiled.still else "video"
            raise NoOutput(f"ComfyUI finished, but wrote no {what}.", "Try again.")
        self._tail = []
        for number, output in enumerate(tail):
            path = self.work / f"tail-{index}-{number:04d}.png"
            engine.fetch(output, path)
            self._tail.append(path)
        engine.fetch(results[-1], self._video(index))
        self.videos.append(self._video(index))

    def finish(self, result: Path) -> None:
        """The job's file under its final name; the bench stays. Raises BadMedia, DiskFull, OSError."""
        sound = self.compiled.sound
        if len(self.videos) == 1 and sound is None:
            result.unlink(missing_ok=True)
            link_or_copy(self.videos[0], result)
        else:
            laid = self._make(sound, len(self.videos), 0) if sound is not None else None
            frames = self.compiled.frames
            self.decoder.join(self.videos, result, laid, frames=frames, on_progress=self._on_progress)


def plan_digest(compiled: Compiled, job_id: str) -> str:
    """The same for two jobs exactly when the parts of one can stand for the parts of the other."""
    text = json.dumps([compiled.graphs, compiled.kept, compiled.width, compiled.height, compiled.fps])
    text += repr((compiled.derived, compiled.sound))
    return hashlib.sha256(text.replace(job_id, "JOB").encode()).hexdigest()


def adopt(earlier: Path, folder: Path) -> bool:
    """Gives a job's folder the finished parts of an earlier try at the same. Whether there were any."""
    source, target = earlier / WORK, folder / WORK
    try:
        if not (source / PLAN).is_file():
            return False
        shutil.copytree(source, target, copy_function=link_or_copy)
    except OSError:
        remove_below(folder, WORK)
        return False
    return True


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
