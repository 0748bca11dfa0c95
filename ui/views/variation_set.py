"""A parent on the card, as HTML: its variations side by side under one player, and the steps for the picked
ones. What a user wrote is escaped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from backend.jobs.snapshot import Snapshot
from backend.media.grid import grid
from ui.i18n import mode_texts
from ui.i18n.texts import escaped, text
from ui.views import failure, keeping, progress, wording
from ui.views.buttons import act_data, attributes, button, link_button
from ui.views.card_state import ACTIVE, BLANK
from ui.views.final import has_final, is_draft
from ui.views.icons import icon
from ui.views.menu import Group, Item, menu
from ui.views.next_steps import file_items, finish_button, has_quality, rows
from ui.views.player import SPEEDS, demo_tag
from ui.views.result_details import shown_value
from ui.views.stopped_tile import reason
from workflows.finals import RESOLUTIONS, SAME
from workflows.modes.registry import MODES
from workflows.params.loras import check_loras
from workflows.params.values import InvalidParam

if TYPE_CHECKING:
    from backend.jobs.views import JobView
    from ui.views.card_state import CardState

    Url = Callable[..., str]


def differences(whole: JobView, children: Sequence[JobView]) -> list[str]:
    """The difference of each: its seed, or its value of the varied setting."""
    name = next(iter(wording.varied(whole)), "")
    field = MODES[whole.mode].by_name.get(name) if whole.mode in MODES else None
    if field is None:
        return [text("facts.seed", seed=child.seed) for child in children]
    spec = MODES[whole.mode].field(name)
    if spec.kind == "loras":
        return _strengths([child.params.get(name) for child in children])
    label = mode_texts.label(whole.mode, name)
    found = []
    for child in children:
        value = child.params.get(name, spec.default)
        words = " ".join(shown_value(whole.mode, spec, value).split())
        alone = spec.kind in ("choice", "text") or isinstance(value, bool)
        found.append(words if alone else text("variations.value", name=label, value=words))
    return found


def _strengths(several: Sequence[Any]) -> list[str]:
    """`style 0.7` of each list of LoRAs: the LoRA in which they differ."""
    lists = []
    for value in several:
        try:
            lists.append({one.name: one for one in check_loras("loras", "", value)})
        except InvalidParam:
            lists.append({})
    names = [name for one in lists for name in one]
    chosen = next((name for name in names if len({one.get(name) for one in lists}) > 1), "")
    said = []
    for one in lists:
        short = chosen.replace("\\", "/").rpartition("/")[2].rpartition(".")[0] or chosen
        strength = f"{one[chosen].strength:g}" if chosen in one else text("result.none")
        said.append(text("variations.lora", name=short, strength=strength).strip())
    return said


def stage(state: CardState, whole: JobView) -> str:
    """All variations in a grid, and below it the controls that play them in step."""
    children = state.children
    wide, high = whole.drawn
    columns, lines = grid(len(children), wide or 16, high or 9)
    words = differences(whole, children)
    cells = "".join(
        _cell(state, whole, child, number, what)
        for number, (child, what) in enumerate(zip(children, words, strict=True), 1)
    )
    plays = not wording.is_still(whole) and any(child.status == "done" for child in children)
    if columns == 1 and len(children) == 2:
        columns, lines, few = 2, 1, 1  # side by side, and on a phone one below the other
    else:
        few = min(columns, 2)
    style = f"--cols:{columns};--few:{few};--lines:{lines};--wide:{wide or 16};--high:{high or 9}"
    data = attributes({"set": whole.id, "count": len(children)})
    return (
        f'<div class="stage set" {data} style="{style}"><ul class="cells" role="list">{cells}</ul>'
        f"{_bar(children) if plays else ''}</div>"
    )


def _cell(state: CardState, whole: JobView, child: JobView, number: int, what: str) -> str:
    named = {"number": number, "what": what}
    data = attributes({"cell": child.id, "key": child.key, "state": child.status, "title": what})
    inside = _media(state, child, what)
    if child.demo and child.status == "done":
        inside += demo_tag()
    show = act_data("show", child)
    if child.status == "done" and state.mine:
        name = escaped("variations.pick", **named)
        inside = (
            f'<label class="clip pick"><input type="checkbox" data-pick aria-label="{name}">'
            f'{inside}<span class="tick">{icon("check", 16)}</span></label>'
        )
    elif child.status == "done":
        name = escaped("variations.open_one", **named)
        inside = (
            f'<button type="button" class="clip" {attributes(show)} aria-label="{name}">{inside}</button>'
        )
    else:
        waits = f" {attributes({'id': child.id, 'key': child.key})} data-waits"
        inside = f'<div class="clip"{waits if child.status in ACTIVE else ""}>{inside}</div>'
    return (
        f'<li class="cell" {data}>{inside}<div class="cell-foot"><span class="number">{number}</span>'
        f'<span class="what" dir="auto" title="{escape(what)}">{escape(what)}</span>'
        f"{_sound(child, named)}{_finish(state, child, named)}{_open(child, named)}</div>"
        f"{_stopped(state, whole, child)}</li>"
    )


def _media(state: CardState, child: JobView, what: str) -> str:
    """The clip or picture, or its progress."""
    if child.status == "done" and wording.is_still(child):
        return f'<img src="{state.url(child, child.result)}" alt="{escape(what)}" loading="lazy">'
    if child.status == "done":
        return (
            f'<video data-src="{state.url(child, child.result)}" poster="{state.url(child, child.poster)}"'
            f' data-fps="{child.fps:g}" data-frames="{child.frames}" data-bytes="{child.bytes}" muted'
            f' playsinline preload="none" tabindex="-1" aria-label="{escape(what)}"></video>'
            f'<span class="cell-lost" role="alert" hidden></span>'
        )
    picture = state.url(child, "input") if state.has_picture else BLANK
    image = f'<img class="dim" src="{picture}" alt="" data-preview>'
    word = escaped(f"variations.state.{child.status}")
    if child.status not in ACTIVE:
        mark = icon("alert" if child.status == "failed" else "close", 16)
        return f'{image}<span class="len state">{mark}{word}</span>'
    snapshot = state.progress.get(child.id) or Snapshot()
    left = progress.progress(snapshot)["left"] if child.status == "running" else ""
    return (
        f'{image}<span class="len" data-left="{escape(child.id)}">{escape(left) or word}</span>'
        f'<i class="under-way" data-bar="{escape(child.id)}" style="--d:{snapshot.percent / 100:.3f}"></i>'
    )


def _sound(child: JobView, named: Mapping[str, Any]) -> str:
    if child.status != "done" or wording.is_still(child) or not wording.follows(child.mode):
        return ""
    marks = icon("sound", 18) + icon("muted", 18)
    return (
        f'<button type="button" class="cell-act volume" data-s="sound" aria-pressed="false"'
        f' aria-label="{escaped("variations.sound", **named)}">{marks}</button>'
    )


def _finish(state: CardState, child: JobView, named: Mapping[str, Any]) -> str:
    """Makes the final of this draft at once."""
    if child.status != "done" or not state.mine or not is_draft(child):
        return ""
    size = RESOLUTIONS[0]
    return (
        f'<button type="button" class="cell-act cell-finish" data-s="finish" data-size="{size}"'
        f' aria-label="{escaped("variations.finish_one", size=size, **named)}"'
        f' title="{escaped("variations.finish_size", size=size)}">{icon("gem", 18)}</button>'
    )


def _open(child: JobView, named: Mapping[str, Any]) -> str:
    if child.status in ACTIVE:
        return ""
    return (
        f'<button type="button" class="cell-act" {attributes(act_data("show", child))}'
        f' aria-label="{escaped("variations.open_one", **named)}" title="{escaped("variations.open")}">'
        f"{icon('fullscreen', 18)}</button>"
    )


def _stopped(state: CardState, whole: JobView, child: JobView) -> str:
    """Why a variation has no result, and Try again for its owner: on an ended set it makes the missing ones,
    unless a remedy changes the settings."""
    if child.status != "failed":
        return ""
    why = reason(child)
    again = ""
    if state.mine:
        remedy = failure.remedies(child)[0]
        if remedy.change:
            again = button("retry", remedy.label, child, "again", "quiet", remedy.change)
        elif whole.status in ACTIVE:
            again = _later(remedy.label)
        else:
            again = button("retry", remedy.label, whole, "again", "quiet", {"seed": whole.seed})
    return f'<p class="cell-why" title="{escape(why)}">{escape(why)}</p>{again}'


def _later(label: str) -> str:
    """The button to try again while the others are made: off, with what it waits for."""
    return (
        f'<button type="button" class="btn quiet" disabled>{icon("again")}'
        f"<span>{escape(label)}</span></button>"
        f'<p class="cell-why" title="{escaped("variations.later_tip")}">{escaped("variations.later")}</p>'
    )


def _bar(children: Sequence[JobView]) -> str:
    """One play button, one slider, one frame counter for all."""
    frames = max((child.frames for child in children if child.status == "done"), default=1)
    speeds = "".join(
        f'<option value="{speed}"{" selected" if speed == "1" else ""}>'
        f"{escaped('player.times', speed=speed)}</option>"
        for speed in SPEEDS
    )

    play = icon("play", 22) + icon("pause", 22)
    toggle = _control("play", escaped("player.play"), escaped("player.play_tip"), play, 'class="toggle"')
    earlier = _control("back", escaped("player.back"), escaped("player.back_tip"), icon("frame_back", 20))
    later = _control("next", escaped("player.next"), escaped("player.next_tip"), icon("frame_next", 20))
    repeat, tip = escaped("player.repeat"), escaped("player.repeat_tip")
    loop = _control("loop", repeat, tip, icon("loop", 20), 'aria-pressed="true"')
    return (
        f'<div class="set-bar" role="group" aria-label="{escaped("player.label")}" data-paused>'
        f"{toggle}{earlier}"
        f'<input type="range" min="0" max="{max(0, frames - 1)}" step="1" value="0"'
        f' aria-label="{escaped("player.position")}">'
        f"{later}"
        f'<span class="count">{escape(text("player.frame", frame=1, frames=max(1, frames)))}</span>'
        f'<select data-set-speed aria-label="{escaped("player.speed")}"'
        f' title="{escaped("player.speed_tip")}">{speeds}</select>'
        f"{loop}</div>"
    )


def _control(act: str, label: str, tip: str, marks: str, more: str = "") -> str:
    """label, tip: escaped; the tip names the key."""
    return f'<button type="button" data-s="{act}" {more} aria-label="{label}" title="{tip}">{marks}</button>'


def steps(state: CardState, whole: JobView) -> str:
    """The steps below an ended set, and those for the picked ones, which replace them."""
    if not state.mine:
        return rows([], [link_button(whole)])
    making = [button("again", text("variations.again_all"), whole, "seed")]
    making.append(_finish_all(whole))
    more = [Item(label=text("card.reuse"), symbol="again", data=act_data("reuse", whole))]
    files = [*more, *file_items(whole, state.url)]
    having = [menu(text("next.more"), [Group("", files)], symbol="more"), *keeping.buttons(whole)]
    return f'<div class="set-steps">{rows(making, having)}</div>{picks(state, whole)}'


def _finish_all(whole: JobView) -> str:
    if is_draft(whole):
        return finish_button(whole, text("variations.finish_all"))
    return button("quality", text("card.in_quality"), whole, "gem") if has_quality(whole) else ""


def picks(state: CardState, whole: JobView) -> str:
    """The actions on the picked ones; hidden until one is picked. The script fills in their ids."""
    if not state.mine:
        return ""
    making, items = [], []
    if is_draft(whole):
        first = RESOLUTIONS[0]
        making.append(_finish_picked(text("variations.finish_size", size=first), first))
    elif has_quality(whole):
        making.append(_finish_picked(text("card.in_quality"), SAME))
    if has_final(whole):
        items.append(Item(label=text("final.another"), symbol="gem", raw='data-s="other"'))
    if not wording.is_still(whole):
        frame = Item(
            label=text("card.use_frame"), symbol="frame", data={"act": "frame"}, raw='data-picks="1"'
        )
        items.append(frame)
    items += [
        Item(label=text("compare.compare"), symbol="compare", raw='data-s="compare" data-picks="2"'),
        Item(label=text("variations.download"), symbol="download", raw='data-s="download"'),
    ]
    if whole.status not in ACTIVE:
        tip = escaped("variations.keep_tip")
        making.append(
            f'<button type="button" class="btn" data-act="keep_picked" title="{tip}" data-keep>'
            f"{icon('trash')}<span>{escaped('variations.keep')}</span></button>"
        )
    clear = (
        f'<button type="button" class="btn quiet" data-s="clear" aria-label="{escaped("variations.clear")}"'
        f' title="{escaped("variations.clear")}">{icon("close")}</button>'
    )
    said = f'<span class="picked" role="status">{escaped("variations.picked")}</span>'
    having = [menu(text("next.more"), [Group("", items)], symbol="more"), clear]
    return f'<div class="picks" hidden>{said}{rows(making, having)}</div>'


def _finish_picked(label: str, resolution: str) -> str:
    """Makes the finals at once, in Quality; the dialog with other sizes and speeds is in the menu."""
    return (
        f'<button type="button" class="btn ink" data-s="finish" data-size="{resolution}">{icon("gem")}'
        f"<span>{escape(label)}</span></button>"
    )


def download(whole: JobView, url: Url) -> str:
    """The button that saves the contact sheet."""
    size = wording.file_size(whole.bytes) if whole.bytes else ""
    return (
        f'<a class="btn" href="{url(whole, whole.result, True)}" download'
        f' title="{escaped("variations.sheet_tip")}">{icon("download")}'
        f"<span>{escaped('variations.sheet')}</span><small>{escape(size)}</small></a>"
    )


def back(whole: JobView) -> str:
    """The button that leads from one variation back to its set."""
    label = text("variations.back", count=wording.variation_count(whole))
    return (
        f'<button type="button" class="back" {attributes(act_data("show", whole))}>{icon("chevron")}'
        f"<span>{escape(label)}</span></button>"
    )
