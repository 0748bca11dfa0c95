"""Extending a finished video: a new part is drawn after it, or a part is drawn again, and all are joined.

The result is a job of its own with links to the files of its parts, so that deleting what it was made from
leaves it whole. The new part is a child job of Image-to-Video, or of the clip's own mode where the first part
is drawn again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from backend.errors import BadInput, InputsGone, NotFound, StudioError
from backend.jobs import folders, waiting_clip
from backend.jobs.extension_base import (
    AUTO,
    METHODS,
    SPEEDS,
    Base,
    Request,
    length_after,
    seed_for,
    whole_number,
)
from backend.jobs.extension_parent import Joined
from backend.jobs.job import CANCELLED, DONE, FAILED, TERMINAL, VARIATIONS, Job, ResultOf
from backend.jobs.job_storage import Submission
from backend.jobs.layout import result_name
from backend.jobs.library import Library
from backend.jobs.offers import Offer, Offers
from backend.jobs.part_submission import PartSubmitter
from backend.jobs.part_values import PartValues, first_again, own_values, values_again, values_of
from backend.jobs.parts import CLIP, LAST_FRAME, SVI, Part, Route, end_of, frame_in_file, up_to
from backend.jobs.views import EXTEND, ExtendPlan
from backend.media.decoder import Decoder
from workflows.catalog import load_catalog
from workflows.continuing import MODE
from workflows.modes.continuation import UNUSED
from workflows.modes.registry import makes_still
from workflows.notice import Notice, made, notice
from workflows.params.sizes import FPS, frames_for
from workflows.spec import RANDOM_SEED
from workflows.stages import svi

FRAMES = ".frames-"
"""What the name of a folder in the data folder begins with that has the frames to draw from, while a part is
submitted."""
BOTH = "both"
FIRST_FRAME_MODES = ("image_to_video", "fast_video")
"""Modes whose picture is the first frame of the video."""


class Extender:
    """Plans and submits joined videos. Methods may be called from any thread; they decode frames."""

    def __init__(
        self, submitter: PartSubmitter, library: Library, offers: Offers, decoder: Decoder, jobs_dir: Path
    ) -> None:
        self._submitter, self._library, self._offers = submitter, library, offers
        self._decoder, self._jobs_dir = decoder, jobs_dir

    # -- plans ----------------------------------------------------------------------------

    def plan(
        self, owner: str, job_id: str, key: str, frame: Any, method: Any, seconds: Any, speed: Any = SPEEDS[0]
    ) -> ExtendPlan:
        """What `extend` would do. Raises NotFound, NotAllowed."""
        job = self._library.owned(owner, job_id, key)
        asked = Request(seconds=seconds, frame=frame, method=method, speed=speed)
        try:
            base = self._base(job, frame)
        except (BadInput, NotFound) as error:
            return ExtendPlan(LAST_FRAME, None, (_problem(error),))
        problems: list[Notice] = []
        found = PartValues({})
        after = base.seconds
        route: Route = LAST_FRAME
        reason: Notice | None = None
        try:
            found = values_of(base, asked, self._offers.all())
        except BadInput as error:
            problems.append(_problem(error))
        try:
            route, reason = self._route(base, asked, found)
        except BadInput as error:
            problems.append(_problem(error))
        try:
            after = length_after(base, asked.seconds)
        except BadInput as error:
            problems.append(_problem(error))
        notes = (*found.notes, *_unused(route, found), *_retimed(base))
        return ExtendPlan(route, reason, tuple(problems), base.seconds, after, notes, found.values)

    def plan_again(self, owner: str, job_id: str, key: str, number: Any) -> ExtendPlan:
        """What `reroll` would do with a part. Raises NotFound, NotAllowed."""
        job = self._library.owned(owner, job_id, key)
        try:
            number = _part_number(job, number)
            job = waiting_clip.with_clip(job, self._jobs_dir)
            if number == 1:
                found = first_again(job, own_values(job), self._offers.all())
                return ExtendPlan(CLIP, notes=found.notes, values=found.values)
            base, asked = self._as_before(job, number)
            found = self._values(base, asked, job.parts[number - 1])
            route, reason = self._route(base, asked, found)
        except (BadInput, NotFound) as error:
            return ExtendPlan(LAST_FRAME, None, (_problem(error),))
        return ExtendPlan(route, reason, notes=(*found.notes, *_unused(route, found)), values=found.values)

    def _route(self, base: Base, asked: Request, part: PartValues) -> tuple[Route, Notice | None]:
        """(route, why). Raises BadInput for an unknown method and for SVI where it cannot be used."""
        if asked.method not in METHODS:
            raise BadInput.of("extend_method", method=str(asked.method), names=METHODS, field="method")
        if asked.method == LAST_FRAME:
            return LAST_FRAME, None
        why = self._no_svi(base, asked, part)
        if why is None:
            return SVI, made("extend_by_svi", {}) if asked.method == AUTO else None
        if asked.method == SVI:
            raise BadInput.of("svi_impossible", why=why, field="method")
        return LAST_FRAME, made("extend_by_last_frame", {"why": why})

    def _no_svi(self, base: Base, asked: Request, part: PartValues) -> Notice | None:
        """Why the frames cannot be handed on as latents; None where they can."""
        last = base.parts[-1]
        if base.waits:
            return made("svi_unfinished", {})
        if asked.end_image is not None:
            return made("svi_no_end", {})
        if part.experts != BOTH:
            return made("svi_experts", {})
        if not svi.fits_rate(base.job.fps):
            return made("svi_rate", {"fps": base.job.fps})
        if not svi.frames_handed_on(last.frames):
            return made("svi_short", {"least": svi.FRAMES_MIN, "frames": last.frames})
        offers: Sequence[Offer] = part.offers or self._offers.all()
        if asked.method == AUTO:  # a server that is away would be waited for
            offers = [offer for offer in offers if offer.info.state != "lost"] or offers
        least = min((svi.missing(load_catalog(), offer.facts) for offer in offers), key=len)
        return made("svi_needs", {"names": least}) if least else None

    # -- submitting -----------------------------------------------------------------------

    def extend(self, owner: str, job_id: str, key: str, asked: Request, unlimited: bool) -> Job:
        """Queues the job that joins a finished video with a new part. Raises NotFound, NotAllowed, and what
        Submitter.submit raises."""
        call = asked.of(job_id)
        if (known := self._submitter.repeated(owner, call)) is not None:
            return known
        job = self._library.owned(owner, job_id, key)
        return self._drawn(owner, self._base(job, asked.frame), asked, (), unlimited, call)

    def reroll(
        self,
        owner: str,
        job_id: str,
        key: str,
        number: Any,
        prompt: str | None,
        seed: int,
        unlimited: bool,
    ) -> Job:
        """Queues a joined video with one part drawn again; later parts stay and are marked as stale. Raises
        what `extend` raises."""
        call = ("reroll", job_id, number, prompt, seed)
        if (known := self._submitter.repeated(owner, call)) is not None:
            return known
        job = self._library.owned(owner, job_id, key)
        return self._again(owner, job, number, prompt, seed, unlimited, call)

    def again(self, owner: str, job: Job, values: Mapping[str, Any], unlimited: bool) -> Job:
        """Queues a joined video again, with the seed of these values: its new part is drawn again. Raises
        BadInput where they have other settings."""
        settings = [dict(each) for each in (values, job.params)]
        for each in settings:
            for name in ("seed", EXTEND):
                each.pop(name, None)
        if settings[0] != settings[1]:
            raise BadInput.of("again_as_it_is")
        spec = job.params.get(EXTEND)
        number = spec.get("part") if isinstance(spec, Mapping) else None
        if not isinstance(number, int) or not 1 <= number <= len(job.parts):
            raise BadInput.of("reroll_no_parts")
        fresh = values.get("seed") in (RANDOM_SEED, None)
        seed = RANDOM_SEED if fresh else job.parts[number - 1].seed
        return self._again(owner, job, number, None, seed, unlimited, _call_again(job.id, values))

    def repeated_again(self, owner: str, job_id: str, values: Mapping[str, Any]) -> Job | None:
        """The joined video that an earlier try of the current request made by `again`; None for a new one.
        Raises StoreError."""
        return self._submitter.repeated(owner, _call_again(job_id, values))

    def _again(
        self,
        owner: str,
        job: Job,
        number: Any,
        prompt: str | None,
        seed: int,
        unlimited: bool,
        call: Sequence[Any] = (),
    ) -> Job:
        """`call`: what the caller asked for, see PartSubmitter.submit."""
        number = _part_number(job, number)
        job = waiting_clip.with_clip(job, self._jobs_dir)
        later = self._kept(job, job.parts[number:]).parts  # raises where a file is gone
        if number == 1:
            return self._first_again(owner, job, later, prompt, seed, unlimited, call)
        base, asked = self._as_before(job, number, prompt, seed)
        return self._drawn(owner, base, asked, later, unlimited, call, job.parts[number - 1])

    def _as_before(
        self, job: Job, number: int, prompt: str | None = None, seed: int = RANDOM_SEED
    ) -> tuple[Base, Request]:
        """(what a part is drawn after, what it was asked for, with another prompt and seed). Raises
        InputsGone."""
        part = job.parts[number - 1]
        end = self._jobs_dir / job.id / part.end if part.end else None
        asked = Request(
            part.prompt if prompt is None else prompt, part.seconds, -1, end, part.method or AUTO,
            part.speed or SPEEDS[0], seed,
        )  # fmt: skip
        return self._kept(job, job.parts[: number - 1]), asked

    def _drawn(
        self,
        owner: str,
        base: Base,
        asked: Request,
        later: Sequence[Part],
        unlimited: bool,
        call: Sequence[Any],
        replaced: Part | None = None,
    ) -> Job:
        """Queues the job with a part that goes on from the base. `later`: parts that follow it; they were
        drawn after the part that is `replaced`, and begin where that ends."""
        if replaced is None:
            length_after(base, asked.seconds)
        frames = round((frames_for(asked.seconds) - 1) * base.job.fps / FPS)
        if replaced is not None and later:
            frames = min(frames, replaced.frames)
        found = self._values(base, asked, replaced)
        route, reason = self._route(base, asked, found)
        values, number = found.values, len(base.parts) + 1
        with tempfile.TemporaryDirectory(dir=self._jobs_dir.parent, prefix=FRAMES) as folder:
            files = self._files(base, route, values, Path(folder))
            if asked.end_image is not None:
                files["end_image"] = asked.end_image
            first = svi.OVERLAP if route == SVI else 1
            part = Part(
                "", "", frames, first, route, 0, values["prompt"],
                seconds=asked.seconds, speed=asked.speed, method=asked.method,
                end=end_of(number) if asked.end_image is not None else "",
            )  # fmt: skip
            said = (reason,) if reason is not None and route == LAST_FRAME else ()
            warnings = (*said, *found.notes, *_unused(route, found), *_retimed(base))
            new_job = Joined(self._jobs_dir, base, part, tuple(later), warnings, asked.end_image)
            submission = Submission(
                owner, MODE, values, files, unlimited=unlimited, kept=found.kept, said=found.notes
            )
            return self._submitter.submit(submission, new_job.parent, call)

    def _first_again(
        self,
        owner: str,
        job: Job,
        later: Sequence[Part],
        prompt: str | None,
        seed: int,
        unlimited: bool,
        call: Sequence[Any],
    ) -> Job:
        """Queues the job with the first clip drawn again, from what that was made from."""
        own = own_values(job)
        if prompt:
            own["prompt"] = prompt
        found = first_again(job, {**own, "seed": seed_for(seed, job.parts)}, self._offers.all())
        values = found.values
        sources = {name: self._library.files.source(job, name) for name in job.inputs}
        files = {name: source.path for name, source in sources.items() if source is not None}
        titles = {name: source.filename for name, source in sources.items() if source is not None}
        part = replace(job.parts[0], job="", file="", prompt=str(values.get("prompt") or ""), seam=None)
        base = Base(job, (), ())
        new_job = Joined(self._jobs_dir, base, part, tuple(later), found.notes, None)
        submission = Submission(
            owner, job.mode, values, files, unlimited=unlimited, titles=titles, kept=found.kept,
            said=found.notes,
        )  # fmt: skip
        return self._submitter.submit(submission, new_job.parent, call)

    def remove_left(self) -> None:
        """Removes frames that a killed process left. To be called while nothing is extended."""
        for folder in self._jobs_dir.parent.glob(f"{FRAMES}*"):
            folders.remove(folder)

    # -- what is there --------------------------------------------------------------------

    def _base(self, job: Job, frame: Any) -> Base:
        """A video up to a frame; a clip may be unfinished. Raises BadInput with the field."""
        if makes_still(job.mode):
            raise BadInput.of("extend_picture", field="id")
        if job.assembly == VARIATIONS:
            raise BadInput.of("extend_sheet", field="id")
        if job.status in (FAILED, CANCELLED):
            raise BadInput.of("source_not_made", field="id")
        if job.status != DONE:
            return waiting_clip.base(job, frame)
        number = whole_number(frame)
        if number is None or not -1 <= number < job.frames:
            raise BadInput.of("extend_frame", frame=str(frame), last=max(0, job.frames - 1), field="frame")
        return self._kept(job, up_to(self._parts(job), number))

    def _parts(self, job: Job) -> tuple[Part, ...]:
        """The parts of a joined video; any other video is its one part."""
        if job.parts:
            return job.parts
        return (Part(job.id, result_name(job.mode), job.frames, seed=job.seed, prompt=_prompt(job)),)

    def _kept(self, job: Job, parts: Sequence[Part]) -> Base:
        """These parts of a job with their files. Raises InputsGone."""
        files = tuple(self._jobs_dir / job.id / part.file for part in parts if part.file)
        if len(files) < len(parts) or not all(path.is_file() for path in files):
            raise InputsGone.of("part_gone")
        return Base(job, tuple(parts), files)

    # -- what the new part is drawn from ---------------------------------------------------

    def _values(self, base: Base, asked: Request, replaced: Part | None) -> PartValues:
        """What a part is drawn with: a new one, or the one that is `replaced`. Raises BadInput."""
        offers = self._offers.all()
        if replaced is None:
            return values_of(base, asked, offers)
        return values_again(base, asked, replaced, self._submitter.job(replaced.job), offers)

    def _files(
        self, base: Base, route: Route, values: Mapping[str, Any], folder: Path
    ) -> dict[str, Path | ResultOf | None]:
        """The files that the new part is drawn from: the last frame; for SVI the frames that are handed on,
        and the first picture of the clip. Raises NoOutput, DiskFull."""
        if base.waits:
            return {waiting_clip.FIELD: waiting_clip.last_frame(base)}
        part, file = base.parts[-1], base.files[-1]
        facts = self._decoder.video_facts(file)
        last = frame_in_file(part, facts.fps, base.job.fps, facts.frames)
        if route == SVI:
            count = svi.frames_handed_on(part.frames)
            size = (values["width"], values["height"])
            self._decoder.last_frames(file, folder / "clip", last, count, size)
            return {"image": self._anchor(base, folder), "clip": folder / "clip"}
        self._decoder.frame(file, folder / "image", last)
        return {"image": folder / "image"}

    def _anchor(self, base: Base, folder: Path) -> Path:
        """The picture that the first clip began with: the given one, else its first frame."""
        job = base.job
        given = job.inputs.get("image")
        if given is not None and job.mode in FIRST_FRAME_MODES:
            path = self._jobs_dir / job.id / given.file
            if path.is_file():
                return path
        self._decoder.frame(base.files[0], folder / "image", base.parts[0].first)
        return folder / "image"


def _problem(error: StudioError) -> Notice:
    """A refusal with the parameter that it is about."""
    return notice("refused", error=error.code, reason=error.why, field=error.field)


def _part_number(job: Job, number: Any) -> int:
    """The number of a part of an ended joined video, -1 being the last. Raises BadInput."""
    if not job.parts:
        raise BadInput.of("reroll_no_parts", field="part")
    if job.status not in TERMINAL:
        raise BadInput.of("reroll_unfinished", field="part")
    found = len(job.parts) if number == -1 else whole_number(number)
    if found is None or not 1 <= found <= len(job.parts):
        raise BadInput.of("reroll_part", part=str(number), count=len(job.parts), field="part")
    return found


def _call_again(job_id: str, values: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a caller asks for who makes a joined video again."""
    return ("again", job_id, values.get("seed"))


def _unused(route: Route, part: PartValues) -> tuple[Notice, ...]:
    """The settings for which this way to go on has no place."""
    names = tuple(name for name in UNUSED if part.values.get(name)) if route == SVI else ()
    return (made("part_not_by_svi", {"settings": names}),) if names else ()


def _retimed(base: Base) -> tuple[Notice, ...]:
    """That frames of a part are shown twice, or left out, in a video of another rate."""
    fps = base.job.fps
    if svi.fits_rate(fps):
        return ()
    return (made("extend_retimed", {"fps": fps}) if fps > FPS else made("extend_thinned", {"fps": fps}),)


def _prompt(job: Job) -> str:
    return str(job.params.get("prompt") or "")
