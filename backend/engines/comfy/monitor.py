"""Monitors one prompt from acceptance to completion: events over the websocket, with HTTP polling as backup.

Both are needed. ComfyUI sends a job's events only to the client id that posted it, and only to the socket
that registered last under that id, so a lost connection is reopened under the same id. But if the old socket
was lost without a close handshake, the server may notice the loss later and then drop the new socket as well:
it stays open and receives nothing. Therefore:
- while the socket is down, the server is polled about once per second;
- after a reconnect it is polled immediately, to detect a job that ended in the meantime;
- while an open socket receives nothing, the server is polled every few seconds;
- after an unclean loss, a socket that stays silent is closed with a handshake (so that the server releases
  it) and reopened; ComfyUI then repeats which node it executes.
A prompt that is in neither the queue nor the history is lost: the server was restarted, or its history was
cleared. Only one that never ran counts as cancelled: a user deleted it from the queue.

A server counts as hung if it executes our prompt and sends neither an event nor an HTTP response for
Timing.hung seconds (loading a model can block both for minutes). It also counts as hung if it responds to
HTTP but makes no progress for STALLED times as long: the thread that executes the prompt may be blocked in
the GPU driver. A prompt that waits in the queue is never hung.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from backend.engines.comfy import protocol
from backend.engines.comfy.http import Http, is_connection_refused, is_read_timeout
from backend.engines.comfy.socket import Socket, SocketLost
from backend.errors import (
    EngineError,
    EngineHung,
    EngineLost,
    EngineUnreachable,
    JobCancelled,
    NoOutput,
    PromptGone,
)
from backend.events import Cancelled, Connection, Event, Failed, Finished, Output, Queued

log = logging.getLogger("wan.engines.comfy")

STALLED = 3  # a server that responds but sends no events is hung after this many times Timing.hung


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


class PromptMonitor:
    """Monitors one prompt on the calling thread. Each instance is used once."""

    def __init__(
        self,
        http: Http,
        state: protocol.PromptState,
        client_id: str,
        lane_id: str,
        on_event: Callable[[Event], None],
        *,
        cancelled: Callable[[], bool],
        closed: Callable[[], bool],
        ended: Callable[[], bool] = lambda: False,
        wake: threading.Event,
        timing: Timing,
    ) -> None:
        """`lane_id`: prefix of all client ids of this lane. `cancelled`, `closed` and `ended` (whether the
        server's process is known to have ended) are polled; `wake` interrupts a wait. `on_event` is called
        on the calling thread."""
        self.http, self.state, self.timing = http, state, timing
        self.client_id, self.lane_id = client_id, lane_id
        self.on_event, self.cancelled, self.closed, self.wake = on_event, cancelled, closed, wake
        self.ended = ended
        self.socket: Socket | None = None
        self.maybe_stale = False  # the server may still hold an older socket of this client id
        self.may_have_missed = False  # events may have been missed
        self._connected = True  # as last reported
        self._jobs_ahead = -1
        self._missing_polls = 0
        self._was_waiting = False  # in the server's queue, without being executed
        self._running_without_frames = False
        self._running_by_queue = False  # according to the last response to GET /queue
        self._refused_since = self._failing_since = self._other_since = 0.0
        now = time.monotonic()
        self._last_frame = self._last_poll = self._opened_at = now
        self._last_activity = now  # the last event or response
        self._last_event = now  # the last event, or the last time at which none was possible
        self._next_connect = self._next_interrupt = 0.0
        self._poll_now = False

    def connect(self) -> None:
        """Opens the socket. If that fails, the server is polled until a later attempt succeeds."""
        self._next_connect = time.monotonic() + self.timing.offline_poll
        try:
            self.socket = Socket(
                self.http.socket_url(self.client_id),
                self.http.headers,
                timeout=self.timing.connect,
                tls=self.http.tls if self.http.address.startswith("https:") else None,
            )
        except SocketLost as error:
            level = logging.INFO if self._connected else logging.DEBUG  # only the first attempt at INFO
            log.log(level, "prompt %s: no websocket: %s", self.state.prompt_id, error)
            self.may_have_missed = True
            self._last_event = time.monotonic()
            self._report_connection(False)
            return
        self._opened_at = self._last_frame = time.monotonic()
        if not self._connected:
            self._poll_now = True
        self._report_connection(True)

    def assume_running(self) -> None:
        """The server executes the prompt, according to its queue."""
        self._running_by_queue = True
        self._apply(protocol.assume_running(self.state))

    def disconnect(self) -> bool:
        """Closes the socket. Returns False if the server may still hold a socket of this client id."""
        clean = not self.maybe_stale
        if self.socket is not None:
            clean = self.socket.close() and clean
            self.socket = None
        return clean

    def wait(self, *, accepted_now: bool = True) -> tuple[Output, ...]:
        """Blocks until the prompt ends and returns the output files.

        `accepted_now`: the prompt was posted just before. Raises JobCancelled, EngineLost, EngineHung,
        PromptGone, NoOutput, or the error that ComfyUI reported.
        """
        now = time.monotonic()
        self._last_frame = self._last_activity = self._last_event = now
        self._last_poll = now + self.timing.first_poll - self.timing.queue_poll
        self._poll_now = self._poll_now or not accepted_now
        while not self.state.ending:
            if self.closed():
                raise EngineLost("Wan Studio was stopped while this job was running.")
            if self.ended():
                raise EngineLost(f"{self.state.server_name} stopped while it worked on this.")
            if self.cancelled():
                self._repeat_interrupt()
            self._read_socket()
            if not self.state.ending and time.monotonic() >= self._next_poll():
                self._poll()
            if not self.state.ending:
                self._check_stalled()
        return self._result()

    # -- the socket -------------------------------------------------------------------------

    def _read_socket(self) -> None:
        now = time.monotonic()
        if self.socket is None:
            if now >= self._next_connect:
                self.connect()
            else:
                until = min(self._next_connect, self._next_poll(), now + self.timing.receive)
                if self.wake.wait(max(0.0, until - now)):
                    self.wake.clear()
            return
        if self.maybe_stale and now - max(self._last_frame, self._opened_at) > self.timing.reopen_after:
            log.info("prompt %s: reopening a silent websocket", self.state.prompt_id)
            self.socket.close()
            self.socket = None
            self.connect()
            return
        self._receive(min(self.timing.receive, max(0.001, self._next_poll() - now)))

    def _receive(self, seconds: float) -> bool:
        """Processes one frame. Returns False if none arrived in that time, or if the socket was lost."""
        if self.socket is None:
            return False
        try:
            frame = self.socket.receive(seconds)
        except SocketLost as error:
            log.info("prompt %s: websocket lost: %s", self.state.prompt_id, error)
            self.socket.drop()
            self.socket = None
            self.maybe_stale = self.maybe_stale or not error.clean
            self.may_have_missed = True
            self._next_connect = 0.0
            self._poll_now = True
            self._report_connection(False)
            return False
        if frame is None:
            return False
        self._refused_since = self._failing_since = self._other_since = 0.0
        if isinstance(frame, bytes) or self.state.prompt_id in frame:
            self._last_frame = self._last_activity = self._last_event = time.monotonic()
        runs = self.state.running
        self._apply(protocol.read_frame(frame, self.state))
        if runs == self.state.prompt_id and not self.state.running and not self.state.ending:
            self._poll_now = True  # the prompt is no longer executed, and its final event was missed
        return True

    def _apply(self, read: protocol.Update) -> None:
        """Stores the new state and reports the events, except final ones: `wait` returns or raises those."""
        self.state, events = read
        for event in events:
            if not isinstance(event, (Finished, Failed, Cancelled)):
                self.on_event(event)

    def _report_connection(self, connected: bool) -> None:
        if connected != self._connected:
            self._connected = connected
            self.on_event(Connection(connected))

    # -- polling ----------------------------------------------------------------------------

    def _next_poll(self) -> float:
        """The monotonic time of the next poll."""
        if self._poll_now:
            return 0.0
        if self.socket is None or self._missing_polls or self._other_since:
            return self._last_poll + self.timing.offline_poll
        if not self.state.started:
            return self._last_poll + self.timing.queue_poll
        return max(self._last_poll, self._last_frame) + self.timing.idle_poll

    def _poll(self) -> None:
        self._poll_now = False
        try:
            if self.state.started and self._ended_in_history():
                return
            position = protocol.queue_position(self.http.get("/queue"), self.state.prompt_id, self.lane_id)
            if position is None and self._ended_in_history():
                return
        except EngineError as error:
            self._handle_poll_error(error)
            return
        finally:
            self._last_poll = time.monotonic()
        self._refused_since = self._failing_since = self._other_since = 0.0
        self._last_activity = time.monotonic()
        if position is None:
            self._handle_missing()
            return
        self._missing_polls = 0
        self._running_by_queue = position.running
        self._was_waiting = self._was_waiting or not position.running
        if not position.running:
            self._last_event = self._last_activity
        if position.running and not self.state.started:
            # With an open socket, the frames arrive shortly and contain more information.
            if self.socket is None or self._running_without_frames:
                self._apply(protocol.assume_running(self.state))
            self._running_without_frames = True
        elif not position.running and position.others != self._jobs_ahead:
            self._jobs_ahead = position.others
            self.on_event(Queued(others=position.others))

    def _ended_in_history(self) -> bool:
        history = self.http.get(f"/history/{self.state.prompt_id}")
        entry = protocol.history_entry(history, self.state.prompt_id)
        if entry is not None:
            # Remaining frames may have arrived in the meantime; they contain more than the history.
            while not self.state.ending and self._receive(self.timing.drain):
                pass
        self._apply(protocol.read_history(entry, self.state))
        return bool(self.state.ending)

    def _handle_poll_error(self, error: EngineError) -> None:
        now = time.monotonic()
        silent = is_read_timeout(error)
        if silent and self._is_executing():
            self._refused_since = self._failing_since = self._other_since = 0.0
            if now - self._last_activity >= self.timing.hung:
                self._raise_hung(now - self._last_activity, f"no response: {error.detail}")
            return
        self._failing_since = self._failing_since or now
        if is_connection_refused(error):
            self._refused_since = self._refused_since or now
        else:
            self._refused_since = 0.0
        final = isinstance(error, EngineUnreachable) and error.final
        self._other_since = (self._other_since or now) if final else 0.0
        if self._other_since and now - self._other_since >= self.timing.final_limit:
            self._raise_lost(error)
        refused_long = self._refused_since and now - self._refused_since >= self.timing.refused_limit
        patience = max(self.timing.error_limit, self.timing.hung) if silent else self.timing.error_limit
        if not refused_long and now - self._failing_since < patience:
            return
        self._raise_lost(error)

    def _raise_lost(self, error: EngineError) -> NoReturn:
        if self.cancelled():
            raise JobCancelled("Cancelled.")
        log.warning("prompt %s: engine lost: %s %s", self.state.prompt_id, error.message, error.detail)
        if isinstance(error, EngineUnreachable) and error.final:
            raise EngineLost(error.message, error.hint, detail=error.detail)
        raise EngineLost(
            f"{self.state.server_name} stopped responding while it worked on this.", detail=error.detail
        )

    def _is_executing(self) -> bool:
        """Whether the server executes this prompt, according to the frames or the queue."""
        return self._running_by_queue or self.state.started

    def _check_stalled(self) -> None:
        """Raises EngineHung if the server responds but makes no progress; the limit of a cancelled prompt is
        shorter."""
        limit = self.timing.hung * (1 if self.cancelled() else STALLED)
        silent = time.monotonic() - self._last_event
        if self._is_executing() and silent >= limit:
            self._raise_hung(silent, "it responds, but sends no events")

    def _raise_hung(self, seconds: float, detail: str) -> NoReturn:
        log.warning("prompt %s: hung: %s", self.state.prompt_id, detail)
        words = f"{seconds / 60:.0f} minutes" if seconds >= 90 else f"{seconds:.0f} s"
        raise EngineHung(
            f"{self.state.server_name} has not responded for {words} and appears to be stuck.",
            "Restart ComfyUI, then try again.",
            detail=detail,
        )

    def _handle_missing(self) -> None:
        """Handles a prompt that is in neither the queue nor the history, once two polls have agreed.

        Raises JobCancelled, PromptGone.
        """
        self._missing_polls += 1
        if self.cancelled():
            raise JobCancelled("Cancelled.")
        if self._missing_polls < 2:
            return
        if self.may_have_missed:
            raise PromptGone(f"{self.state.server_name} was restarted and no longer knows of this job.")
        if self._is_executing() or not self._was_waiting:  # the history was cleared, or is not kept
            raise PromptGone(f"{self.state.server_name} worked on this, and no longer has its result.")
        raise JobCancelled("The job was removed from the server's queue.")

    def _repeat_interrupt(self) -> None:
        now = time.monotonic()
        if now < self._next_interrupt:
            return
        self._next_interrupt = now + self.timing.interrupt_interval
        try:
            stop_prompt(self.http, self.state.prompt_id)
        except EngineUnreachable as error:
            log.info("prompt %s: cancelling: %s", self.state.prompt_id, error.detail)
        except EngineError as error:
            log.warning("prompt %s: cancelling: %s %s", self.state.prompt_id, error.message, error.detail)
        self._poll_now = True

    # -- result -----------------------------------------------------------------------------

    def _result(self) -> tuple[Output, ...]:
        if self.cancelled():
            raise JobCancelled("Cancelled.")
        if self.state.ending == "cancelled":
            raise JobCancelled("The job was stopped on the server.")
        if self.state.error is not None:
            log.warning(
                "prompt %s: %s %s", self.state.prompt_id, self.state.error.message, self.state.error.detail
            )
            raise self.state.error
        if not self.state.outputs or self.may_have_missed:
            self._fetch_missing_outputs()
        if not self.state.outputs:
            raise NoOutput(f"{self.state.server_name} finished, but wrote no video.", "Try again.")
        return self.state.outputs

    def _fetch_missing_outputs(self) -> None:
        """Adds output files whose frames were missed. The history has them soon after the success event."""
        for _ in range(5):
            try:
                history = self.http.get(f"/history/{self.state.prompt_id}")
            except EngineError as error:
                log.info("prompt %s: outputs: %s", self.state.prompt_id, error.detail)
                return
            entry = protocol.history_entry(history, self.state.prompt_id)
            if entry is not None:
                self._apply(protocol.add_outputs(entry, self.state))
                return
            self.wake.wait(0.1)


def stop_prompt(http: Http, prompt_id: str) -> None:
    """Removes the prompt from the queue, or interrupts it if it is running; affects no other prompt.

    Before ComfyUI 0.3.57, /interrupt ignores the prompt id, so the queue is read first.
    Raises EngineUnreachable, EngineError.
    """
    http.post("/queue", {"delete": [prompt_id]})
    position = protocol.queue_position(http.get("/queue"), prompt_id)
    if position is not None and position.running:
        http.post("/interrupt", {"prompt_id": prompt_id})
