#!/usr/bin/env python3
"""Reduces a server's /object_info to the nodes that Wan Studio uses.

    curl -s http://127.0.0.1:8188/object_info > object_info.json
    python scripts/record_contract.py object_info.json    # rewrites workflows/graph/node_contract.json
    python scripts/record_contract.py newer.json --out tests/data/object_info_0_33.json
    python scripts/record_contract.py newer.json --routes --out tests/data/object_info_0_33_routes.json

Texts, model files and input files of that server are left out: they are not part of the contract.
Exits 1, naming them, when the server lacks a node.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from workflows.graph.object_info import FILE_INPUTS  # noqa: E402

NODES = {
    "every mode": """UNETLoader LoraLoaderModelOnly ModelSamplingSD3 EasyCache CLIPLoader CLIPTextEncode
        VAELoader VAEDecode VAEDecodeTiled CreateVideo SaveVideo LoadImage""",
    "Image-to-Video, Fast": """CLIPVisionLoader CLIPVisionEncode WanImageToVideo WanFirstLastFrameToVideo
        KSamplerAdvanced""",
    "Sound-to-Video": """AudioEncoderLoader AudioEncoderEncode LoadAudio TrimAudioDuration EmptyAudio KSampler
        WanSoundImageToVideo WanSoundImageToVideoExtend LatentConcat LatentCut ImageFromBatch LoadVideo
        GetVideoComponents VAEEncode""",
    "Animate": """WanAnimateToVideo TrimVideoLatent GrowMask ImageToMask MaskToImage LoadImageMask ImageScale
        ImageBatch RepeatImageBatch GetImageSize ThresholdMask EmptyImage ImageCompositeMasked""",
    "Text": """EmptyHunyuanLatentVideo CheckpointLoaderSimple FluxGuidance EmptySD3LatentImage
        ConditioningZeroOut SaveImage WanContextWindowsManual""",
}
ROUTES = """SDPoseKeypointExtractor SDPoseDrawKeypoints SDPoseFaceBBoxes CropByBBoxes SAM3_VideoTrack
    SAM3_TrackToMask OnnxDetectionModelLoader PoseAndFaceDetection DrawViTPose DWPreprocessor
    DownloadAndLoadSAM2Model Sam2Segmentation BlockifyMask RebatchImages
    SaveAnimatedWEBP WanVideoNAG"""
"""Nodes that are used if available: from newer ComfyUI versions and custom nodes."""
KEPT = ("default", "min", "max", "step", "round", "options", "multiline")
UPLOADS = ("image_upload", "audio_upload", "video_upload")


def main() -> int:
    """Writes the reduced node descriptions; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path, help="an object_info.json")
    parser.add_argument("--out", type=Path, default=ROOT / "workflows" / "graph" / "node_contract.json")
    parser.add_argument("--only", nargs="*", help="these node classes instead of all that we use")
    parser.add_argument("--routes", action="store_true", help="the nodes that only some servers have")
    args = parser.parse_args()
    info = json.loads(args.path.read_text(encoding="utf-8"))
    names = args.only or [name for group in NODES.values() for name in group.split()]
    names = ROUTES.split() if args.routes else names
    lacking = [name for name in names if name not in info]
    if lacking:
        print("The server has no node " + ", ".join(lacking), file=sys.stderr)
        return 1
    lines = [f"{json.dumps(name)}: {json.dumps(reduced(name, info[name]))}" for name in sorted(names)]
    args.out.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{args.out}: {len(lines)} nodes")
    return 0


def reduced(class_type: str, node: dict[str, Any]) -> dict[str, Any]:
    """The parts of a node's description that belong to the contract."""
    groups = {
        group: {name: reduced_input(class_type, name, spec) for name, spec in node["input"][group].items()}
        for group in ("required", "optional")
        if node["input"].get(group)
    }
    result: dict[str, Any] = {"input": groups, "output": node["output"]}
    if node.get("output_node"):
        result["output_node"] = True
    return result


def reduced_input(class_type: str, name: str, spec: list[Any]) -> list[Any]:
    """The same for one input, in the server's format."""
    extra = spec[1] if len(spec) > 1 else {}
    kept = {key: value for key, value in extra.items() if key in KEPT}
    uploads = {key: True for key in UPLOADS if extra.get(key)}
    if uploads or (class_type, name) in FILE_INPUTS:
        first = [] if isinstance(spec[0], list) else spec[0]
        return [first, uploads if isinstance(first, list) else {"options": [], **uploads}]
    if spec[0] == "COMFY_DYNAMICCOMBO_V3":
        kept["options"] = [reduced_option(class_type, option) for option in extra["options"]]
    return [spec[0], kept]


def reduced_option(class_type: str, option: dict[str, Any]) -> dict[str, Any]:
    """The same for one option of a dynamic combo, with its inputs."""
    inputs = {
        group: {name: reduced_input(class_type, name, spec) for name, spec in entries.items()}
        for group, entries in option["inputs"].items()
        if entries
    }
    return {"key": option["key"], "inputs": inputs}


if __name__ == "__main__":
    raise SystemExit(main())
