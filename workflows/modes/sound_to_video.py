"""Sound-to-Video: chunks of five seconds, in step with the sound from the first frame on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from workflows.catalog import Catalog
from workflows.compiled import Compiled, Derived
from workflows.graph.builder import Conditioning, Image, Latent
from workflows.graph.media_nodes import MediaNodes
from workflows.graph.node_contract import ServerFacts
from workflows.modes import fields
from workflows.notice import Notice, notice
from workflows.params.checks import check_sides, chosen_seconds
from workflows.params.limits import SOUND_SECONDS_MAX, SOUND_SECONDS_MIN
from workflows.params.loras import Lora, LoraTarget
from workflows.params.media import Media
from workflows.params.sizes import AREAS, FPS, fit_size
from workflows.params.values import InvalidParam
from workflows.spec import ModeParams, ModeSpec, Trim
from workflows.stages.diffusion import load_single, read_prompts
from workflows.stages.nag import Nag, nag_of, negative_warnings
from workflows.stages.own_loras import ONE, OwnLoras, own_loras
from workflows.stages.segments import Segment, Span, cut, joined, result_prefix, save_part, spans, tail

CHUNK_LENGTH = 77
"""`length` of every chunk. Source: ComfyUI's template video_wan2_2_14B_s2v."""
CHUNK_FRAMES = 80
"""Frames of sound that a chunk of 77 uses: 20 latents of four frames each, 5.0 s."""
LEAD_FRAMES = 2
"""Frames of silence (125 ms) that the sound encoder receives first. With them, and with three frames dropped,
the picture is in step with the sound from the first frame on; the template drops three without them."""
DROPPED_FRAMES = 3
"""Frames dropped after decoding: the doubled first latent makes 80 n + 1, of which 80 n - 2 stay."""
CONTEXT_FRAMES = 73
"""Frames that the model looks back at, 19 latents. Source: WAN's own motion_frames."""
SEGMENT_CHUNKS = 8
"""Most chunks in one graph: 641 frames in memory at once."""

QUALITY_STEPS, QUALITY_CFG = 20, 6.0
FAST_STEPS, FAST_CFG = 4, 1.0
SHIFT = 8.0
"""Source of these: ComfyUI's template video_wan2_2_14B_s2v."""
FAST_LORA = "lora_t2v_high"
"""Role of the 4-step LoRA: the template uses that of the Text-to-Video high-noise expert here."""


_LONGEST = f"{SOUND_SECONDS_MAX / 60:g}"


@dataclass(frozen=True, kw_only=True)
class SoundToVideo(ModeParams):
    """A sound, and perhaps a picture, become a video that moves with the sound."""

    MODE = "sound_to_video"

    audio: Media = fields.media(  # Media.seconds: of the whole file
        "sound", "Sound",
        "Speech, song or music, or a video with sound: uploaded here before, or a data: address.",
        required=True, heading="Drop or choose a sound",
    )  # fmt: skip
    image: Media | None = fields.media(
        "picture", "Picture",
        "Who or what is to be seen: uploaded here before. Left out: the prompt decides.",
        heading="Add a picture (optional)",
    )  # fmt: skip
    prompt: str = fields.prompt(
        "Describe the scene", "What is to be seen and how it moves",
        "She sings to the sea, wind in her hair, the camera comes slowly closer",
    )  # fmt: skip
    negative_prompt: str | None = fields.negative_prompt()
    start: float = fields.part_start("Where in the sound the video starts, in seconds.")
    duration: float = fields.part_length(
        "Duration", "The duration",
        f"Seconds of the sound to use, at most {SOUND_SECONDS_MAX:g}; 0 takes it to its end.",
    )  # fmt: skip
    resolution: str = fields.resolution()
    width: int = fields.width("resolution and picture")
    height: int = fields.height("resolution and picture")
    speed: str = fields.speed("quality (20 steps) or fast (4 steps, less motion).")
    steps: int = fields.steps()
    cfg: float = fields.cfg()
    shift: float = fields.shift()
    seed: int = fields.seed()
    level: bool = fields.switch(
        "Level", "Normalise loudness.", "True normalises the loudness.", group="sound", in_api=True
    )
    nag: str = fields.nag()
    prompt_weights: bool = fields.prompt_weights()
    loras: tuple[Lora, ...] = fields.loras()
    fit: str = fields.fit()

    def check(self) -> None:
        """Raises InvalidParam for sides, or a length in seconds, that the mode cannot have."""
        check_sides(self)
        seconds = self.seconds
        field = "duration" if self.duration else "audio"
        if seconds < SOUND_SECONDS_MIN:
            raise InvalidParam(
                field,
                f"The sound lasts {seconds:.2g} s; it must be at least {SOUND_SECONDS_MIN:g} s.",
                "Choose a longer sound, or a longer part of it.",
            )
        if seconds > SOUND_SECONDS_MAX:
            raise InvalidParam(
                field,
                f"The sound lasts {seconds / 60:.4g} min; it can be at most {_LONGEST} min.",
                "Choose a part of it by start and duration.",
            )

    @property
    def seconds(self) -> float:
        """Length of the chosen part of the sound. Raises InvalidParam when it is outside of the file."""
        where = ("audio", "the sound", self.audio, self.start, self.duration, "duration")
        return chosen_seconds(*where, SOUND_SECONDS_MAX)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) as given, else from resolution and picture, 16:9 without one."""
        if self.width:
            return (self.width, self.height)
        picture = self.image or Media("none")
        return fit_size(picture.width, picture.height, self.resolution)

    @property
    def frames(self) -> int:
        """Number of frames: as long as the sound, within half a frame."""
        return round(FPS * self.seconds)


@dataclass(frozen=True)
class _Run:
    """What all chunks have in common."""

    params: SoundToVideo
    catalog: Catalog
    job_id: str
    fast: bool
    steps: int
    cfg: float
    shift: float
    nag: Nag
    own: OwnLoras


def chunk_count(seconds: float) -> int:
    """Chunks that cover a sound: n chunks make 80 n - 2 frames at 16 a second."""
    frames = round(FPS * seconds, 6)  # 4.875 s are one chunk, whatever the last bit says
    return max(1, math.ceil((frames + LEAD_FRAMES) / CHUNK_FRAMES))


def own(params: SoundToVideo) -> Mapping[str, float]:
    """The mode's own steps, cfg and shift with these parameters."""
    if params.speed == "fast":
        return {"steps": FAST_STEPS, "cfg": FAST_CFG, "shift": SHIFT}
    return {"steps": QUALITY_STEPS, "cfg": QUALITY_CFG, "shift": SHIFT}


def build(
    params: SoundToVideo,
    catalog: Catalog,
    server: ServerFacts,
    job_id: str,
    segment_chunks: int = SEGMENT_CHUNKS,
) -> Compiled:
    """The job of one SoundToVideo."""
    figures = own(params)
    run = _Run(
        params=params,
        catalog=catalog,
        job_id=job_id,
        fast=params.speed == "fast",
        steps=params.steps or int(figures["steps"]),
        cfg=params.cfg or figures["cfg"],
        shift=params.shift or figures["shift"],
        nag=nag_of(params, server),
        own=own_loras(params, server, experts=False),
    )
    rows = spans(chunk_count(params.seconds), segment_chunks)
    segments = [_segment(run, span) for span in rows]
    chunks = rows[0].of
    return joined(
        segments,
        params.size,
        params.fps,
        run.steps,
        evaluations=chunks * run.steps * (2 if run.cfg > 1 else 1),
        warnings=_warnings(run, server),
        sound=None if len(rows) == 1 else _chosen_sound(params),
    )


def _warnings(run: _Run, server: ServerFacts) -> tuple[Notice, ...]:
    warnings = [*negative_warnings(run.params, run.cfg > 1, server)]
    width, height = run.params.size
    if width * height > AREAS["720p"]:
        warnings.append(notice("larger_than_trained", width=width, height=height))
    return tuple(warnings)


def _first_frame(span: Span) -> int:
    """Number of the result's frame that the graph begins with."""
    return 0 if span.is_first else span.first * CHUNK_FRAMES - LEAD_FRAMES


def _chosen_sound(params: SoundToVideo) -> Derived:
    """The part of the sound that the creator chose, as it goes into the file."""
    chosen = Derived(
        "", "sound", params.audio.name, params.start, seconds=params.seconds, level=_levelled(params)
    )
    return cut(chosen, "wav")


def _levelled(params: SoundToVideo) -> tuple[float, float] | None:
    """The whole chosen part, for every graph: one gain, so that loudness does not jump at a seam."""
    return (params.start, params.seconds) if params.level else None


def _heard_sound(params: SoundToVideo, span: Span) -> Derived:
    """What the encoder receives in one graph: from where the graph begins, as far as its chunks reach."""
    begin = _first_frame(span) / FPS
    silence = LEAD_FRAMES / FPS if span.is_first else 0.0
    seconds = min(params.seconds - begin, span.chunks * CHUNK_FRAMES / FPS - silence)
    heard = Derived(
        "",
        "sound",
        params.audio.name,
        round(params.start + begin, 6),
        seconds=round(seconds, 6),
        silence=silence,
        level=_levelled(params),
    )
    return cut(heard, "wav")


def _segment(run: _Run, span: Span) -> Segment:
    """One graph: read the sound, draw its chunks, decode them behind what came before, save."""
    params, catalog = run.params, run.catalog
    nodes = MediaNodes()
    loras = [(catalog.file(FAST_LORA).name, 1.0)] if run.fast else []
    loras += run.own.of(ONE)
    model = load_single(nodes, catalog.file("s2v").name, loras, run.shift, "Sound-to-Video model")
    prompts = read_prompts(nodes, catalog, params.prompt, params.negative_prompt, params.prompt_weights)
    model = run.nag.apply(nodes, model, prompts[1], run.cfg, "Sound-to-Video model")
    vae = nodes.vae_loader(catalog.file("vae").name)
    heard = _heard_sound(params, span)
    derived = [heard]
    encoder = nodes.audio_encoder_loader(catalog.file("audio_encoder").name)
    features = nodes.audio_encoder_encode(encoder, nodes.load_audio(heard.name, "Reading the sound"))
    picture = None if params.image is None else nodes.load_image(params.image.name, "Reading the picture")
    before: Image | None = None
    if not span.is_first:
        moment = tail(run.job_id, span, CONTEXT_FRAMES, params.fps)
        derived.append(moment)
        before = nodes.load_frames(moment.name, "Reading the previous frames")

    width, height = params.size

    def draw(chunk: int, conditioning: tuple[Conditioning, Conditioning, Latent]) -> Latent:
        seed = params.seed + span.first + chunk  # the same noise in every part would repeat its motion
        label = span.draw_label(chunk, run.steps)
        return nodes.ksampler(label, model, *conditioning, seed, run.cfg, "uni_pc")

    first = nodes.wan_sound_image_to_video(
        *prompts, vae, width, height, CHUNK_LENGTH, features, picture, before
    )
    drawn = draw(0, first)
    for chunk in range(1, span.chunks):
        following = nodes.wan_sound_image_to_video_extend(
            *prompts, vae, CHUNK_LENGTH, drawn, features, picture
        )
        drawn = nodes.latent_concat(drawn, draw(chunk, following))

    if before is None:
        whole = nodes.latent_concat(nodes.latent_cut(drawn, 0, 1), drawn)  # a first frame without a flash
        skipped = DROPPED_FRAMES
    else:
        whole = nodes.latent_concat(nodes.vae_encode(before, vae), drawn)
        skipped = CONTEXT_FRAMES
    end = (span.first + span.chunks) * CHUNK_FRAMES - LEAD_FRAMES
    kept = min(end, params.frames) - _first_frame(span)
    frames = nodes.image_from_batch(nodes.vae_decode(whole, vae), skipped, kept)

    audio = None
    if span.graphs == 1:
        chosen = _chosen_sound(params)
        derived.append(chosen)
        audio = nodes.load_audio(chosen.name, "Reading the sound for the file")
    prefix = result_prefix(params.MODE, run.job_id, span)
    video = nodes.create_video(frames, params.fps, audio)
    save_part(nodes, prefix, span, video, (frames, kept), CONTEXT_FRAMES)
    return Segment(span, nodes, kept, tuple(derived))


SPEC = ModeSpec(
    params=SoundToVideo,
    in_quality=fields.in_quality(SoundToVideo.MODE),
    title="Sound-to-Video",
    summary="Make a video that moves with a sound with WAN 2.2.",
    build=build,
    own=own,
    lora_targets=(LoraTarget("s2v", ("s2v",), experts=False),),
    trim=Trim(media="audio", start="start", length="duration"),
    chunks=lambda frames: chunk_count(frames / FPS),
)
