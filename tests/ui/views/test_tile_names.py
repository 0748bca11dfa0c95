"""A tile's buttons show icons: their names say what they do, and to which clip."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from tests.support.job_views import job, media
from ui.views.library import grid


class Unnamed(HTMLParser):
    """The names of buttons and links that show an icon alone."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag in ("a", "button") and found.get("role") != "menuitem":
            self.names.append(found.get("aria-label") or "")


@pytest.mark.parametrize("status", ["done", "failed", "cancelled"])
def test_each_icon_names_its_clip(status: str) -> None:
    view = job(status=status, title='A <boat> & "fog"', params={"prompt": 'A <boat> & "fog"'})
    names = [name for name in Unnamed(grid([view], media, 0.0)).names if name]
    acts = {name.partition(": ")[0] for name in names}
    assert all(name.endswith(': A <boat> & "fog"') for name in names), names
    assert "Delete" in acts
    if status == "done":
        assert acts == {"Download", "Pin", "Reuse settings", "Delete", "More"}
