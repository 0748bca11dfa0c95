"""The answer of a server function that looks up clips by their keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from backend.errors import StudioError
from backend.threads import visitor_of

if TYPE_CHECKING:
    import gradio as gr

    from backend.studio import Studio


async def answered(
    studio: Studio, request: gr.Request | None, look_up: Callable[..., dict[str, Any]], *about: Any
) -> dict[str, Any]:
    """What `look_up` returns for `about`, on a thread for reading; {gone: true} when it is refused."""
    try:
        found: dict[str, Any] = await studio.reads.run(visitor_of(request), look_up, *about, join=True)
    except StudioError:
        return {"gone": True}
    return found
