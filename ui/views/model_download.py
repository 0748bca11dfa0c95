"""The download of models on the System tab as HTML: what for, which files, progress."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from backend.formatting import duration_text
from backend.models.state import FetchProgress, SetEntry, SetOffer, SetRequest
from ui.i18n import mode_texts
from ui.i18n.texts import escaped, plural, text
from ui.views import wording
from ui.views.icons import icon
from workflows.catalog import load_catalog
from workflows.modes.registry import MODES

GPUS = (8, 12, 16, 24, 32, 48, 80, 96)
DEFAULT_GPU = 24
SPEEDS = ("", "fast", "quality")
FORMATS = ("auto", "fp8", "fp16", "gguf", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K")
KINDS = ("", "distilled")
"""4-step LoRAs on WAN's own models, or models that have them in their weights."""


def download_panel(
    progress: FetchProgress,
    offer: SetOffer | None = None,
    gigabytes: int = 0,
    asked: SetRequest | None = None,
) -> str:
    """The form, and below it the offered set or the progress. gigabytes: of the GPU at hand, 0 if unknown;
    asked: what the form said, for a request that was refused."""
    request = offer.request if offer is not None else asked or progress.request
    shown = _offer(offer) if offer is not None and not progress.busy else _progress(progress)
    return (
        f'<section class="fetch" data-busy="{int(progress.busy)}" data-asked="{int(asked is not None)}"'
        f' aria-labelledby="ws-fetch-title">'
        f'<h2 id="ws-fetch-title">{escaped("model_download.heading")}</h2>'
        f"{_form(request, gigabytes, progress.busy)}{shown}</section>"
    )


def modes() -> dict[str, str]:
    """Value of the form -> name, of each mode, and of each model where a mode has several."""
    found = {}
    for name in MODES:
        settings = [setting for setting, _ in load_catalog().sets(name)]
        if len(settings) < 2:
            found[name] = mode_texts.title(name)
            continue
        for setting in settings:
            label = text("model_download.model", mode=mode_texts.title(name), model=_choice(name, setting))
            found[f"{name} {setting}"] = label
    return found


def _choice(mode: str, setting: str) -> str:
    """The label of a setting such as model=flux."""
    name, _, value = setting.partition("=")
    field = next((one for one in MODES[mode].fields if one.name == name), None)
    labels = {each.value: each.label for each in field.choices} if field is not None else {}
    return labels.get(value, value)


def _form(request: SetRequest | None, gigabytes: int, busy: bool) -> str:
    mode = f"{request.mode} {request.setting}".strip() if request is not None else next(iter(modes()))
    own = {"0": text("model_download.own_gpu", size=gigabytes)} if gigabytes else {}
    gpus = own | {str(size): text("model_download.gpu", size=size) for size in GPUS}
    gpu = str(request.gigabytes) if request is not None else "0" if own else str(DEFAULT_GPU)
    speeds = {one: text(f"model_download.speed.{one or 'both'}") for one in SPEEDS}
    formats = {one: text(f"model_download.format.{one}") for one in FORMATS}
    kinds = {one: text(f"model_download.distilled.{one or 'none'}") for one in KINDS}
    speed = request.speed if request is not None else ""
    fields = (
        _select("mode", modes(), mode, busy) + _select("gpu", gpus, gpu, busy)
        + _select("speed", speeds, speed, busy)
        + _select("format", formats, request.format if request is not None else FORMATS[0], busy)
        + _select("distilled", kinds, KINDS[int(request is not None and request.distilled)], busy)
    )  # fmt: skip
    button = (
        f'<button type="button" class="btn" data-fetch="plan"{" disabled" if busy else ""}>'
        f"<span>{escaped('model_download.show')}</span></button>"
    )
    return f'<div class="fetch-form">{fields}{button}</div>'


def _select(name: str, options: dict[str, str], chosen: str, busy: bool) -> str:
    rows = "".join(
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>{escape(label)}</option>'
        for value, label in options.items()
    )
    return (
        f"<label><span>{escaped(f'model_download.label.{name}')}</span>"
        f'<select name="{name}"{" disabled" if busy else ""}>{rows}</select></label>'
    )


def _offer(offer: SetOffer) -> str:
    """The files with sizes, the sum, the room, the time, and the button."""
    rows = "".join(map(_row, offer.files))
    notes = _list(offer.notes) + _list(offer.trouble)
    if not offer.to_fetch:
        there = escaped("model_download.all_there")
        return f'<ul class="fetch-files">{rows}</ul>{notes}<p role="status">{there}</p>'
    said = [plural("model_download.sum", len(offer.to_fetch), size=wording.file_size(offer.left))]
    if offer.unknown:
        said.append(plural("model_download.unknown", offer.unknown))
    if offer.have:
        said.append(text("model_download.have", size=wording.file_size(offer.have)))
    said.append(text("model_download.free", size=wording.file_size(offer.free)))
    if offer.seconds:
        rate = wording.file_size(offer.rate)
        said.append(text("model_download.time", time=duration_text(offer.seconds), rate=rate))
    elif not offer.unknown:
        said.append(text("model_download.time_later"))
    if not offer.fits:
        missing = wording.file_size(max(0, offer.left - offer.free))
        said.append(text("model_download.no_room", missing=missing))
    word = "model_download.resume" if offer.have else "model_download.start"
    button = (
        f'<button type="button" class="btn ink" data-fetch="start"{"" if offer.fits else " disabled"}>'
        f"{icon('download', 18)}<span>{escaped(word)}</span></button>"
    )
    return (
        f'<ul class="fetch-files">{rows}</ul>{notes}<p role="status">{escape(" ".join(said))}</p>'
        f'<div class="steps">{button}</div>'
    )


def _row(each: SetEntry) -> str:
    if each.used:
        size, name = text("model_download.there"), each.used
    else:
        size = wording.file_size(each.size) if each.size else text("model_download.size_unknown")
        name = f"{each.folder}/{each.name}"
    state = "there" if each.used else "fetch"
    return (
        f'<li data-state="{state}"><span>{escape(each.title)}</span><span>{escape(size)}</span>'
        f"<code>{escape(name)}</code></li>"
    )


def _list(sentences: Iterable[str]) -> str:
    rows = "".join(f'<p class="note">{escape(sentence)}</p>' for sentence in dict.fromkeys(sentences))
    return rows


def _progress(state: FetchProgress) -> str:
    """The bar and words of a running download, or how the last one ended."""
    if state.stage == "idle":
        return ""
    if not state.busy:
        failed = state.stage != "done"
        again = (
            f'<div class="steps"><button type="button" class="btn ink" data-fetch="start">'
            f"<span>{escaped('model_download.resume')}</span></button></div>"
            if failed
            else ""
        )
        words = escaped(f"model_download.ended.{state.stage}")
        return f'{_list(state.errors)}<p role="status">{words}</p>{again}'
    percent = min(99, int(100 * state.fetched / state.total)) if state.total else 0
    words = _words(state)
    return (
        f'<div class="fetch-bar" role="progressbar" aria-label="{escaped("model_download.heading")}"'
        f' aria-valuemin="0" aria-valuemax="100" aria-valuenow="{percent}" aria-valuetext="{escape(words)}">'
        f'<i style="--d: {percent / 100:.2f}"></i></div><p>{escape(words)}</p>'
        f'<div class="steps"><button type="button" class="btn" data-fetch="cancel"'
        f"{' disabled' if state.stage == 'stopping' else ''}>"
        f"<span>{escaped('model_download.cancel')}</span></button></div>"
    )


def _words(state: FetchProgress) -> str:
    """`12.3 GB of 35.1 GB, 45 MB/s, 8 min left. wan_2.1_vae.safetensors`."""
    if state.stage == "stopping":
        return text("model_download.stopping")
    if not state.total:
        return text("model_download.starting")
    done, total = wording.file_size(state.fetched), wording.file_size(state.total)
    said = text("model_download.progress", done=done, total=total)
    if state.rate and state.seconds is not None:
        rate, left = wording.file_size(state.rate), duration_text(state.seconds)
        said = text("model_download.progress_left", done=done, total=total, rate=rate, left=left)
    key = "model_download.checking" if state.checking else "model_download.file"
    return f"{said} {text(key, file=state.file)}"
