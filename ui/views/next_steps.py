"""What can be done with a finished clip or picture: the buttons below it, and the menus."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from typing import TYPE_CHECKING

from ui.i18n import mode_texts
from ui.i18n.texts import escaped, text
from ui.views import keeping, wording
from ui.views.buttons import act_data, button, link_button, link_query
from ui.views.icons import icon
from ui.views.menu import Group, Item, menu
from workflows.modes.registry import MODES
from workflows.params.sizes import AREAS, fit_size

if TYPE_CHECKING:
    from backend.jobs.views import JobView

    Url = Callable[[JobView, str, bool], str]

FINAL = ("480p", "720p")
"""The resolutions that a draft can be made again in."""
DRAFT_AREA = AREAS["draft"] * 1.25
"""Pixels of a frame up to which a size given by hand counts as a draft."""


def is_draft(job: JobView) -> bool:
    """Whether the clip is a small one to judge the motion by."""
    if wording.is_still(job) or job.mode not in MODES or "resolution" not in MODES[job.mode].by_name:
        return False
    if job.params.get("width"):
        width, height = job.drawn
        return 0 < width * height <= DRAFT_AREA
    return job.params.get("resolution") == "draft"


def final_sizes(job: JobView) -> dict[str, dict[str, object]]:
    """resolution -> the values with which a draft is made in it; none for what is not a draft.

    A size given by hand keeps its shape.
    """
    if not is_draft(job):
        return {}
    if not job.params.get("width"):
        return {name: {"resolution": name} for name in FINAL}
    sizes = {name: fit_size(*job.drawn, name) for name in FINAL}
    return {name: {"width": width, "height": height} for name, (width, height) in sizes.items()}


def has_quality(job: JobView) -> bool:
    """Whether the same can be made better: after a run in few steps, or as a draft."""
    better = job.mode in MODES and MODES[job.mode].in_quality is not None
    return better and (wording.is_fast(job) or is_draft(job))


def next_steps(job: JobView, url: Url, mine: bool = True) -> str:
    """The buttons below a finished clip or picture; whatever is needed less often is in the menu.

    mine: the visitor owns the job; others see only what a private link allows.
    """
    if not mine:
        return rows([], [link_button(job)])
    steps = []
    if wording.is_still(job):
        steps.append(button("picture", text("card.animate_picture"), job, "frame"))
    else:
        steps.append(button("frame", text("card.use_frame"), job, "frame"))
    steps.append(button("again", text("card.another_seed"), job, "seed"))
    if has_quality(job):
        steps.append(_quality(job))
    return rows(steps, [_more(job, url), *keeping.buttons(job)])


def rows(making: list[str], having: list[str], kind: str = "next") -> str:
    """Two groups of buttons: what makes another one, and what is done with this one. The second is a row of
    its own where the card is too narrow for both."""
    groups = "".join(f'<div class="group">{"".join(group)}</div>' for group in (making, having) if group)
    return f'<div class="steps {kind}">{groups}</div>'


def download(job: JobView, url: Url) -> str:
    """The button that saves the result."""
    size = wording.file_size(job.bytes) if job.bytes else ""
    return (
        f'<a class="btn ink" href="{url(job, job.result, True)}" download>{icon("download")}'
        f"<span>{escaped('card.download')}</span><small>{escape(size)}</small></a>"
    )


def _quality(job: JobView) -> str:
    sizes = final_sizes(job)
    if not sizes:
        return button("quality", text("card.in_quality"), job, "gem")
    items = [
        Item(label=name, data=act_data("quality", job, change), hint_for=name)
        for name, change in sizes.items()
    ]
    return menu(text("card.in_quality"), [Group(text("next.final_size"), items)], symbol="gem")


def _more(job: JobView, url: Url) -> str:
    first = Group(
        "",
        [
            Item(label=text("card.reuse"), symbol="again", data=act_data("reuse", job)),
            *file_items(job, url),
        ],
    )
    sent = [*_frame_items(job), *sent_items(job)]
    return _menu([first, Group(text("next.send"), sent)])


def _menu(groups: list[Group]) -> str:
    return menu(text("next.more"), groups, symbol="more")


def tile_menu(job: JobView, url: Url) -> str:
    """The menu of a tile, where no frame is on a screen to be taken."""
    groups = [Group("", file_items(job, url)), Group(text("next.send"), [*sent_items(job)])]
    label = text("next.more")
    name = text("library.action", action=label, title=wording.title(job))
    return menu(label, groups, symbol="more", kind="dots", bare=True, name=name)


def file_items(job: JobView, url: Url) -> list[Item]:
    """Workflow and private link."""
    tip = escaped(f"card.workflow_tip.{wording.thing(job)}")
    return [
        Item(
            label=text("card.workflow"),
            symbol="graph",
            href=url(job, "workflow.json", True),
            raw=f'title="{tip}"',
        ),
        _link_item(job),
    ]


def _link_item(job: JobView) -> Item:
    return Item(
        label=text("card.copy_link"),
        symbol="link",
        raw=f'data-link="{link_query(job)}" title="{escaped("card.link_tip")}"',
    )


def _frame_items(job: JobView) -> Iterator[Item]:
    """Sends the frame that is shown to each form that takes a picture."""
    if not wording.is_still(job):
        for mode in picture_modes():
            yield _sent(mode, "frame", text("next.frame"), act_data("frame", job, mode=mode))


def sent_items(job: JobView) -> Iterator[Item]:
    """Sends the whole result: a picture as picture, a video as driving video, and its sound."""
    if wording.is_still(job):
        for mode in picture_modes():
            data = act_data("send", job, mode=mode, field="image")
            yield _sent(mode, "frame", text("facts.picture"), data)
        return
    for mode, field in targets("video"):
        yield _sent(mode, "film", text("next.video"), act_data("send", job, mode=mode, field=field))
    if wording.follows(job.mode):
        for mode, field in targets("sound"):
            needs = "" if _surely_sounds(job) else "sound"
            data = act_data("send", job, mode=mode, field=field)
            yield _sent(mode, "wave", text("next.sound"), data, needs)


def _sent(mode: str, symbol: str, what: str, data: dict[str, object], needs: str = "") -> Item:
    return Item(label=mode_texts.title(mode), symbol=symbol, hint=what, data=data, needs=needs)


def picture_modes() -> list[str]:
    """The modes whose form takes a picture."""
    return [name for name, mode in MODES.items() if "image" in mode.media]


def targets(kind: str) -> list[tuple[str, str]]:
    """(mode, field) of the required files of this kind: what a result can be sent to."""
    return [
        (name, field.name)
        for name, mode in MODES.items()
        for field in mode.media.values()
        if field.kind == kind and field.required
    ]


def _surely_sounds(job: JobView) -> bool:
    """Whether the clip follows a sound; one that follows a video has a sound only if that video has one."""
    trim = MODES[job.mode].trim
    return trim is not None and MODES[job.mode].media[trim.media].kind == "sound"
