"""Errors of the files that creators add, and of the processes that open them."""

from __future__ import annotations

from collections.abc import Mapping

from backend.error_texts.text import ErrorText

_KINDS = ("picture", "sound", "video")
_AGAIN = "Export or download it again, then retry."
_AS_PICTURE = "Save it as JPEG or PNG, then choose that."
_CHOOSE_AGAIN = "Choose it again."
_CHOOSE = {
    "picture": "Choose a {formats}.",
    "sound": "Choose a {formats}, or a video with sound.",
    "video": "Choose an {formats}.",
}
_SMALLER = {
    "picture": "Save it smaller, as JPEG for example.",
    "sound": "Save it as MP3 or M4A, or cut out the part that you need.",
    "video": "Save it smaller, 1280 pixels on the longer side, or cut out the part that you need.",
}
_PLAINER = {
    "picture": "Save it again as JPEG or PNG, 2048 pixels on the longer side, then choose that.",
    "sound": "Save it again as WAV or MP3, then choose that.",
    "video": "Save it again as MP4 (H.264), 1280 pixels on the longer side, then choose that.",
}
_SIZE = "{upload} is {width} × {height}"
_EARLIER = "Choose an earlier start."


def _texts_of(kind: str) -> Mapping[str, ErrorText]:
    """The texts that name a kind of files."""
    return {
        f"too_many_bytes_{kind}": ErrorText(
            "{upload} has {has:,} MB. Up to {most:,} MB can be used.", _SMALLER[kind]
        ),
        f"is_a_folder_{kind}": ErrorText("{upload} is a folder.", _CHOOSE[kind]),
        f"not_a_file_{kind}": ErrorText("{upload} is not a file.", _CHOOSE[kind]),
        f"protected_{kind}": ErrorText(
            "{upload} is encrypted (copy protection, DRM), so nothing in it can be read.",
            f"Choose a {kind} without copy protection.",
        ),
        f"too_heavy_{kind}": ErrorText(
            "{upload} takes more memory or time to open than it may.", _PLAINER[kind]
        ),
        f"busy_{kind}": ErrorText(
            f"{{upload}} could not be looked at yet: other {kind}s are being opened.",
            "Try again in a moment.",
        ),
        f"waiting_{kind}": ErrorText(
            "{upload} could not be looked at yet: too many of your files are waiting to be opened.",
            f"Wait until they are, then try this {kind} again.",
        ),
        f"no_opener_{kind}": ErrorText(f"A part that opens {kind}s is not installed."),
        f"no_room_{kind}": ErrorText(f"The disk is full: the {kind} could not be kept."),
        f"not_kept_{kind}": ErrorText(f"The {kind} could not be kept."),
    }


def _texts_of_timed(kind: str) -> Mapping[str, ErrorText]:
    """The texts of a kind that has a length."""
    holds = {"sound": "sound", "video": "pictures"}[kind]
    return {
        f"not_a_{kind}": ErrorText(f"{{upload}} is not a {kind} that can be read here.", _CHOOSE[kind]),
        f"odd_{kind}": ErrorText(
            f"{{upload}} is not a {kind} of a kind that can be read here.", _CHOOSE[kind]
        ),
        f"other_than_{kind}": ErrorText(f"{{upload}} is not a {kind}: it is {{found}}.", _CHOOSE[kind]),
        f"picture_for_{kind}": ErrorText(
            f"{{upload}} is not a {kind}: it is a picture ({{format}}).", _CHOOSE[kind]
        ),
        f"drawing_for_{kind}": ErrorText(f"{{upload}} is not a {kind}: it is a drawing.", _CHOOSE[kind]),
        f"unknown_codec_{kind}": ErrorText(
            f"{{upload}} holds its {holds} in a codec that cannot be read here.", _PLAINER[kind]
        ),
        f"too_short_{kind}": ErrorText(
            "{upload} is {lasts} long. At least {least_seconds} are needed.", f"Choose a longer {kind}."
        ),
    }


TEXTS: Mapping[str, ErrorText] = {
    **{code: text for kind in _KINDS for code, text in _texts_of(kind).items()},
    **{code: text for kind in ("sound", "video") for code, text in _texts_of_timed(kind).items()},
    # any file
    "file_empty": ErrorText("{upload} is empty: it has 0 bytes.", _AGAIN),
    "file_missing": ErrorText("{upload} is no longer there.", _CHOOSE_AGAIN),
    "file_unreadable": ErrorText("{upload} cannot be opened.", _CHOOSE_AGAIN),
    "file_cut_short": ErrorText("{upload} is incomplete: part of the file is missing.", _AGAIN),
    "file_damaged": ErrorText("{upload} is damaged or incomplete and cannot be read.", _AGAIN),
    # pictures
    "picture_too_large": ErrorText(
        _SIZE + ", {megapixels:,} megapixels. Up to {most} can be used.",
        "Save it smaller: 2048 pixels on the longer side are enough for any video made here.",
    ),
    "picture_too_small": ErrorText(
        _SIZE + ": too small. At least {least} × {least} pixels are needed.", "Choose a larger picture."
    ),
    "picture_too_wide": ErrorText(
        _SIZE + ": {times:.3g} times as wide as it is high. Up to {most:g} times can be used.",
        "Cut out the part that should move, then choose it.",
    ),
    "picture_too_high": ErrorText(
        _SIZE + ": {times:.3g} times as high as it is wide. Up to {most:g} times can be used.",
        "Cut out the part that should move, then choose it.",
    ),
    "picture_is_svg": ErrorText(
        "{upload} is an SVG: a drawing, not a picture.", "Export it as PNG, then choose that."
    ),
    "picture_foreign": ErrorText(
        "{upload} is {picture_format} picture, which cannot be read here.", _AS_PICTURE
    ),
    "picture_unread": ErrorText(
        "{upload} is {picture_format} picture of a kind that cannot be read here.", _AS_PICTURE
    ),
    "picture_heif": ErrorText("{upload} is a HEIF picture of a kind that cannot be read here.", _AS_PICTURE),
    "other_than_picture": ErrorText("{upload} is not a picture: it is {found}.", _CHOOSE["picture"]),
    "picture_transparent": ErrorText(
        "{upload} is fully transparent: there is nothing to see in it.", "Choose another picture."
    ),
    # sounds and videos
    "animation_for_video": ErrorText(
        "{upload} is an animation ({format}) that cannot be read as a video here.",
        "Save it as GIF or MP4, then choose that.",
    ),
    "no_sound": ErrorText("{upload} has no sound.", "Choose a video with sound, or a sound file."),
    "no_pictures": ErrorText("{upload} has no pictures, only sound.", _CHOOSE["video"]),
    "no_sound_at": ErrorText("{upload} has no sound at {at_seconds}.", _EARLIER),
    "no_picture_at": ErrorText("{upload} has no picture at {at_seconds}.", _EARLIER),
    "no_frame": ErrorText(
        "{upload} has {count} frames, so there is no frame {number}.", "Frames count from 0; -1 is the last."
    ),
    "file_too_long": ErrorText(
        "{upload} is {lasts} long. Files of up to {most_seconds} can be used, and {part_seconds} of one at a"
        " time.",
        "Cut out the part that you need, then choose that.",
    ),
    "video_over_4k": ErrorText(
        _SIZE + ". Videos of up to 4096 × 2304 (4K) can be used.",
        "Save it smaller: 1280 pixels on the longer side are enough for any video made here.",
    ),
    "video_too_small": ErrorText(
        _SIZE + ": too small. At least {least} × {least} pixels are needed.", "Choose a larger video."
    ),
    "video_too_narrow": ErrorText(
        _SIZE + ": one side is more than {most:g} times the other.",
        "Cut out the part with the person, then choose it.",
    ),
    "video_without_frames": ErrorText("{upload} has no frames: nothing is in it.", _CHOOSE["video"]),
    "video_of_one_frame": ErrorText(
        "{upload} has one frame: it is a picture, nothing moves in it.", _CHOOSE["video"]
    ),
    # the processes
    "no_such_operation": ErrorText("No such operation: {operation}"),
    "nothing_to_join": ErrorText("There is nothing to make a video of."),
    "media_closed": ErrorText("Wan Studio is shutting down."),
}
