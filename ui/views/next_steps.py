"""What can be done with a finished clip or picture: the buttons below it, and the menus."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from typing import TYPE_CHECKING

from ui.i18n import mode_texts
from ui.i18n.texts import escaped, text
from ui.views import extend, keeping, wording
from ui.views.buttons import act_data, attributes, button, link_button, link_query
from ui.views.final import has_final, is_draft
from ui.views.icons import icon
from ui.views.menu import Group, Item, menu
from workflows.modes.registry import MODES

if TYPE_CHECKING:
    from backend.jobs.views import JobView

    Url = Callable[[JobView, str, bool], str]


def has_quality(job: JobView) -> bool:
    """Whether the clip can be made again in more steps and the same size. A joined video cannot."""
    if job.parts:
        return False
    better = job.mode in MODES and MODES[job.mode].in_quality is not None
    return better and wording.is_fast(job)


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
        steps.append(extend.button(job))
    steps.append(button("again", text("card.another_seed"), job, "seed"))
    steps.append(_vary(job))
    if is_draft(job):
        steps.append(finish_button(job))
    elif has_quality(job) and has_final(job):
        steps.append(button("quality", text("card.in_quality"), job, "gem"))
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


def finish_button(job: JobView, label: str = "") -> str:
    """Opens the dialog in which the size and speed of the final are chosen."""
    return (
        f'<button type="button" class="btn" {attributes(_pressed("finish-dialog", job))}'
        f' aria-haspopup="dialog">{icon("gem")}<span>{escape(label or text("final.finish"))}</span></button>'
    )


def _pressed(act: str, job: JobView) -> dict[str, object]:
    """The data of a button whose click is handled by a script of the page alone."""
    return act_data(act, job) | {"title": wording.title(job)}


def _vary(job: JobView) -> str:
    """A button that makes several more with other seeds."""
    tip = escaped("variations.more_seeds_tip")
    return (
        f'<button type="button" class="btn" {attributes(act_data("vary", job))} title="{tip}">{icon("grid")}'
        f"<span>{escaped('variations.more_seeds')}</span></button>"
    )


def _more(job: JobView, url: Url) -> str:
    first = Group(
        "",
        [
            *_beside(job, tile=False),
            Item(label=text("card.reuse"), symbol="again", data=act_data("reuse", job)),
            Item(label=text("recipes.from_file"), symbol="again", raw='data-recipe="choose"'),
            *file_items(job, url),
        ],
    )
    sent = [*_frame_items(job), *sent_items(job)]
    return _menu([first, Group(text("next.send"), sent)])


def _menu(groups: list[Group]) -> str:
    return menu(text("next.more"), groups, symbol="more")


def tile_menu(job: JobView, url: Url) -> str:
    """The menu of a tile, where no frame is on a screen to be taken."""
    vary = Item(label=text("variations.more_seeds"), symbol="grid", data=act_data("vary", job))
    is_set = wording.is_set(job)
    groups = [
        Group("", [*_beside(job, tile=True), *([] if is_set else [vary]), *file_items(job, url)]),
        Group(text("next.send"), [] if is_set else [*sent_items(job)]),
    ]
    label = text("next.more")
    name = text("library.action", action=label, title=wording.title(job))
    return menu(label, groups, symbol="more", kind="dots", bare=True, name=name)


def _beside(job: JobView, tile: bool) -> Iterator[Item]:
    """Compare, and a final in another size or at another speed. tile: of a tile, which has no button for
    it."""
    yield Item(
        label=text("compare.compare"), symbol="compare", data=_pressed("compare", job),
        raw='aria-haspopup="dialog"',
    )  # fmt: skip
    if has_final(job) and (tile or not is_draft(job)):
        label = text("final.finish") if is_draft(job) else text("final.another")
        yield Item(
            label=label, symbol="gem", data=_pressed("finish-dialog", job), raw='aria-haspopup="dialog"'
        )


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
