"""The words of notices and errors: the template of the code, filled in with the notice's arguments.

Nothing reads these words: what depends on a notice asks for its code and arguments. backend/error_texts has
the templates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from backend.error_texts.arguments import SHOWN
from backend.error_texts.catalog import ERROR_TEXTS, HINTS
from backend.error_texts.model_kinds import FAULT_WORDS, KIND_WORDS, LAYOUT_WORDS, MODEL_WORDS
from backend.error_texts.notice_texts import TEMPLATES, Template
from backend.formatting import duration_text, megabytes_text, size_text
from backend.log_lines import CONTROL
from workflows.notice import Arg, Notice

_FIELDS = {
    "image": "picture",
    "audio": "sound",
    "end_image": "end frame",
    "video": "driving video",
    "pose_video": "pose video",
    "face_video": "face video",
    "mask": "mask",
}
_INPUTS = {
    **_FIELDS,
    "sampler_name": "sampler",
    "noise_seed": "seed",
    "steps": "number of steps",
    "length": "number of frames",
    "fps": "frame rate",
    "cfg": "guidance (cfg)",
}
"""Parameters of a mode and inputs of ComfyUI's nodes."""
_EDGES = {"sides": "left and right", "ends": "top and bottom"}


def files_text(names: Sequence[str]) -> str:
    """ "a.safetensors in vae (254 MB) and b.safetensors in loras (1.2 GB)"."""
    from workflows.catalog import load_catalog  # here: the media processes never need it

    files = {file.name: file for file in load_catalog().files}
    said = [
        f"{name} in {files[name].folder} ({size_text(files[name].bytes)})" if name in files else name
        for name in names
    ]
    return listed(said)


def listed(words: Sequence[str]) -> str:
    """ "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _title(mode: str) -> str:
    from workflows.modes.registry import title  # here: the media processes never need it

    return title(mode)


def _settings(names: Sequence[str]) -> str:
    """Parameters of modes by their labels: "Steps and CFG"."""
    from workflows.modes.registry import MODES  # here: the media processes never need it

    labels = {field.name: field.label for spec in MODES.values() for field in spec.fields}
    return listed([labels.get(name, name) for name in names])


_SHOWN: Mapping[str, Callable[[Any], str]] = {
    "field": lambda name: _FIELDS.get(name, str(name)),
    "input": lambda name: _INPUTS.get(name, str(name).replace("_", " ")),
    "kinds": listed,
    "kind": lambda name: KIND_WORDS.get(name, KIND_WORDS["other"]),
    "base": lambda name: MODEL_WORDS.get(name, MODEL_WORDS["other"]),
    "for_model": lambda name: MODEL_WORDS.get(name, MODEL_WORDS["other"]),
    "layout": lambda name: LAYOUT_WORDS.get(name, LAYOUT_WORDS["bare"]),
    "fault": lambda name: FAULT_WORDS.get(name, FAULT_WORDS["unreadable"]),
    "listed": listed,
    "need": megabytes_text,
    "used": megabytes_text,
    "limit": megabytes_text,
    "drafts": megabytes_text,
    "edges": lambda name: _EDGES.get(name, str(name)),
    "mode": _title,
    "files": files_text,
    "names": ", ".join,
    "settings": _settings,
    "helpers": lambda names: " and ".join(str(name).replace("_", " ") for name in names),
    "addresses": " or ".join,
    "length": duration_text,
    "longest": duration_text,
    **SHOWN,
}
"""Argument -> how its value is shown; the others are shown as the template's format says."""


def words(notice: Notice | None) -> str:
    """The sentences of a notice; "" for none. One that this version cannot read is shown by its code."""
    return "" if notice is None else _filled("".join(_template(notice)), notice) or notice.code


def brief(notice: Notice) -> str:
    """The short form of a notice; for the reason of an error its message."""
    return _filled(_template(notice).head, notice) or notice.code


def phrases(notes: Sequence[Notice]) -> str:
    """The notes about a media file as one line without a full stop: "Silent, the sound of a video"."""
    said = ", ".join(map(brief, notes))
    return said[:1].upper() + said[1:]


def hint(reason: Notice, error: str = "") -> str:
    """What to do about an error: the hint of its reason, else that of its code."""
    return _filled(_template(reason).rest, reason) or HINTS.get(error, "")


def readable(notice: Notice) -> bool:
    """Whether this version has words for the notice."""
    return bool(_filled("".join(_template(notice)), notice))


def _template(notice: Notice) -> Template:
    if notice.code in ERROR_TEXTS:
        message, todo = ERROR_TEXTS[notice.code]
        return Template(message, f" {todo}" if todo else "")
    return TEMPLATES.get(notice.code, Template(""))


def _filled(text: str, notice: Notice) -> str:
    """Empty for arguments that the text cannot be filled in with."""
    try:
        shown = {name: _shown(name, value) for name, value in notice.args}
        if notice.code == "refused":
            shown["hint"] = _hint_of_refusal(notice)
        return text.format(**shown).strip()
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        return ""


def _shown(name: str, value: Arg) -> object:
    if isinstance(value, Notice):
        return words(value) if name == "why" else brief(value)
    if name == "reasons" and isinstance(value, tuple):
        return " ".join(brief(one) for one in value if isinstance(one, Notice))
    if name == "hints" and isinstance(value, tuple):
        hints = dict.fromkeys(hint(one) for one in value if isinstance(one, Notice))
        return " ".join(filter(None, hints))
    if name in _SHOWN:
        return _SHOWN[name](value)
    if isinstance(value, tuple):
        raise TypeError(f"{name} is not shown as a list")
    return value


def _hint_of_refusal(refused: Notice) -> str:
    reason, error = refused.arg("reason"), refused.arg("error")
    return hint(reason, str(error)) if isinstance(reason, Notice) else ""


def writable_text(text: str) -> str:
    """A text without what no database takes, such as half a surrogate pair, and without what hides or
    reverses text on the page: the words of a server may hold both."""
    return CONTROL.sub("?", text)


def writable(notice: Notice) -> Notice:
    """The notice with all its texts writable."""
    return Notice(notice.code, tuple((name, _writable_arg(arg)) for name, arg in notice.args))


def _writable_arg(arg: Arg) -> Arg:
    if isinstance(arg, str):
        return writable_text(arg)
    if isinstance(arg, Notice):
        return writable(arg)
    if isinstance(arg, tuple):
        texts = tuple(writable_text(one) for one in arg if isinstance(one, str))
        return texts or tuple(writable(one) for one in arg if isinstance(one, Notice))
    return arg
