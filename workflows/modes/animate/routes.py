"""Where Animate gets pose, face and mask from: what a server offers, read from its facts alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from workflows.catalog import Catalog, load_catalog
from workflows.graph.node_contract import ServerFacts

NATIVE, PREPROCESS, TEMPLATE, NONE = "native", "preprocess", "template", "none"
"""ComfyUI's own nodes; ComfyUI-WanAnimatePreprocess; comfyui_controlnet_aux as in the template; nothing."""
SAM3, SAM2 = "sam3", "sam2"

_NATIVE_NODES = (
    "CheckpointLoaderSimple",
    "SDPoseKeypointExtractor",
    "SDPoseDrawKeypoints",
    *(_CROP_NODES := ("SDPoseFaceBBoxes", "CropByBBoxes", "RebatchImages", "SaveAnimatedWEBP")),
)
_PREPROCESS_NODES = ("OnnxDetectionModelLoader", "PoseAndFaceDetection", "DrawViTPose")
_EYE_NODES = ("RebatchImages", "SaveAnimatedWEBP")
_SAM3_NODES = ("CheckpointLoaderSimple", "SAM3_VideoTrack", "SAM3_TrackToMask")
_SAM2_NODES = ("DownloadAndLoadSAM2Model", "Sam2Segmentation")
SAM2_MODEL = "sam2_hiera_base_plus.safetensors"
_DWPOSE = (
    ("bbox_detector", "yolox_l.onnx"),
    ("pose_estimator", "dw-ll_ucoco_384_bs5.torchscript.pt"),
)
"""The template's files; these nodes fetch their own."""

_WORDS = {
    NATIVE: "ComfyUI detects pose and face itself.",
    PREPROCESS: "The WanAnimatePreprocess nodes detect pose and face.",
    TEMPLATE: "The controlnet_aux nodes detect the pose.",
    NONE: "No pose detector is installed.",
}
_MASK_WORDS = {
    SAM3: "ComfyUI detects the person itself.",
    SAM2: "SAM 2 detects the person.",
    NONE: "No person segmenter for Replace is installed.",
}


@dataclass(frozen=True)
class Route:
    """What a server can find in a driving video. Empty names where a route does not need them."""

    pose: str  # native, preprocess, template, none
    mask: str  # sam3, sam2, none
    face: bool  # whether it can cut out faces
    blockify: bool  # whether it can make a mask's outline coarse
    vitpose_model: str = ""
    yolo_model: str = ""
    eyes: bool = False  # whether it can tell from a drawn pose that no frame has a face

    @property
    def name(self) -> str:
        """ "native+sam3", "none+none"."""
        return f"{self.pose}+{self.mask}"

    @property
    def text(self) -> str:
        """For people: which route it is."""
        return f"{_WORDS[self.pose]} {_MASK_WORDS[self.mask]}"


def route(facts: ServerFacts, catalog: Catalog | None = None) -> Route:
    """The best route: node there and its weight file listed. A server of which nothing is known has none."""
    names = catalog or load_catalog()
    vitpose = _listed(facts, "OnnxDetectionModelLoader", "vitpose_model", "vitpose")
    yolo = _listed(facts, "OnnxDetectionModelLoader", "yolo_model", "yolo")
    checkpoints = facts.options.get(("CheckpointLoaderSimple", "ckpt_name"), ())
    crops = _has(facts, _CROP_NODES)
    blockify = _has(facts, ("BlockifyMask",))
    mask = NONE
    if _has(facts, _SAM3_NODES) and names.file("sam3").name in checkpoints:
        mask = SAM3
    elif _has(facts, _SAM2_NODES) and _offers(facts, "DownloadAndLoadSAM2Model", "model", SAM2_MODEL):
        mask = SAM2
    if _has(facts, _NATIVE_NODES) and names.file("sdpose").name in checkpoints:
        return Route(NATIVE, mask, True, blockify)
    if _has(facts, _PREPROCESS_NODES) and vitpose and yolo:
        return Route(PREPROCESS, mask, True, blockify, vitpose, yolo, _has(facts, _EYE_NODES))
    if _has(facts, ("DWPreprocessor",)) and all(_offers(facts, "DWPreprocessor", *one) for one in _DWPOSE):
        return Route(TEMPLATE, mask, crops, blockify)
    return Route(NONE, mask, False, blockify)


def _has(facts: ServerFacts, nodes: Iterable[str]) -> bool:
    return all(node in facts.nodes for node in nodes)


def _offers(facts: ServerFacts, node: str, field: str, name: str) -> bool:
    return name in facts.options.get((node, field), ())


def _listed(facts: ServerFacts, node: str, field: str, part: str) -> str:
    """The first file whose name holds `part`: these files go by several names."""
    options = facts.options.get((node, field), ())
    return next((name for name in sorted(options) if part in name.lower() and name.endswith(".onnx")), "")
