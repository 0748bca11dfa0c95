"""A button with a menu, as HTML: role=menu, one stop of the Tab key; ui/assets/menu.js opens it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from ui.views.buttons import attributes
from ui.views.icons import icon


@dataclass(frozen=True, kw_only=True)
class Item:
    """A line of a menu: a button with `data-` attributes, or a download with the escaped address `href`.

    `hint`: a word at the right; `needs`: what the result must have; otherwise the script hides the line.
    """

    label: str
    symbol: str = ""
    data: Mapping[str, object] | None = None
    raw: str = ""  # further attributes, escaped
    href: str = ""
    hint: str = ""
    needs: str = ""


@dataclass(frozen=True)
class Group:
    """Lines of a menu under a heading, "" for none."""

    heading: str
    items: Sequence[Item]


def menu(
    label: str,
    groups: Sequence[Group],
    *,
    symbol: str = "",
    kind: str = "btn",
    bare: bool = False,
    name: str = "",
) -> str:
    """The button and its menu; a chevron says so unless the symbol does.

    bare: the button shows its symbol alone; `label` is its tip, and its name unless `name` is given.
    """
    inside = "".join(_group(group) for group in groups if group.items)
    words = "" if bare else f"<span>{escape(label)}</span>"
    sign = icon("chevron", 16) if symbol != "more" else ""
    named = f' aria-label="{escape(name or label)}" title="{escape(label)}"' if bare else ""
    mark = icon(symbol) if symbol else ""
    return (
        f'<span class="menu-box"><button type="button" class="{kind}" data-menu aria-haspopup="menu"'
        f' aria-expanded="false"{named}>{mark}{words}{sign}</button>'
        f'<span class="menu" role="menu" aria-label="{escape(name or label)}" hidden>{inside}</span></span>'
    )


def _group(group: Group) -> str:
    lines = "".join(_item(item) for item in group.items)
    if not group.heading:
        return lines
    name = escape(group.heading)
    return (
        f'<span role="group" aria-label="{name}"><span class="menu-head" aria-hidden="true">{name}</span>'
        f"{lines}</span>"
    )


def _item(item: Item) -> str:
    inside = (icon(item.symbol) if item.symbol else "") + f"<span>{escape(item.label)}</span>"
    if item.hint:
        inside += f"<small>{escape(item.hint)}</small>"
    needs = f' data-needs="{escape(item.needs)}" hidden' if item.needs else ""
    more = " ".join(filter(None, (attributes(item.data) if item.data else "", item.raw)))
    shared = f'role="menuitem" tabindex="-1"{needs} {more}'.rstrip()
    if item.href:
        return f'<a class="menu-item" href="{item.href}" download {shared}>{inside}</a>'
    return f'<button type="button" class="menu-item" {shared}>{inside}</button>'
