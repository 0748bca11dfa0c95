"""The lines of `models migrate` about single files."""

from __future__ import annotations

from collections.abc import Mapping

from backend.error_texts.text import ErrorText

TEXTS: Mapping[str, ErrorText] = {
    # while it runs
    "moved_file": ErrorText("{file}, {size}."),
    "moved_same": ErrorText("{file} is in the store already."),
    "moved_link": ErrorText("{file}, a link to {target}."),
    "would_move_file": ErrorText("{file}, {size}, would be moved."),
    "would_copy_file": ErrorText("{file}, {size}, would be copied, compared and removed here."),
    "would_move_link": ErrorText("{file}, a link to {target}, would be moved."),
    "would_compare": ErrorText(
        "{file} is in the store with the same size: would be compared, and removed here if equal."
    ),
    # left on purpose
    "kept_special": ErrorText("{file} is neither file nor folder: skipped."),
    "kept_link_into_store": ErrorText("{file} is a link into the store: skipped."),
    "kept_broken_link": ErrorText("{file} is a broken link: skipped."),
    "kept_link_to_unmoved": ErrorText("{file} is a link to a file that was not moved: skipped."),
    # not moved
    "unread_folder": ErrorText("{file} cannot be read: {reason}."),
    "unread_file": ErrorText("{file}: {reason}."),
    "unmoved_file": ErrorText("{file}: {reason}. It stayed where it was."),
    "unmoved_changing": ErrorText("{file} was written to while it was copied: it stayed where it was."),
    "unmoved_other_file": ErrorText(
        "{file}: the store has another file of this name ({there_bytes:,} bytes, here {here_bytes:,} bytes).",
        "Both were kept: keep one, remove the other, and run this again.",
    ),
    "unmoved_folder": ErrorText(
        "{file}: the store has a folder of this name.",
        "Both were kept: keep one, remove the other, and run this again.",
    ),
    "unmoved_broken_link": ErrorText(
        "{file}: the store has a broken link of this name.",
        "Both were kept: keep one, remove the other, and run this again.",
    ),
    "unmoved_link_taken": ErrorText(
        "{file} is a link, and the store has something else of this name: skipped."
    ),
    "unmoved_link": ErrorText("{file} is a link that cannot be moved: {reason}. It was skipped."),
}
