"""Unsent forms: the component that keeps their files on the server.

The browser stores the values itself (ui/assets/drafts.js), without a request. Files are kept by the studio,
under the id of the tab's draft; the script calls `keep` and `retain` for them.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

import gradio as gr

from backend.errors import DiskFull, OverQuota, StudioError
from backend.threads import visitor_of
from ui.forms.uploads import checked_upload, upload_folder
from ui.forms.widgets import Form
from ui.gradio_fixes.event_errors import sentence

if TYPE_CHECKING:
    from backend.studio import Studio

log = logging.getLogger("wan.ui")

FILES_MAX = 100
"""Files that one call of `retain` may name."""
HOST_JS = (
    'const events = ["restore"];'  # Gradio looks for the name
    " const go = () => window.wanStudio?.drafts"
    " ? window.wanStudio.drafts.host({element, trigger, server}) : setTimeout(go, 15); go();"
)


class Drafts:
    """The component, and the calls of its script."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.shown: Any = None  # the component

    def build(self, forms: Mapping[str, Form]) -> None:
        """The component: invisible; it carries the initial values of all forms, and triggers `restore`."""

        # Gradio sets attributes on the functions, which bound methods do not allow
        async def keep(asked: Any = None, request: gr.Request = None) -> dict[str, Any]:
            return await self._run(self.keep, asked, request)

        async def retain(asked: Any = None, request: gr.Request = None) -> dict[str, Any]:
            return await self._run(self.retain, asked, request)

        starts = json.dumps({mode: form.start for mode, form in forms.items()})
        self.shown = gr.HTML(
            f'<div data-starts="{escape(starts)}" role="status"></div>',
            elem_id="ws-drafts",
            apply_default_css=False,
            js_on_load=HOST_JS,
            server_functions=[keep, retain],
        )

    def wire(
        self, blocks: gr.Blocks, forms: Mapping[str, Form], choosers: Mapping[str, Any], owner: Any
    ) -> None:
        """Stores every change in the browser; on load the script puts the tab's draft back."""
        options: dict[str, Any] = {"fn": None, "outputs": None, "api_visibility": "private"}
        for mode, form in forms.items():
            names, widgets = list(form.widgets), list(form.widgets.values())
            js = f"(...given) => window.wanStudio.drafts.save({mode!r}, {json.dumps(names)}, ...given)"
            gr.on([widget.change for widget in widgets], inputs=[owner, *widgets], js=js, **options)
        for tab, chooser in choosers.items():
            js = f"(kind) => window.wanStudio.drafts.kind({tab!r}, kind)"
            chooser.change(inputs=chooser, js=js, **options)
        blocks.load(inputs=owner, js="(owner) => window.wanStudio.drafts.open(owner)", **options)

    async def _run(self, call: Any, asked: Any, request: gr.Request | None) -> dict[str, Any]:
        """In a thread: both calls touch the disk."""
        given = asked if isinstance(asked, dict) else {}
        try:
            found: dict[str, Any] = await self.studio.writes.run(visitor_of(request), call, given)
        except (StudioError, gr.Error) as error:
            full = isinstance(error, (DiskFull, OverQuota))
            return {
                "refused": getattr(error, "code", "") or "bad_input",
                "said": sentence(error) if full else "",
            }
        return found

    def keep(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Keeps an uploaded file: {owner, draft, path} -> {id}. Raises StudioError, gr.Error."""
        path = checked_upload(_text(asked, "path"), "file", self.studio.settings.max_upload_mb * 1_000_000)
        if path is None:
            return {"id": ""}
        return {"id": self.studio.keep_draft_file(_text(asked, "owner"), _text(asked, "draft"), path)}

    def retain(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Drops a draft's files but some, and postpones the removal of these and of their uploads:
        {owner, draft, files: [[id, path]]}. Raises StudioError."""
        given = asked.get("files")
        files = [
            (str(one[0]), str(one[1]))
            for one in (given[:FILES_MAX] if isinstance(given, list) else [])
            if isinstance(one, list) and len(one) == 2
        ]
        self.studio.retain_draft_files(_text(asked, "owner"), _text(asked, "draft"), [id for id, _ in files])
        for _, path in files:
            _touch(path)
        return {}


def _touch(given: str) -> None:
    """An upload that an open page shows does not expire. The folder is touched for a hard link, which shares
    its own age with other files."""
    try:
        path = checked_upload(given, "file")
        if path is not None and path.parent != upload_folder():
            os.utime(path.parent if path.stat().st_nlink > 1 else path)
    except (OSError, gr.Error):
        return


def _text(asked: Mapping[str, Any], name: str) -> str:
    value = asked.get(name)
    return value if isinstance(value, str) else ""
