"""The vocabulary of Animate: the node itself, and those that find pose, face and person.

The finding nodes belong to newer ComfyUIs or to custom nodes; only a route that the server offers uses them.
"""

from __future__ import annotations

from workflows.graph.builder import (
    Boxes,
    ClipVisionOutput,
    Conditioning,
    Image,
    Int,
    Keypoints,
    Latent,
    Mask,
    Model,
    Output,
    PoseData,
    Text,
    Vae,
    Value,
)
from workflows.graph.label import Label
from workflows.graph.media_nodes import MediaNodes

FACE_SIDE = 512
"""Side of the face video in pixels: what WAN's face encoder takes."""
SCORE_THRESHOLD = 0.3
"""The score from which a point of body or face counts as seen: the node's default."""
_MOST_IMAGES = 4096
"""The largest batch that RebatchImages makes."""
POSE = Label("read", "Detecting the pose")
FACE = Label("read", "Detecting the face")
_PERSON = Label("read", "Detecting the person")
_MASK = Label("read", "Preparing the mask")
_REMOVING = Label("read", "Removing the person")
_FULL_BLUE = 0.85
"""Of 1: above it is blue 255, below 170."""


class AnimateNodes(MediaNodes):
    """A graph that animates."""

    def wan_animate_to_video(
        self,
        positive: Conditioning,
        negative: Conditioning,
        vae: Vae,
        width: int,
        height: int,
        length: int,
        continue_motion_max_frames: int,
        video_frame_offset: int | Int,
        clip_vision_output: ClipVisionOutput,
        reference_image: Image,
        face_video: Image | None,
        pose_video: Image,
        background_video: Image | None,
        character_mask: Mask | None,
        continue_motion: Image | None,
    ) -> tuple[Conditioning, Conditioning, Latent, Int, Int, Int]:
        """One chunk: (positive, negative, latent, latents to trim, frames to trim, next offset)."""
        node = self.add(
            "WanAnimateToVideo",
            Label("read", "Preparing the part"),
            {
                "positive": positive,
                "negative": negative,
                "vae": vae,
                "width": width,
                "height": height,
                "length": length,
                "batch_size": 1,
                "continue_motion_max_frames": continue_motion_max_frames,
                "video_frame_offset": video_frame_offset,
                "clip_vision_output": clip_vision_output,
                "reference_image": reference_image,
                "face_video": face_video,
                "pose_video": pose_video,
                "background_video": background_video,
                "character_mask": character_mask,
                "continue_motion": continue_motion,
            },
        )
        outputs = (Conditioning(node, 0), Conditioning(node, 1), Latent(node, 2))
        return *outputs, Int(node, 3), Int(node, 4), Int(node, 5)

    # masks, in every ComfyUI

    def image_to_mask(self, image: Image) -> Mask:
        """Brightness as a mask."""
        return Mask(self.add("ImageToMask", _MASK, {"image": image, "channel": "red"}))

    def threshold_mask(self, mask: Mask, value: float) -> Mask:
        """Black and white, nothing between: video compression leaves grey."""
        return Mask(self.add("ThresholdMask", _MASK, {"mask": mask, "value": value}))

    def grow_mask(self, mask: Mask, expand: int) -> Mask:
        """Larger by `expand` pixels on every side."""
        inputs: dict[str, Value] = {"mask": mask, "expand": expand, "tapered_corners": True}
        return Mask(self.add("GrowMask", _MASK, inputs))

    def blockify_mask(self, masks: Mask, block_size: int) -> Mask:
        """In squares of `block_size` pixels: hides the person's outline from the model."""
        inputs: dict[str, Value] = {"masks": masks, "block_size": block_size}
        return Mask(self.add("BlockifyMask", _MASK, inputs))

    def black_out(self, image: Image, mask: Mask, width: int, height: int, label: Label = _REMOVING) -> Image:
        """The frames with black where the mask is."""
        black: dict[str, Value] = {"width": width, "height": height, "batch_size": 1, "color": 0}
        inputs: dict[str, Value] = {
            "destination": image,
            "source": Image(self.add("EmptyImage", label, black)),
            "x": 0,
            "y": 0,
            "resize_source": False,
            "mask": mask,
        }
        return Image(self.add("ImageCompositeMasked", label, inputs))

    # finding: ComfyUI's own nodes

    def sdpose_keypoints(self, model: Model, vae: Vae, image: Image) -> Keypoints:
        """Body, hands and face of the person in every frame."""
        inputs: dict[str, Value] = {"model": model, "vae": vae, "image": image, "batch_size": 16}
        return Keypoints(self.add("SDPoseKeypointExtractor", POSE, inputs))

    def sdpose_draw(self, keypoints: Keypoints) -> Image:
        """The pose as WAN Animate was trained on it: body and hands, no face."""
        inputs: dict[str, Value] = {
            "keypoints": keypoints,
            "draw_body": True,
            "draw_hands": True,
            "draw_face": False,
            "draw_feet": False,
            "stick_width": 4,
            "face_point_size": 3,
            "score_threshold": SCORE_THRESHOLD,
            "draw_head": True,
        }
        return Image(self.add("SDPoseDrawKeypoints", POSE, inputs))

    def each_image(self, images: Image) -> Image:
        """The frames one by one: ComfyUI runs the nodes that follow for each of them."""
        return Image(self.add("RebatchImages", FACE, {"images": images, "batch_size": 1}))

    def all_images(self, images: Image, label: Label) -> Image:
        """Frames that come one by one as one batch."""
        return Image(self.add("RebatchImages", label, {"images": images, "batch_size": _MOST_IMAGES}))

    def sdpose_draw_face(self, keypoints: Keypoints) -> Image:
        """The points of the face on black; nothing but black where it is not seen."""
        inputs: dict[str, Value] = {
            "keypoints": keypoints,
            "draw_body": False,
            "draw_hands": False,
            "draw_face": True,
            "draw_feet": False,
            "stick_width": 4,
            "face_point_size": 3,
            "score_threshold": SCORE_THRESHOLD,
            "draw_head": False,
        }
        return Image(self.add("SDPoseDrawKeypoints", FACE, inputs))

    def save_pixels(self, masks: Mask, filename_prefix: str) -> None:
        """Writes masks that come one by one as one animated picture."""
        images = Image(self.add("MaskToImage", FACE, {"mask": masks}))
        inputs: dict[str, Value] = {
            "images": self.all_images(images, FACE),
            "filename_prefix": filename_prefix,
            "fps": 16.0,
            "lossless": True,
            "quality": 80,
            "method": "default",
        }
        self.add("SaveAnimatedWEBP", Label("save", "Saving what was detected"), inputs)

    def face_seen(self, points: Image) -> Mask:
        """A mask of one pixel: white if a drawing of a face's points is not all black."""
        pixel: dict[str, Value] = {
            "image": points,
            "upscale_method": "area",
            "width": 1,
            "height": 1,
            "crop": "disabled",
        }
        brightness = self.image_to_mask(Image(self.add("ImageScale", FACE, pixel)))
        return self.threshold_mask(brightness, 0.0)

    def face_crop(self, keypoints: Keypoints, image: Image, seen: Mask) -> Image:
        """The face of one frame as a square; black where `seen`, a mask of one pixel, is black.

        CropByBBoxes leaves a frame without a face out of a batch, and returns the frame itself when it is
        alone.
        """
        found: dict[str, Value] = {"keypoints": keypoints, "scale": 1.5, "force_square": True}
        crop: dict[str, Value] = {
            "image": image,
            "bboxes": Boxes(self.add("SDPoseFaceBBoxes", FACE, found)),
            "output_width": FACE_SIDE,
            "output_height": FACE_SIDE,
            "padding": 0,
            "keep_aspect": "pad",
        }
        face = Image(self.add("CropByBBoxes", FACE, crop))
        side = self.image_scale(face, "bilinear", FACE_SIDE, FACE_SIDE, FACE)
        black: dict[str, Value] = {"width": FACE_SIDE, "height": FACE_SIDE, "batch_size": 1, "color": 0}
        inputs: dict[str, Value] = {
            "destination": Image(self.add("EmptyImage", FACE, black)),
            "source": side,
            "x": 0,
            "y": 0,
            "resize_source": False,
            "mask": seen,
        }
        return Image(self.add("ImageCompositeMasked", FACE, inputs))

    def sam3_mask(self, images: Image, model: Model, conditioning: Conditioning) -> Mask:
        """The one person that the words describe, followed through all frames."""
        track: dict[str, Value] = {
            "images": images,
            "model": model,
            "conditioning": conditioning,
            "detection_threshold": 0.5,
            "max_objects": 1,
            "detect_interval": 1,
        }
        data = Output(self.add("SAM3_VideoTrack", _PERSON, track))
        inputs: dict[str, Value] = {"track_data": data, "object_indices": ""}
        return Mask(self.add("SAM3_TrackToMask", _PERSON, inputs))

    # finding: ComfyUI-WanAnimatePreprocess

    def pose_and_face(
        self, vitpose_model: str, yolo_model: str, images: Image, width: int, height: int
    ) -> tuple[PoseData, Image, Text, Boxes]:
        """(pose, face crops, points on the body, box of the body) of all frames; a frame without a face has
        some other part of it as its crop."""
        names: dict[str, Value] = {
            "vitpose_model": vitpose_model,
            "yolo_model": yolo_model,
            "onnx_device": "CUDAExecutionProvider",
        }
        loaded = Output(
            self.add_cached("OnnxDetectionModelLoader", Label("load", "Loading the pose detector"), names)
        )
        size: dict[str, Value] = {"width": width, "height": height}
        found = self.add("PoseAndFaceDetection", POSE, {"model": loaded, "images": images, **size})
        return PoseData(found, 0), Image(found, 1), Text(found, 2), Boxes(found, 3)

    def draw_pose(
        self, pose_data: PoseData, width: int, height: int, head: bool = True, hands: bool = True
    ) -> Image:
        """The pose of all frames as a drawing."""
        drawing: dict[str, Value] = {
            "pose_data": pose_data,
            "width": width,
            "height": height,
            "retarget_padding": 16,
            "body_stick_width": -1,
            "hand_stick_width": -1 if hands else 0,
            "draw_head": head,
        }
        return Image(self.add("DrawViTPose", POSE if head and hands else FACE, drawing))

    def eyes_seen(self, pose_data: PoseData, width: int, height: int) -> Mask:
        """A mask of one pixel for each frame: white if an eye is drawn in its pose.

        DrawViTPose draws the points of eyes, and some of the body's, in full blue and everything else in at
        most 0.67 of it; without the head only the body's are left.
        """
        bright = []
        for head in (True, False):
            drawn = self.draw_pose(pose_data, width, height, head, hands=False)
            blue = Mask(self.add("ImageToMask", FACE, {"image": drawn, "channel": "blue"}))
            bright.append(Mask(self.add("ThresholdMask", FACE, {"mask": blue, "value": _FULL_BLUE})))
        points = Image(self.add("MaskToImage", FACE, {"mask": bright[0]}))
        return self.face_seen(self.black_out(points, bright[1], width, height, FACE))

    # finding: comfyui_controlnet_aux and SAM 2

    def dwpose(self, image: Image, body: bool, face: bool, resolution: int) -> tuple[Image, Keypoints]:
        """(drawing, keypoints) of the person in every frame. resolution: of the shorter side."""
        inputs: dict[str, Value] = {
            "image": image,
            "detect_hand": "enable" if body else "disable",
            "detect_body": "enable" if body else "disable",
            "detect_face": "enable" if face else "disable",
            "resolution": resolution,
            "bbox_detector": "yolox_l.onnx",
            "pose_estimator": "dw-ll_ucoco_384_bs5.torchscript.pt",
            "scale_stick_for_xinsr_cn": "disable",
        }
        node = self.add("DWPreprocessor", POSE if body else FACE, inputs)
        return Image(node, 0), Keypoints(node, 1)

    def sam2_mask(
        self, model: str, image: Image, coordinates_positive: Text | str, bboxes: Boxes | None
    ) -> Mask:
        """The person at the coordinates (JSON, pixels of the first frame), through all frames."""
        loader: dict[str, Value] = {
            "model": model,
            "segmentor": "video",
            "device": "cuda",
            "precision": "fp16",
        }
        label = Label("load", "Loading the person segmenter")
        inputs: dict[str, Value] = {
            "sam2_model": Output(self.add_cached("DownloadAndLoadSAM2Model", label, loader)),
            "image": image,
            "keep_model_loaded": True,
            "coordinates_positive": coordinates_positive,
            "bboxes": bboxes,
            "individual_objects": False,
        }
        return Mask(self.add("Sam2Segmentation", _PERSON, inputs))
