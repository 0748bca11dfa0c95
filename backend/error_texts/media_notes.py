"""What is said of a file that is used although something in it is changed or lost: phrases of one line.

backend/media makes these notes; `phrases` of backend/notices.py joins those of a file.
"""

from __future__ import annotations

from collections.abc import Mapping

from backend.error_texts.text import ErrorText

TEXTS: Mapping[str, ErrorText] = {
    # which of several pictures in a file is used
    "note_first_frame": ErrorText("first frame of an animation"),
    "note_first_page": ErrorText("first page of {count}"),
    "note_main_picture": ErrorText("main picture of {count}"),
    # pictures and videos
    "note_transparent": ErrorText("transparent parts become white"),
    "note_print_colours": ErrorText("print colours become screen colours"),
    "note_interlaced": ErrorText("interlaced: becomes progressive"),
    "note_hdr": ErrorText("HDR: its colours become flatter"),
    # what is there of a file
    "note_cut_short": ErrorText("cut short: {there_seconds} of {claimed_seconds} are there"),
    "note_first_part": ErrorText("only its first part can be read"),
    "note_parts_damaged": ErrorText("parts of it are damaged"),
    # sounds
    "note_silent": ErrorText("silent: nothing can be heard in it"),
    "note_quiet": ErrorText("very quiet: normalise the level"),
    "note_too_loud": ErrorText("louder than full scale: normalise the level"),
    "note_sound_of_video": ErrorText("the sound of a video"),
    "note_to_stereo": ErrorText("{channels} channels become stereo"),
    "note_lower_rate": ErrorText("{from_khz:g} kHz become {to_khz:g} kHz"),
    # the sound of a video
    "note_its_sound_to_stereo": ErrorText("the {channels} channels of its sound become stereo"),
    "note_its_sound_unknown": ErrorText("its sound is in a codec that cannot be read here and is left out"),
    "note_its_sound_encrypted": ErrorText("its sound is encrypted and is left out"),
    "note_its_sound_damaged": ErrorText("its sound is damaged and is left out"),
}
