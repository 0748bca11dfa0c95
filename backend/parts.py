"""The files between the graphs of one job: cuts made before a graph runs, what it hands on, the join.

Everything lies in `work/` in the job's folder, without extensions, and goes when the job has ended.
"""

from __future__ import annotations

import shutil
import wave
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from backend.engines.base import Engine
from backend.errors import BadMedia, NoOutput
from backend.events import Output
from backend.media.probe import Decoder
from workflows.compile import Compiled
from workflows.labels import Derived

TAIL = "-tail"
WORK = "work"
SILENCE_RATE = 16_000  # Hz


class Parts:
    """One job's bench. `sources`: name in the graphs -> file, for what the creator gave."""

    def __init__(
        self,
        decoder: Decoder,
        folder: Path,
        sources: Mapping[str, Path],
        compiled: Compiled,
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
        self.work.mkdir(exist_ok=True)
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
        self.work.mkdir(exist_ok=True)
        ending = ".png" if self.compiled.still else ".mp4"
        tail = sorted((o for o in outputs if TAIL in o.filename), key=lambda o: o.filename)
        results = [o for o in outputs if o not in tail and o.filename.lower().endswith(ending)]
        if not results:
            what = "picture" if self.compiled.still else "video"
            raise NoOutput(f"ComfyUI finished, but wrote no {what}.", "Try again.")
        video = self.work / f"part-{index}"
        engine.fetch(results[-1], video)
        self.videos.append(video)
        self._tail = []
        for number, output in enumerate(tail):
            path = self.work / f"tail-{index}-{number}.png"
            engine.fetch(output, path)
            self._tail.append(path)

    def finish(self, result: Path) -> None:
        """The job's file under its final name; the bench is cleared. Raises BadMedia, DiskFull, OSError."""
        sound = self.compiled.sound
        if len(self.videos) == 1 and sound is None:
            self.videos[0].replace(result)
        else:
            laid = self._make(sound, len(self.videos), 0) if sound is not None else None
            frames = self.compiled.frames
            self.decoder.join(self.videos, result, laid, frames=frames, on_progress=self._on_progress)
        shutil.rmtree(self.work, ignore_errors=True)
