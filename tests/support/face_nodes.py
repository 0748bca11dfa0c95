"""ComfyUI's image nodes between the driving video and Animate's faces, with the rules of 0.33 in numpy.

Lists run as ComfyUI runs them: a node whose input is a list runs once for each of its items.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Frames = Any  # float array of shape (frames, height, width, 3)
POINT = 0.9
"""A pixel brighter than this is the point of a face."""


def keypoints(image: Frames) -> list[dict[str, Any]]:
    """A detector whose faces are the bright pixels of a frame; without any, the person has no face."""
    found = []
    for frame in image:
        ys, xs = np.nonzero(frame[..., 0] > POINT)
        points = [float(v) for x, y in zip(xs, ys, strict=True) for v in (x, y, 1.0)]
        people = [{"face_keypoints_2d": points}] if points else []
        found.append({"canvas_height": frame.shape[0], "canvas_width": frame.shape[1], "people": people})
    return found


def drawing(frames: list[dict[str, Any]]) -> Frames:
    """The points in white on black, one picture for each frame."""
    pictures = np.zeros((len(frames), frames[0]["canvas_height"], frames[0]["canvas_width"], 3))
    for picture, frame in zip(pictures, frames, strict=True):
        for person in frame["people"]:
            for x, y, _ in np.reshape(person["face_keypoints_2d"], (-1, 3)):
                picture[int(y), int(x)] = 1.0
    return pictures


def boxes(frames: list[dict[str, Any]]) -> list[list[tuple[int, int, int, int]]]:
    """SDPoseFaceBBoxes: the boxes of each frame, none for a frame without a face."""
    found = []
    for frame in frames:
        inner = []
        for person in frame["people"]:
            xs, ys = np.reshape(person["face_keypoints_2d"], (-1, 3))[:, :2].T.astype(int)
            if xs.max() > xs.min() and ys.max() > ys.min():
                inner.append((xs.min(), ys.min(), xs.max() + 1, ys.max() + 1))
        found.append(inner)
    return found


def crop(image: Frames, bboxes: list[list[tuple[int, int, int, int]]], side: int) -> Frames:
    """CropByBBoxes: frames without a box are left out; without any box the pictures come back as they are."""
    crops = []
    for number, frame in enumerate(image):
        inner = bboxes[min(number, len(bboxes) - 1)]
        if inner:
            x1, y1, x2, y2 = inner[0]
            crops.append(scaled(frame[None, y1:y2, x1:x2], side, side)[0])
    return np.stack(crops) if crops else image


def scaled(image: Frames, width: int, height: int) -> Frames:
    """ImageScale: the mean for a single pixel (area), else the nearest pixels."""
    if (width, height) == (1, 1):
        return image.mean(axis=(1, 2), keepdims=True)
    rows = np.arange(height) * image.shape[1] // height
    columns = np.arange(width) * image.shape[2] // width
    return image[:, rows][:, :, columns]


def composite(destination: Frames, source: Frames, mask: Any) -> Frames:
    """ImageCompositeMasked at (0, 0), with a mask of one pixel or of the size of the pictures."""
    weight = np.asarray(mask)[..., None]
    count = max(len(destination), len(source))
    return np.repeat(destination, count // len(destination), axis=0) * (1 - weight) + source * weight


def pose_drawing(frames: list[set[str]], head: bool) -> Frames:
    """DrawViTPose: each point of a frame's person in its own place and colour, those of the head if asked."""
    pictures = np.zeros((len(frames), 64, 96, 3))
    for picture, seen in zip(pictures, frames, strict=True):
        for row, (name, colour) in enumerate(POSE_COLOURS.items()):
            if name in seen and (head or name not in HEAD_POINTS):
                picture[2 * row, 5] = np.array(colour) / 255
    return pictures


HEAD_POINTS = ("nose", "right_eye", "left_eye", "right_ear", "left_ear")
POSE_COLOURS = {
    "nose": (255, 0, 0), "neck": (255, 85, 0), "shoulder": (255, 170, 0), "knee": (0, 170, 255),
    "hip": (0, 85, 255), "ankle": (0, 0, 255), "right_eye": (170, 0, 255), "left_eye": (255, 0, 255),
    "right_ear": (255, 0, 170), "left_ear": (255, 0, 85), "limb_of_an_eye": (102, 0, 153),
}  # fmt: skip
"""Of draw_aapose_new in ComfyUI-WanAnimatePreprocess, from which DrawViTPose has them."""
NODES: Mapping[str, Callable[[dict[str, Any]], Any]] = {
    "SDPoseKeypointExtractor": lambda i: [keypoints(i["image"])],
    "SDPoseDrawKeypoints": lambda i: [drawing(i["keypoints"])],
    "DWPreprocessor": lambda i: [drawing(keypoints(i["image"])), keypoints(i["image"])],
    "SDPoseFaceBBoxes": lambda i: [boxes(i["keypoints"])],
    "CropByBBoxes": lambda i: [crop(i["image"], i["bboxes"], i["output_width"])],
    "ImageScale": lambda i: [scaled(i["image"], i["width"], i["height"])],
    "ImageToMask": lambda i: [i["image"][..., ("red", "green", "blue").index(i["channel"])]],
    "MaskToImage": lambda i: [np.repeat(i["mask"][..., None], 3, axis=3)],
    "DrawViTPose": lambda i: [pose_drawing(i["pose_data"], i["draw_head"])],
    "ThresholdMask": lambda i: [(i["mask"] > i["value"]).astype(float)],
    "EmptyImage": lambda i: [np.zeros((i["batch_size"], i["height"], i["width"], 3))],
    "ImageCompositeMasked": lambda i: [composite(i["destination"], i["source"], i["mask"])],
}


def rebatched(images: list[Frames], size: int) -> list[Frames]:
    """RebatchImages: it gets all items at once; pictures of different sizes cannot be one batch."""
    single = [frame for batch in images for frame in batch]
    return [np.stack(single[start : start + size]) for start in range(0, len(single), size)]


def run(graph: Mapping[str, Any], link: list[Any], known: Mapping[str, list[Any]]) -> list[Any]:
    """The items of a link. `known`: node -> its items, for the nodes that are not run here."""
    results: dict[str, list[list[Any]]] = {}  # node -> outputs of each item

    def items(one: Any) -> list[Any]:
        if not isinstance(one, list):
            return [one]
        node, index = one
        if node in known:
            return known[node]
        if node not in results:
            results[node] = made(graph[node])
        return [outputs[index] for outputs in results[node]]

    def made(node: Mapping[str, Any]) -> list[list[Any]]:
        given = {name: items(value) for name, value in node["inputs"].items() if name not in ("model", "vae")}
        if node["class_type"] == "RebatchImages":
            return [[batch] for batch in rebatched(given["images"], given["batch_size"][0])]
        count = max(len(values) for values in given.values())
        rows = (
            {name: values[min(n, len(values) - 1)] for name, values in given.items()} for n in range(count)
        )
        return [NODES[node["class_type"]](row) for row in rows]

    return items(link)
