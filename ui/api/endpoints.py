"""The named endpoints: one per mode, and /job, /result, /cancel. For gradio_client, plain HTTP and MCP."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import gradio as gr
from gradio.context import Context

from backend.threads import visitor_of
from ui.api.calls import Answer, Calls, Pace, asked, text
from ui.forms.schema import CHOICE, FIELDS, FILE, SWITCH, TEXT, WHOLE, api_fields
from ui.forms.uploads import guard_uploads
from ui.gradio_fixes.event_errors import guard_events
from workflows.modes.registry import CHOICES

if TYPE_CHECKING:
    from backend.jobs.views import JobView
    from backend.studio import Studio

Function = TypeVar("Function", bound=Callable[..., Any])


def _returns(kind: Any) -> Callable[[Function], Function]:
    """Tells gr.api how many values come out, which it cannot see in a generator's type hint."""

    def mark(function: Function) -> Function:
        signature = inspect.signature(function).replace(return_annotation=kind)
        function.__signature__ = signature  # type: ignore[attr-defined]
        return function

    return mark


class Endpoints:
    """The functions behind the endpoints; their names are the names of the MCP tools."""

    def __init__(self, studio: Studio, pace: Pace | None = None) -> None:
        self._studio = studio
        self.calls = Calls(studio, pace)

    @_returns(Answer)
    async def image_to_video(
        self,
        image: dict,
        prompt: str = "",
        negative_prompt: str | None = None,
        end_image: dict | None = None,
        resolution: str = "480p",
        width: int = 0,
        height: int = 0,
        seconds: float = 5.0,
        motion: str = "balanced",
        experts: str = "both",
        speed: str = "quality",
        steps: int = 0,
        cfg: float = 0.0,
        shift: float = 0.0,
        seed: int = -1,
        wait: bool = True,
        request: gr.Request = None,
    ) -> AsyncIterator[Answer]:
        """Make a video from a picture with WAN 2.2. Returns the video and the job's record.

        Args:
            image: The first picture of the video: uploaded here before, or a data: address.
            prompt: What should move, up to 4,000 characters.
            negative_prompt: What should not be seen. Left out: a good default. Empty: nothing.
            end_image: The last picture of the video, if it should end at a certain one.
            resolution: draft, 480p or 720p: how many pixels; the picture gives the shape.
            width: Width in pixels, a multiple of 16 from 64 to 1920; 0 takes it from resolution and picture.
            height: Height in pixels, as width; give both or neither.
            seconds: Length of the video, 0.25 to 15 seconds.
            motion: How much moves: balanced, dynamic, subtle or official.
            experts: Which of the model's two experts draw: both, high or low.
            speed: quality (20 steps) or fast (4 steps).
            steps: Sampling steps, 1 to 100; 0 takes the mode's own.
            cfg: Guidance, 1 to 20; 0 takes the mode's own.
            shift: Noise schedule shift, 1 to 20; 0 takes the mode's own.
            seed: Same seed, same video; -1 picks a random one.
            wait: True waits for the video; false returns the job's record at once, for job and result.
        """
        given = {name: value for name, value in locals().items() if name not in ("self", "request", "wait")}
        async for answer in self.calls.make("image_to_video", given, wait, request):
            yield answer

    @_returns(Answer)
    async def fast_video(
        self,
        image: dict,
        prompt: str = "",
        variant: str = "balanced",
        resolution: str = "480p",
        width: int = 0,
        height: int = 0,
        seconds: float = 5.0,
        seed: int = -1,
        wait: bool = True,
        request: gr.Request = None,
    ) -> AsyncIterator[Answer]:
        """Make a video from a picture in few steps with WAN 2.2. Returns the video and the job's record.

        Args:
            image: The first picture of the video: uploaded here before, or a data: address.
            prompt: What should move, up to 4,000 characters.
            variant: balanced, dynamic, subtle, 480p or anti_slow_motion.
            resolution: draft, 480p or 720p: how many pixels; the picture gives the shape.
            width: Width in pixels, a multiple of 16 from 64 to 1920; 0 takes it from resolution and picture.
            height: Height in pixels, as width; give both or neither.
            seconds: Length of the video, 0.25 to 15 seconds.
            seed: Same seed, same video; -1 picks a random one.
            wait: True waits for the video; false returns the job's record at once, for job and result.
        """
        given = {name: value for name, value in locals().items() if name not in ("self", "request", "wait")}
        async for answer in self.calls.make("fast_video", given, wait, request):
            yield answer

    @_returns(Answer)
    async def sound_to_video(
        self,
        audio: dict,
        image: dict | None = None,
        prompt: str = "",
        negative_prompt: str | None = None,
        start: float = 0.0,
        duration: float = 0.0,
        resolution: str = "480p",
        width: int = 0,
        height: int = 0,
        speed: str = "quality",
        steps: int = 0,
        cfg: float = 0.0,
        shift: float = 0.0,
        seed: int = -1,
        level: bool = False,
        wait: bool = True,
        request: gr.Request = None,
    ) -> AsyncIterator[Answer]:
        """Make a video that moves with a sound with WAN 2.2. Returns the video and the job's record.

        Args:
            audio: Speech, song or music, or a video with sound: uploaded here before, or a data: address.
            image: Who or what is to be seen: uploaded here before. Left out: the prompt decides.
            prompt: What is to be seen and how it moves, up to 4,000 characters.
            negative_prompt: What should not be seen. Left out: a good default. Empty: nothing.
            start: Where in the sound the video starts, in seconds.
            duration: Seconds of the sound to use, at most 600; 0 takes it to its end.
            resolution: draft, 480p or 720p: how many pixels; the picture gives the shape.
            width: Width in pixels, a multiple of 16 from 64 to 1920; 0 takes it from resolution and picture.
            height: Height in pixels, as width; give both or neither.
            speed: quality (20 steps) or fast (4 steps, less motion).
            steps: Sampling steps, 1 to 100; 0 takes the mode's own.
            cfg: Guidance, 1 to 20; 0 takes the mode's own.
            shift: Noise schedule shift, 1 to 20; 0 takes the mode's own.
            seed: Same seed, same video; -1 picks a random one.
            level: True brings the sound to a common loudness.
            wait: True waits for the video; false returns the job's record at once, for job and result.
        """
        given = {name: value for name, value in locals().items() if name not in ("self", "request", "wait")}
        async for answer in self.calls.make("sound_to_video", given, wait, request):
            yield answer

    @_returns(Answer)
    async def animate(
        self,
        image: dict,
        video: dict,
        prompt: str = "",
        negative_prompt: str | None = None,
        method: str = "move",
        relight: float = 0.8,
        pose_video: dict | None = None,
        face_video: dict | None = None,
        mask: dict | None = None,
        fps: float = 16.0,
        resolution: str = "480p",
        width: int = 0,
        height: int = 0,
        seconds: float = 0.0,
        speed: str = "quality",
        steps: int = 0,
        cfg: float = 0.0,
        shift: float = 0.0,
        seed: int = -1,
        start: float = 0.0,
        wait: bool = True,
        request: gr.Request = None,
    ) -> AsyncIterator[Answer]:
        """Move a picture's character as a driving video does, with WAN 2.2. Returns video and record.

        Args:
            image: The character: a picture uploaded here before, or a data: address.
            video: The driving video, whose motion is taken: uploaded here before.
            prompt: What is to be seen, up to 4,000 characters.
            negative_prompt: What should not be seen. Left out: a good default. Empty: nothing.
            method: move animates the picture; mix puts the character into the driving video.
            relight: How much mix takes over the video's light, 0 to 2.
            pose_video: Skeletons of the driving video, if you have them.
            face_video: Close-ups of the face in the driving video, 512 x 512, if you have them.
            mask: A video that is white where the person is, of the driving video's shape and length.
            fps: Frames a second of the result, 8 to 30.
            resolution: draft, 480p or 720p: how many pixels.
            width: Width in pixels, a multiple of 16 from 64 to 1920; 0 takes it from resolution and media.
            height: Height in pixels, as width; give both or neither.
            seconds: Seconds of the driving video to use, at most 300; 0 takes it to its end.
            speed: quality (20 steps) or fast (6 steps).
            steps: Sampling steps, 1 to 100; 0 takes the mode's own.
            cfg: Guidance, 1 to 20; 0 takes the mode's own.
            shift: Noise schedule shift, 1 to 20; 0 takes the mode's own.
            seed: Same seed, same video; -1 picks a random one.
            start: Where in the driving video to start, in seconds.
            wait: True waits for the video; false returns the job's record at once, for job and result.
        """
        given = {name: value for name, value in locals().items() if name not in ("self", "request", "wait")}
        async for answer in self.calls.make("animate", given, wait, request):
            yield answer

    @_returns(Answer)
    async def text_to_video(
        self,
        prompt: str,
        negative_prompt: str | None = None,
        aspect: str = "16:9",
        resolution: str = "480p",
        width: int = 0,
        height: int = 0,
        seconds: float = 5.0,
        speed: str = "quality",
        steps: int = 0,
        cfg: float = 0.0,
        shift: float = 0.0,
        seed: int = -1,
        wait: bool = True,
        request: gr.Request = None,
    ) -> AsyncIterator[Answer]:
        """Make a video from words alone with WAN 2.2. Returns the video and the job's record.

        Args:
            prompt: What is to be seen and how it moves, up to 4,000 characters.
            negative_prompt: What should not be seen. Left out: a good default. Empty: nothing.
            aspect: The shape: 16:9, 9:16, 1:1, 4:3 or 3:4.
            resolution: draft, 480p or 720p: how many pixels.
            width: Width in pixels, a multiple of 16 from 64 to 1920; 0 takes it from aspect and resolution.
            height: Height in pixels, as width; give both or neither.
            seconds: Length of the video, 0.25 to 15 seconds.
            speed: quality (20 steps) or fast (4 steps).
            steps: Sampling steps, 2 to 100; 0 takes the mode's own.
            cfg: Guidance, 1 to 20; 0 takes the mode's own.
            shift: Noise schedule shift, 1 to 20; 0 takes the mode's own.
            seed: Same seed, same video; -1 picks a random one.
            wait: True waits for the video; false returns the job's record at once, for job and result.
        """
        given = {name: value for name, value in locals().items() if name not in ("self", "request", "wait")}
        async for answer in self.calls.make("text_to_video", given, wait, request):
            yield answer

    @_returns(Answer)
    async def text_to_image(
        self,
        prompt: str,
        model: str = "wan",
        aspect: str = "16:9",
        width: int = 0,
        height: int = 0,
        steps: int = 0,
        seed: int = -1,
        wait: bool = True,
        request: gr.Request = None,
    ) -> AsyncIterator[Answer]:
        """Make a picture from words with WAN 2.2 or Flux. Returns the picture and the job's record.

        Args:
            prompt: What is to be seen, up to 4,000 characters.
            model: wan or flux.
            aspect: The shape: 16:9, 9:16, 1:1, 4:3 or 3:4.
            width: Width in pixels, a multiple of 16 from 64 to 1920; 0 takes it from aspect.
            height: Height in pixels, as width; give both or neither.
            steps: Sampling steps, 1 to 100; 0 takes the model's own.
            seed: Same seed, same picture; -1 picks a random one.
            wait: True waits for the picture; false returns the job's record at once, for job and result.
        """
        given = {name: value for name, value in locals().items() if name not in ("self", "request", "wait")}
        async for answer in self.calls.make("text_to_image", given, wait, request):
            yield answer

    @_returns(dict)
    async def job(self, id: str, key: str, request: gr.Request = None) -> dict[str, Any]:
        """Say how a job is doing: its record, with status queued, running, done, failed or cancelled.

        Args:
            id: The job's id, from its record.
            key: The job's key, from its record.
        """
        return (await self._job(id, key, visitor_of(request))).record()

    @_returns(Answer)
    async def result(self, id: str, key: str, request: gr.Request = None) -> Answer:
        """Fetch what a job made. Returns the file and the record; no file while it is not done.

        Args:
            id: The job's id, from its record.
            key: The job's key, from its record.
        """
        visitor = visitor_of(request)
        return await self.calls.answer(visitor, await self._job(id, key, visitor))

    @_returns(dict)
    async def cancel(self, id: str, key: str, request: gr.Request = None) -> dict[str, Any]:
        """Stop a job, waiting or running. Returns its record.

        Args:
            id: The job's id, from its record.
            key: The job's key, from its record.
        """
        call, writes = self._studio.cancel, self._studio.writes
        return (await asked(writes, visitor_of(request), call, text(id), text(key))).record()

    async def _job(self, id: str, key: str, visitor: str) -> JobView:
        """A job as of now, from the database."""
        call, reads = self._studio.job, self._studio.reads
        view: JobView = await asked(reads, visitor, call, text(id), text(key), join=True)
        return view


_FILE: dict[str, Any] = {
    "$defs": {"FileDataMeta": {"properties": {"_type": {"const": "gradio.FileData"}}, "type": "object"}},
    "properties": {"path": {"type": "string"}, "meta": {"$ref": "#/$defs/FileDataMeta"}},
    "required": ["path", "meta"],
    "type": "object",
}
"""The least by which clients and MCP know a file; the page's own schema would add 13 kB to every load."""
_RECORD: dict[str, Any] = {"type": "object", "additionalProperties": {}, "description": "the job's record"}
_STRING: dict[str, Any] = {"type": "string"}


def register(studio: Studio, pace: Pace | None = None) -> None:
    """Adds the endpoints to the Blocks that is being built, and the guard over every file it is sent."""
    blocks = Context.root_block
    if blocks is None:
        raise RuntimeError("register() belongs inside `with gr.Blocks()`")
    guard_uploads(blocks, studio.reads)
    guard_events(blocks)
    endpoints = Endpoints(studio, pace)
    for mode in FIELDS:
        schemas = [_schema(mode, field.name, field.kind) for field in api_fields(mode)]
        _add(blocks, getattr(endpoints, mode), [*schemas, {"type": "boolean"}], [_FILE, _RECORD])
    _add(blocks, endpoints.job, [_STRING, _STRING], [_RECORD])
    _add(blocks, endpoints.result, [_STRING, _STRING], [_FILE, _RECORD])
    _add(blocks, endpoints.cancel, [_STRING, _STRING], [_RECORD])


def _schema(mode: str, name: str, kind: str) -> dict[str, Any]:
    """The JSON schema of one parameter, for the API page and for MCP."""
    if kind == FILE:
        return _FILE
    if kind == CHOICE:
        return {"type": "string", "enum": list(CHOICES[mode][name])}
    if kind == WHOLE:
        return {"type": "integer"}
    if kind == SWITCH:
        return {"type": "boolean"}
    if name == "negative_prompt":
        return {"anyOf": [_STRING, {"type": "null"}]}
    return _STRING if kind == TEXT else {"type": "number"}


def _add(
    blocks: gr.Blocks,
    function: Callable[..., Any],
    inputs: list[dict[str, Any]],
    outputs: list[dict[str, Any]],
) -> None:
    """One endpoint, with the schemas that gr.api cannot read from type hints: files and choices."""
    name = function.__name__
    for other in blocks.fns.values():
        if other.api_name == name:  # a private event of the page, named after its handler
            other.api_name = f"page_{name}"
    dependency = gr.api(function, api_name=name, concurrency_limit=None)
    registered = blocks.fns[dependency["id"]]
    for component, schema in zip(registered.inputs, inputs, strict=True):
        component._api_info = schema
    for component, schema in zip(registered.outputs, outputs, strict=True):
        component._api_info = schema
