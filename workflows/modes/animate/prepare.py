"""Animate's preparation: pose, face, background and mask of one graph, by the route or as uploaded."""

from __future__ import annotations

from dataclasses import dataclass

from workflows.catalog import Catalog
from workflows.compiled import Derived
from workflows.graph.animate_nodes import FACE, FACE_SIDE, POSE, AnimateNodes
from workflows.graph.builder import Boxes, Image, Mask, Text
from workflows.graph.label import Label
from workflows.modes.animate.params import Animate
from workflows.modes.animate.routes import NATIVE, NONE, PREPROCESS, SAM2, SAM2_MODEL, SAM3, TEMPLATE, Route
from workflows.params.media import Media
from workflows.stages.segments import cut

MASK_GROW, MASK_BLOCK = 10, 32
"""Pixels. Source: ComfyUI's template video_wan2_2_14B_animate."""
MASK_THRESHOLD = 0.5
PERSON = "person"
"""The segmenter's prompt."""
_READ = Label("read", "Reading the driving video")


@dataclass(frozen=True)
class Prepared:
    """The inputs of the chunks of one graph."""

    pose: Image
    face: Image | None
    background: Image | None
    mask: Mask | None
    seen: Mask | None = None  # of each frame on its own: whether it has a face; None: not known


@dataclass(frozen=True)
class Preparation:
    """The source of each input. pose: given, driving, or the route's; face, mask: given, found, ""."""

    pose: str
    face: str
    mask: str
    guesses_person: bool = False  # the person is looked for in the middle of the first frame

    @property
    def finds_pose(self) -> bool:
        """Whether the route draws the pose."""
        return self.pose not in ("given", "driving")


def preparation(params: Animate, route: Route) -> Preparation:
    """Uploaded files take precedence over what the route can detect."""
    own_pose, own_face = params.pose_video is not None, params.face_video is not None
    pose = "given" if own_pose else ("driving" if route.pose == NONE else route.pose)
    face = "given" if own_face else ("found" if route.face else "")
    mask = ""
    if params.method == "mix":
        mask = "given" if params.mask is not None else ("found" if route.mask != NONE else "")
    looks = pose == PREPROCESS or (face == "found" and route.pose == PREPROCESS)
    return Preparation(pose, face, mask, mask == "found" and route.mask == SAM2 and not looks)


def clip(media: Media, size: tuple[int, int], params: Animate, first_frame: int, frames: int) -> Derived:
    """The part of a video that one graph reads: its own shape, as small as covers `size`, never enlarged."""
    width, height = _cover(media, size)
    name = Derived(
        "",
        "clip",
        media.name,
        params.start,
        seconds=round(frames / params.fps, 6),
        frames=frames,
        fps=params.fps,
        first_frame=first_frame,
        width=width,
        height=height,
    )
    return cut(name, "mp4")


def _cover(media: Media, size: tuple[int, int]) -> tuple[int, int]:
    if not (media.width and media.height):
        return size
    scale = min(1.0, max(size[0] / media.width, size[1] / media.height))
    even = (2 * max(1, round(side * scale / 2)) for side in (media.width, media.height))
    return next(even), next(even)


class _Clips:
    """Reads videos as clips of one graph, the driving video at most once. `derived`: what was read."""

    def __init__(self, nodes: AnimateNodes, params: Animate, first_frame: int, frames: int) -> None:
        self.derived: list[Derived] = []
        self._nodes, self._params = nodes, params
        self._first_frame, self._frames = first_frame, frames
        self._driving: Image | None = None

    def read(self, media: Media, around: tuple[int, int], text: str) -> Image:
        part = clip(media, around, self._params, self._first_frame, self._frames)
        self.derived.append(part)
        return self._nodes.load_frames(part.name, text)

    def driving(self) -> Image:
        """Its frames, cut to the size of the result."""
        if self._driving is None:
            size = self._params.size
            frames = self.read(self._params.video, size, "Reading the driving video")
            self._driving = self._nodes.image_scale(frames, "lanczos", *size, _READ)
        return self._driving


def prepare(
    nodes: AnimateNodes,
    catalog: Catalog,
    params: Animate,
    route: Route,
    first_frame: int,
    frames: int,
) -> tuple[Prepared, list[Derived]]:
    """Adds the nodes; returns their outputs and the clips that they read."""
    source, size = preparation(params, route), params.size
    clips = _Clips(nodes, params, first_frame, frames)
    found = _Found()
    if source.finds_pose or source.face == "found":
        found = _find(nodes, catalog, clips.driving(), source, route, size)

    face = found.face if source.face == "found" else None
    if params.face_video is not None:
        face = clips.read(params.face_video, (FACE_SIDE, FACE_SIDE), "Reading the face video")
    pose = found.pose if source.finds_pose else None
    if params.pose_video is not None:
        pose = clips.read(params.pose_video, size, "Reading the pose video")
    if pose is None:
        pose = clips.driving()
    if params.method == "move":
        return Prepared(pose, face, None, None, found.seen), clips.derived

    if params.mask is not None:
        shape = clips.read(params.mask, size, "Reading the mask")
        scaled = nodes.image_scale(shape, "nearest-exact", *size, Label("read", "Preparing the mask"))
        mask = nodes.threshold_mask(nodes.image_to_mask(scaled), MASK_THRESHOLD)
    else:
        mask = _find_person(nodes, catalog, clips.driving(), route, size, found)
    mask = nodes.grow_mask(mask, MASK_GROW)
    if route.blockify:
        mask = nodes.blockify_mask(mask, MASK_BLOCK)
    background = nodes.black_out(clips.driving(), mask, *size)
    return Prepared(pose, face, background, mask, found.seen), clips.derived


@dataclass(frozen=True)
class _Found:
    """The outputs of the route's nodes that are needed and available."""

    pose: Image | None = None
    face: Image | None = None
    points: Text | None = None  # on the body
    body: Boxes | None = None
    seen: Mask | None = None


def _find(
    nodes: AnimateNodes,
    catalog: Catalog,
    driving: Image,
    source: Preparation,
    route: Route,
    size: tuple[int, int],
) -> _Found:
    """Faces are detected frame by frame: a frame without one gets a black face, so that all stay in step."""
    if route.pose == PREPROCESS:
        data, face, points, body = nodes.pose_and_face(route.vitpose_model, route.yolo_model, driving, *size)
        drawn = nodes.draw_pose(data, *size)
        eyes = nodes.eyes_seen(data, *size) if route.eyes and source.face == "found" else None
        return _Found(drawn, face, points, body, eyes)
    pose: Image | None = None
    resolution = -(-min(size) // 64) * 64  # the node takes steps of 64
    if route.pose == TEMPLATE and source.finds_pose:
        pose, _ = nodes.dwpose(driving, body=True, face=False, resolution=resolution)
    if source.face != "found" and route.pose == TEMPLATE:
        return _Found(pose)
    frames = nodes.each_image(driving) if source.face == "found" else driving
    if route.pose == NATIVE:
        model, _, vae = nodes.checkpoint_loader(catalog.file("sdpose").name, "Loading the pose detector")
        keypoints = nodes.sdpose_keypoints(model, vae, frames)
        if source.finds_pose:
            pose = nodes.sdpose_draw(keypoints)
        if source.face != "found":
            return _Found(pose)
        pose = nodes.all_images(pose, POSE) if pose is not None else None
        drawn = nodes.sdpose_draw_face(keypoints)
    else:
        drawn, keypoints = nodes.dwpose(frames, body=False, face=True, resolution=resolution)
    seen = nodes.face_seen(drawn)
    return _Found(pose, nodes.all_images(nodes.face_crop(keypoints, frames, seen), FACE), seen=seen)


def _find_person(
    nodes: AnimateNodes,
    catalog: Catalog,
    driving: Image,
    route: Route,
    size: tuple[int, int],
    found: _Found,
) -> Mask:
    if route.mask == SAM3:
        model, clip_model, _ = nodes.checkpoint_loader(
            catalog.file("sam3").name, "Loading the person segmenter"
        )
        words = nodes.clip_text_encode(clip_model, PERSON, "Encoding the segmentation prompt")
        return nodes.sam3_mask(driving, model, words)
    middle = f'[{{"x": {size[0] // 2}, "y": {size[1] // 2}}}]'
    return nodes.sam2_mask(SAM2_MODEL, driving, found.points or middle, found.body)
