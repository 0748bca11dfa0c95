"""The templates of notices: warnings, obstacles, and what a job waits for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from backend.error_texts.lora_notes import TEXTS as LORA_NOTES
from workflows.modes.animate.install import INSTALL


class Template(NamedTuple):
    """`head` alone is the short form, for a line with little room; `rest` follows it directly."""

    head: str
    rest: str = ""


TEMPLATES: Mapping[str, Template] = {
    "text": Template("{text}"),
    "refused": Template("{reason}", " {hint}"),
    "said": Template("{message}", " {hint}"),
    "longer_than_trained": Template(
        "The model was trained on clips of {seconds:g} s; in longer ones the motion may repeat or reverse."
    ),
    "larger_than_trained": Template(
        "{width} × {height} is larger than the 1280 × 720 that the model was trained for."
    ),
    "larger_than_trained_experts": Template(
        "{width} × {height} is larger than the 1280 × 720 that the model was trained for",
        ": it needs more memory, and subjects may appear twice.",
    ),
    "high_noise_only": Template("High noise only gives strong motion but leaves noise in the picture."),
    "low_noise_only": Template("Low noise only gives a clean picture but little motion."),
    "negative_prompt_unused": Template(
        "The negative prompt has no effect at guidance (cfg) 1",
        ": for that the engine needs the WanVideoNAG node (ComfyUI-KJNodes).",
    ),
    "negative_prompt_off": Template("The negative prompt is turned off for runs at guidance (cfg) 1."),
    "negative_prompt_unknown": Template(
        "At guidance (cfg) 1 the negative prompt has an effect only if the engine has the WanVideoNAG node"
        " (ComfyUI-KJNodes)."
    ),
    "tiled_decode": Template("Tiled decode can make the video flicker."),
    "no_clip_vision": Template(
        "The image encoder (CLIP Vision) is not installed on this engine, so it is not used."
    ),
    "easy_cache_steps": Template("EasyCache needs {steps} steps or more, so it is not used."),
    "no_easy_cache": Template("EasyCache is not installed on this engine, so it is not used."),
    "variant_480p": Template("This variant was tuned for 480p; {width} × {height} may lose sharpness."),
    "no_pose_detector": Template(
        "Results will be poor",
        ": no pose detector is installed, so the raw driving video is used instead. Upload a pose video."
        f" {INSTALL}.",
    ),
    "pose_detection_unknown": Template(
        "The RunPod worker finds pose and face itself where its ComfyUI can; where it cannot, expect poor"
        " results",
        ": then add a pose video.",
    ),
    "no_face_video": Template("There is no face video, so facial expressions are not transferred."),
    "animate_2_used": Template(
        "Animate 2 draws this",
        ": it is installed here, and takes motion and expression from the driving video itself.",
    ),
    "animate_2_ignores": Template("Animate 2 does not use the {helpers}."),
    "animate_1_reads": Template(
        "The first Animate draws this",
        ": Animate 2, which is installed here too, cannot use the {helpers}."
        " Remove what it cannot use to have it draw this.",
    ),
    "animate_1_replaces": Template(
        "The first Animate draws this",
        ": Animate 2, which is installed here too, cannot replace a person.",
    ),
    "animate_2_needs_node": Template(
        "The first Animate draws this",
        ": this ComfyUI has a file of Animate 2 and no node for it. Update it to 0.33 or newer.",
    ),
    "no_pose_cache": Template(
        "The motion cache (WanAnimate2Cache) is not installed on this engine, so it is not used."
    ),
    "no_face_found": Template(
        "No face was found in the driving video, so facial expressions are not transferred",
        ". If there is one, upload a face video (512 x 512), or choose a part or a video where the face is"
        " larger and turned to the camera.",
    ),
    "person_in_middle": Template("The person must be in the middle of the driving video's first frame."),
    "helper_length": Template(
        "The {field} lasts {seconds:.4g} s, the driving video {driving:.4g} s",
        ": check that they match, since they are used frame by frame.",
    ),
    "cropped": Template(
        "{share:.0%} of the {field} is cropped ({edges})",
        ": its aspect ratio differs from the video's. For best results, frame the person the same way in"
        " both.",
    ),
    "above_driving_rate": Template(
        "The driving video has {driving:g} frames a second",
        ": at {fps:g}, some of them are used twice.",
    ),
    "picture_enlarged": Template(
        "This {field} is {width} × {height}; it is enlarged {times:g} times and may look soft."
    ),
    "picture_strip": Template(
        "This {field} is {shape}, so the video is a strip of {width} × {height}",
        ". Crop it, or set width and height.",
    ),
    "strip": Template(
        "{width} × {height} is a strip ({shape}); the model was trained for shapes up to 16:9."
    ),
    "distilled_in_quality": Template(
        "The models found here are distilled, so this runs in few steps",
        ": {names}. Full quality needs the models that were not distilled.",
    ),
    "distilled_with_cfg": Template(
        "The models found here are distilled and expect guidance (cfg) 1; {cfg:g} may over-saturate."
    ),
    "repeats_earlier_run": Template(
        "This repeats an earlier run with its models and settings",
        ", although this engine has others by now. To use those, reuse its settings and generate.",
    ),
    "earlier_run_gone": Template(
        "The earlier run used {names}, which this engine no longer has", ": this result will differ."
    ),
    "model_damaged": Template(
        "{file} {fault}, so it cannot be the {title}.", " Remove it and download it again."
    ),
    "model_unlike_name": Template(
        "{file} is {kind} and not the {title}.",
        " Rename or remove it, and choose or download the right file.",
    ),
    "model_other_layout": Template(
        "{file} is the {title} for another loader, which ComfyUI cannot load.", " Download {name}."
    ),
    "model_not_clear": Template(
        "{names} can be the {title}, and nothing in them says so.",
        " Choose one in System, or with `python app.py models use {role} FILE`.",
    ),
    "model_speed_unknown": Template(
        "{file} can be a 4-step model or one for full steps, and its name does not say which.",
        " Choose it in System as one of them, or run `python app.py models use {role} FILE` with"
        " --distilled or --full.",
    ),
    "expert_unlike_name": Template(
        "{file} is the {expert}-noise expert by its metadata and the other one by its name.",
        " Rename it, or choose another file for the {title}.",
    ),
    "pair_is_one_file": Template(
        "{file} and {other} have the same content.", " Download the other expert: both are needed."
    ),
    "gguf_without_loader": Template(
        "{file} is a GGUF file, and this ComfyUI cannot load it.",
        " Install the ComfyUI-GGUF nodes (github.com/city96/ComfyUI-GGUF) and restart ComfyUI.",
    ),
    "gguf_animate_2": Template(
        "{file} is a GGUF file of Animate 2, which ComfyUI loads as an Image-to-Video model.",
        " Download {name}: `python app.py models download {role}`.",
    ),
    "gguf_type": Template(
        "{file} is stored as {type}, a type that this ComfyUI-GGUF cannot load, so it cannot be the {title}.",
        " Use a file of another type, such as Q8_0 or Q4_K_M.",
    ),
    "chosen_model_gone": Template(
        "{file}, which was chosen as the {title}, is not there.", " Another file is used, if there is one."
    ),
    "chosen_model_moved": Template(
        "{file}, which was chosen as the {title}, lies in another folder now", ": {found} is used."
    ),
    "chosen_model_ambiguous": Template(
        "{file}, which was chosen as the {title}, is not where it was, and several files have its name:"
        " {names}.",
        " Choose one of them.",
    ),
    **{code: Template(*parts) for code, parts in LORA_NOTES.items()},
    "servers_differ": Template(
        "The servers prepare driving videos differently; this plan is for the least capable one."
    ),
    "server_refuses": Template("The server at {address} cannot do this", ": {reason}"),
    "server_lacks_files": Template("The server at {address} cannot do this", ": {mode} needs {files}."),
    "missing_files": Template("{mode} needs {files}."),
    "small_gpu": Template(
        "This GPU has {gigabytes} GB; 24 GB or more are recommended for these models. If it runs out of"
        " memory, take draft or 480p and a shorter video."
    ),
    "too_large_for_gpu": Template(
        "A video of this size or smaller ran out of memory when this GPU ({gigabytes} GB) was measured. Take"
        " draft or 480p, or a shorter video."
    ),
    "silent_sound": Template("The sound is silent", ": nothing in the video will move with it."),
    "sound_lost": Template("The sound of the {field} cannot be read", ", so the video is silent."),
    "to_stereo": Template("The {channels} channels of the sound become stereo."),
    "original_gone": Template("The original is no longer kept; this copy is {width} × {height}."),
    "restarted": Template("The studio or ComfyUI was restarted, so this video was started again."),
    "final_left": Template("Set for the other speed and not carried over: {names}."),
    "variations_missing": Template(
        "{made} of {count} variations are there; the others failed or were cancelled."
    ),
    "variations_kept": Template(
        "{kept} of {count} variations are kept from the earlier run", "; only the others were made again."
    ),
    "drawing_variation": Template("Variation {number} of {count}"),
    "joining_parts": Template("Joining the parts"),
    "assembling_sheet": Template("Putting the variations side by side"),
    "comfyui_silent": Template("ComfyUI does not answer at {address}. Check that it is running."),
    "demo_silent": Template("The demo engine does not answer at {address}."),
    "runpod_silent": Template("RunPod does not answer. Check the connection to the internet."),
    "comfyui_old": Template(
        "ComfyUI {version} is too old for Wan Studio",
        ": update it to {oldest} or newer. Videos are refused or fail with it.",
    ),
    "comfyui_new": Template(
        "ComfyUI {version} is newer than what Wan Studio was made for ({oldest} to {newest}). If it refuses a"
        " video, use one of those."
    ),
    "comfyui_vae_colour": Template(
        "ComfyUI {version} can make the end of a video brighter",
        ": its WAN VAE has a known fault. Update ComfyUI to {fixed} or newer.",
    ),
    "runpod_no_workers": Template(
        "The RunPod endpoint has no workers at the moment. A video waits until one is started; if none ever"
        " is, raise the endpoint's max workers in the RunPod console."
    ),
    "runpod_throttled": Template(
        "All workers of the RunPod endpoint are throttled",
        ": no GPU of its kind is free at the moment. Videos wait; more GPU kinds in the endpoint's settings"
        " help.",
    ),
    "runpod_unhealthy": Template(
        "All workers of the RunPod endpoint are unhealthy. Its log in the RunPod console says why; videos"
        " wait until one works."
    ),
    "disk_full": Template("The disk of the data folder is full. This video continues when there is space."),
    "disk_full_here": Template("The disk of the data folder is full. Videos wait until there is space."),
    "engine_disk_full": Template("{reason} This video continues when there is space."),
    "engine_disk_full_held": Template("{reason} Videos wait until there is space."),
    "engine_disk_full_retried": Template("{reason} Retrying for a few minutes before giving up."),
    "database_held": Template(
        "Another program is using the job database. This video continues when the database is free."
    ),
    "records_damaged": Template(
        "{count} records are damaged and left out: {names}. The files are in the data folder, below jobs."
    ),
    "one_record_damaged": Template(
        "1 record is damaged and left out: {names}. The files are in the data folder, below jobs."
    ),
    "data_folder_taken": Template("Another machine has taken over the data folder."),
    "open_to_all": Template(
        "Anybody with the address can use this page ({public}). Set WAN_AUTH=name:password and start again to"
        " ask for a login."
    ),
    "disk_failing": Template("{reason} Retrying for a few minutes before giving up."),
    "waiting_for_result": Template('Waiting for "{title}", which this starts from'),
    "waiting_for_untitled": Template("Waiting for another video, which this starts from"),
    "waiting_for_engine": Template("Waiting for {engine}. {why}"),
    "waiting_for_start": Template("Waiting for {engine} to start"),
    "waiting_for_restart": Template("{engine} stopped and is being restarted"),
    "waiting_for_answer": Template("Waiting for {engine}, which does not answer"),
    "waiting_for_prompt": Template(
        "Waiting for the server at {address}, which may still have this video",
    ),
    "waiting_for_able": Template("Waiting for the server at {addresses}. {reason}"),
    "waiting_for_absent_start": Template("Waiting for the server at {addresses} to start. {reason}"),
    "waiting_for_absent_answer": Template("Waiting for the server at {addresses} to answer again. {reason}"),
    "asking_again": Template("{reason} It is asked again."),
    "setting_repeated": Template("{path} sets {name} more than once; the last line counts."),
    "setting_unknown": Template(
        "The environment sets {name}, which is not a setting. Did you mean {nearest}?"
    ),
    "setting_unknown_in_file": Template(
        "{path} sets {name}, which is not a setting. Did you mean {nearest}?"
    ),
}
