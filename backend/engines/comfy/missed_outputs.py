"""Adds the output files of a prompt whose frames were missed, from the server's history."""

from __future__ import annotations

import logging
import threading

from backend.engines.comfy import protocol
from backend.engines.comfy.http import Http
from backend.errors import EngineError

log = logging.getLogger("wan.engines.comfy")

ATTEMPTS, INTERVAL = 5, 0.1
"""The history has the outputs soon after the success event; the interval is in seconds."""


def missed_outputs(http: Http, state: protocol.PromptState, wake: threading.Event) -> protocol.Update:
    """The state of a finished prompt with all of its outputs, and those that are new; unchanged if the server
    does not respond or keeps no history. `wake` ends a wait between two attempts."""
    for _ in range(ATTEMPTS):
        try:
            history = http.get(f"/history/{state.prompt_id}")
        except EngineError as error:
            log.info("prompt %s: outputs: %s", state.prompt_id, error.detail)
            return state, ()
        entry = protocol.history_entry(history, state.prompt_id)
        if entry is not None:
            return protocol.add_outputs(entry, state)
        wake.wait(INTERVAL)
    return state, ()
