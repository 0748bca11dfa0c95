"""Timeouts and intervals of the connection to one ComfyUI while it runs a prompt."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """Timeouts and intervals in seconds."""

    receive: float = 0.5  # longest wait for one frame
    first_poll: float = 0.25  # from acceptance to the first poll of the queue position
    queue_poll: float = 2.0  # between polls while the prompt waits in the queue
    idle_poll: float = 5.0  # without a frame for this prompt, before the server is polled
    offline_poll: float = 1.0  # between polls, and between connection attempts, while the socket is down
    interrupt_interval: float = 1.0  # between interrupts; ComfyUI reacts to one only at the next step
    drain: float = 0.05  # wait for remaining frames once the history has the prompt
    reopen_after: float = 20.0  # silence after which a possibly stale socket is reopened
    refused_limit: float = 20.0  # of refused connections, before the engine counts as lost
    error_limit: float = 180.0  # of missing or invalid responses, before the engine counts as lost
    final_limit: float = 6.0  # of responses of something else than ComfyUI, such as a login page
    hung: float = 600.0  # without an event or a response while the prompt is executed
    connect: float = 5.0  # for the websocket handshake
    read: float = 20.0  # between two bytes of a response
