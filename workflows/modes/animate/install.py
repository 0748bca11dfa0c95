"""What to install so that Animate can detect pose, face and person in a driving video."""

INSTALL = (
    "To enable detection, update ComfyUI to 0.20 or newer and add sdpose_wholebody_fp16.safetensors (1.9 GB)"
    " and sam3.1_multiplex_fp16.safetensors (1.7 GB) to its checkpoints folder"
)
