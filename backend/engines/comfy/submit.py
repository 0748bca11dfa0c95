"""Sends a graph to ComfyUI (POST /prompt) and finds out whether the server has it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from backend.engines.base import Prompt
from backend.engines.comfy import protocol
from backend.engines.comfy.http import POST_SECONDS, Http, is_connection_refused
from backend.engines.comfy.stop import stop_prompt
from backend.engines.comfy.validation_errors import validation_error
from backend.errors import EngineError, EngineUnreachable, InternalError, StudioError

log = logging.getLogger("wan.engines.comfy")


def post(http: Http, prompt: Prompt, client_id: str) -> bool:
    """Submits a graph. Returns whether the server confirmed it. Raises EngineError, GraphRejected."""
    body = {
        "prompt": prompt.graph,
        "prompt_id": prompt.id,
        "client_id": client_id,
        "extra_data": {"preview_method": "auto"},
    }
    answered = _post_with_retry(http, prompt.id, body)
    if answered is None:
        return False
    status, answer = answered
    if status != 200 or not isinstance(answer, dict) or "prompt_id" not in answer:
        raise _refusal(prompt, answer, status)
    if answer.get("node_errors"):
        stop_prompt(http, prompt.id)  # only some of its outputs were accepted
        raise _refusal(prompt, answer, status)
    if answer["prompt_id"] != prompt.id:
        stop_prompt(http, str(answer["prompt_id"]))
        raise EngineError.of("too_old_for_us")
    log.info("prompt %s: accepted by %s", prompt.id, http.address)
    return True


def _post_with_retry(http: Http, prompt_id: str, body: Mapping[str, Any]) -> tuple[int, Any] | None:
    """HTTP status and body of POST /prompt; None if no response came and the server may have the prompt.

    The request is repeated only if the server certainly does not have the prompt.
    """
    for last in (False, True):
        try:
            return http.post("/prompt", body, read=POST_SECONDS)
        except EngineUnreachable as error:
            if error.final or is_connection_refused(error):
                raise
            log.info("prompt %s: no response to the POST: %s", prompt_id, error.detail)
            if last or _may_be_accepted(http, prompt_id):
                return None
        except (TypeError, ValueError) as error:
            raise InternalError.of("workflow_not_sendable", detail=repr(error)) from error
    return None


def _refusal(prompt: Prompt, answer: object, status: int) -> StudioError:
    error = validation_error(answer, status)
    log.warning("prompt %s: rejected (%d): %s %s", prompt.id, status, error.message, error.detail)
    return error


def _may_be_accepted(http: Http, prompt_id: str) -> bool:
    try:
        if protocol.queue_position(http.get("/queue"), prompt_id) is not None:
            return True
        history = http.get(f"/history/{prompt_id}")
    except EngineError:
        return True
    return protocol.history_entry(history, prompt_id) is not None
