"""Sentences about extending a video: refusals, and how a part is drawn."""

from __future__ import annotations

from collections.abc import Mapping

from backend.error_texts.text import ErrorText

_WAIT = "Wait until it is done."

TEXTS: Mapping[str, ErrorText] = {
    # what cannot be extended
    "extend_unfinished": ErrorText("This video is not finished, so it cannot be extended.", _WAIT),
    "extend_picture": ErrorText("A picture cannot be extended.", "Make a video from it with Image-to-Video."),
    "extend_sheet": ErrorText(
        "This is a contact sheet of variations.", "Open one of the variations and extend that."
    ),
    "extend_frame": ErrorText(
        "Frame {frame} is not in this video.", "Give a number from 0 to {last}, or -1 for the last frame."
    ),
    "extend_too_long": ErrorText(
        "The joined video would last {length}; the longest possible is {longest}.",
        "Choose at most {left:g} s, or continue from an earlier frame.",
    ),
    "extend_full": ErrorText(
        "This video already lasts {length}; the longest possible is {longest}.",
        "Continue from an earlier frame.",
    ),
    "extend_method": ErrorText("There is no method {method!r}.", "Use one of {names}."),
    "extend_speed": ErrorText("There is no speed {speed!r}.", "Use one of {names}."),
    # re-rolling
    "reroll_no_parts": ErrorText("This video has no parts.", "Extend it first."),
    "reroll_part": ErrorText(
        "There is no part {part}.", "Give a number from 1 to {count}, or -1 for the last part."
    ),
    "reroll_unfinished": ErrorText("A part of this video is still being made.", _WAIT),
    "part_gone": ErrorText("The files of this video's parts are no longer kept."),
    "again_as_it_is": ErrorText(
        "A joined video cannot be made again with other settings.",
        "Extend the clip that it was made from, or re-roll one of its parts.",
    ),
    # running
    "part_failed": ErrorText(
        "Part {number} could not be made, so nothing was joined. {said}",
        "{advice} The clip that you extended is unchanged.",
    ),
    "part_without_frames": ErrorText("Part {number} has no new frames.", "Re-roll it."),
    # how a part is drawn
    "extend_by_svi": ErrorText("The new part continues the motion of the last frames (SVI Pro)."),
    "extend_by_last_frame": ErrorText("The new part continues from one frame. {why}"),
    "svi_needs": ErrorText("For SVI Pro, which takes over the motion too, the engine lacks {names}."),
    "svi_no_end": ErrorText("SVI Pro cannot end at a picture."),
    "svi_unfinished": ErrorText("The clip is not finished, and SVI Pro needs its last frames now."),
    "svi_short": ErrorText("SVI Pro needs {least} frames to continue from, and there are {frames}."),
    "svi_rate": ErrorText("SVI Pro needs a video of 16 frames a second, and this one has {fps:g}."),
    "svi_experts": ErrorText("SVI Pro needs both experts, and this clip was drawn with one."),
    "svi_impossible": ErrorText("SVI Pro cannot be used here. {why}", "Use auto or last_frame."),
    "extend_retimed": ErrorText(
        "New parts have 16 frames a second; here some are shown twice, since this video has {fps:g}."
    ),
    "extend_thinned": ErrorText(
        "New parts have 16 frames a second; here some are left out, since this video has {fps:g}."
    ),
    "part_of_speed": ErrorText("Set for the other speed and not used for the part: {settings}."),
    "part_of_mode": ErrorText(
        "Not used for the part, because Image-to-Video draws it: {settings} of the {mode} clip."
    ),
    "part_not_by_svi": ErrorText("Not used with SVI Pro: {settings}."),
    "part_without_lora": ErrorText("{because} The part is drawn without it."),
    "part_model_gone": ErrorText(
        "The clip was drawn with {names}, which this engine no longer has; the part is drawn with others."
    ),
    "part_models_kept": ErrorText(
        "The part is drawn with the model files of its clip, although this engine has others by now."
    ),
    "part_stale": ErrorText(
        "The parts after part {number} were drawn to follow its earlier version; they stay as they are."
    ),
}
