"""The lines printed at start: the page's address, the admin login or link, warnings. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def lines(
    where: str, *, users: Sequence[str], admin_token: str, share_asked: bool, shared: bool, warning: str
) -> list[str]:
    """The lines. users: the names that can log in, the admin first; empty without a login."""
    said = [f"Wan Studio is at {where}"]
    if share_asked and not shared:
        said.append(
            "No share link could be made: this machine cannot reach gradio.live. "
            "The page is still available at the address above."
        )
    if users:
        said.append(f"Login required; {users[0]} is the admin.")
    else:
        said.append(f"Admin link, for one browser only; do not share it: {where}?admin={admin_token}")
    if warning:
        said.append(f"Warning: {warning}")
    return said
