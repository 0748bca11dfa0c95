"""The component behind the lists of LoRAs: the script of all forms asks it for LoRAs and their pictures."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import gradio as gr

from backend.errors import StudioError
from backend.threads import visitor_of

if TYPE_CHECKING:
    from backend.studio import Studio

NAMES_MAX = 60
"""Names that one call may ask for."""
SEARCH_MAX = 200
HOST_JS = (
    "const go = () => window.wanStudio?.loras"
    " ? window.wanStudio.loras.host(server) : setTimeout(go, 15); go();"
)


class LoraPicker:
    """The component, which is invisible, and the calls of its script. What they return is the same for
    everyone who can make a video here."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def build(self) -> None:
        """Adds the component to the page."""

        # Gradio sets attributes on the functions, which bound methods do not allow
        async def find(asked: Any = None, request: gr.Request = None) -> dict[str, Any]:
            return await self._run(self.find, asked, request)

        async def pictures(asked: Any = None, request: gr.Request = None) -> dict[str, Any]:
            return await self._run(self.pictures, asked, request)

        gr.HTML(
            "",
            elem_id="ws-loras",
            apply_default_css=False,
            js_on_load=HOST_JS,
            server_functions=[find, pictures],
        )

    async def _run(
        self, call: Callable[[dict[str, Any]], dict[str, Any]], asked: Any, request: gr.Request | None
    ) -> dict[str, Any]:
        """In a thread: both calls read files."""
        given = asked if isinstance(asked, dict) else {}
        try:
            return await self.studio.reads.run(visitor_of(request), call, given)
        except StudioError as error:
            return {"refused": error.code}

    def find(self, asked: dict[str, Any]) -> dict[str, Any]:
        """{mode, search, names} -> {rows, listed, count}. Raises StudioError."""
        search = _text(asked, "search")[:SEARCH_MAX]
        found = self.studio.loras(_text(asked, "mode"), search, tuple(_names(asked)))
        return {"rows": [asdict(row) for row in found.rows], "listed": found.listed, "count": found.count}

    def pictures(self, asked: dict[str, Any]) -> dict[str, Any]:
        """{names} -> {name: data address} of those that have a picture."""
        found = {name: self.studio.lora_picture(name) for name in _names(asked)}
        return {
            name: f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
            for name, data in found.items()
            if data
        }


def _names(asked: dict[str, Any]) -> list[str]:
    given = asked.get("names")
    names = given[:NAMES_MAX] if isinstance(given, list) else []
    return [name for name in names if isinstance(name, str)]


def _text(asked: dict[str, Any], name: str) -> str:
    value = asked.get(name)
    return value if isinstance(value, str) else ""
