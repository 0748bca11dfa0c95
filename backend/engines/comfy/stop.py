"""Stops one prompt on a ComfyUI server."""

from __future__ import annotations

import logging
import time

from backend.engines.comfy import protocol
from backend.engines.comfy.http import Http
from backend.errors import EngineError, EngineUnreachable

log = logging.getLogger("wan.engines.comfy")


class Interrupts:
    """Stops a prompt again and again until it has ended: ComfyUI reacts to an interrupt only at the next
    step."""

    def __init__(self, http: Http, prompt_id: str, interval: float) -> None:
        """`interval`: seconds between two requests."""
        self._http, self._prompt_id, self._interval = http, prompt_id, interval
        self._next = 0.0

    def repeat(self) -> bool:
        """Sends a request if it is time for the next one; returns whether. A failure is only logged."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._interval
        try:
            stop_prompt(self._http, self._prompt_id)
        except EngineUnreachable as error:
            log.info("prompt %s: cancelling: %s", self._prompt_id, error.detail)
        except EngineError as error:
            log.warning("prompt %s: cancelling: %s %s", self._prompt_id, error.message, error.detail)
        return True


def stop_prompt(http: Http, prompt_id: str) -> None:
    """Removes the prompt from the queue, or interrupts it if it is running; affects no other prompt.

    Before ComfyUI 0.3.57, /interrupt ignores the prompt id, so the queue is read first.
    Raises EngineUnreachable, EngineError.
    """
    http.post("/queue", {"delete": [prompt_id]})
    position = protocol.queue_position(http.get("/queue"), prompt_id)
    if position is not None and position.running:
        http.post("/interrupt", {"prompt_id": prompt_id})
