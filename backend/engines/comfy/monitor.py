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
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from backend.engines.comfy import protocol
from backend.engines.comfy.http import Http
from backend.engines.comfy.liveness import Liveness
from backend.engines.comfy.missed_outputs import missed_outputs
from backend.engines.comfy.socket import Socket, SocketLost
from backend.engines.comfy.stop import Interrupts
from backend.engines.comfy.timing import Timing
from backend.errors import (
    EngineError,
    EngineHung,
    EngineLost,
    JobCancelled,
    NoOutput,
    PromptGone,
)
from backend.events import Cancelled, Connection, Event, Failed, Finished, Output, Queued

log = logging.getLogger("wan.engines.comfy")


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
        self._liveness = Liveness(timing, state.server_name)
        self._last_frame = self._last_poll = self._opened_at = time.monotonic()
        self._interrupts = Interrupts(http, state.prompt_id, timing.interrupt_interval)
        self._next_connect = 0.0
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
            self._liveness.without_events()
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
        self._last_frame = now = time.monotonic()
        self._liveness.begin()
        self._last_poll = now + self.timing.first_poll - self.timing.queue_poll
        self._poll_now = self._poll_now or not accepted_now
        while not self.state.ending:
            if self.closed():
                raise EngineLost.of("studio_stopped")
            if self.ended():
                raise EngineLost.of("server_stopped_at_work", server=self.state.server_name)
            if self.cancelled() and self._interrupts.repeat():
                self._poll_now = True
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
        own = isinstance(frame, bytes) or self.state.prompt_id in frame
        self._liveness.frame(own=own)
        if own:
            self._last_frame = time.monotonic()
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
        if self.socket is None or self._missing_polls or self._liveness.foreign:
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
        self._liveness.response(waiting=position is not None and not position.running)
        if position is None:
            self._handle_missing()
            return
        self._missing_polls = 0
        self._running_by_queue = position.running
        self._was_waiting = self._was_waiting or not position.running
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
        problem = self._liveness.failure(error, executing=self._is_executing())
        if problem is None:
            return
        if self.cancelled() and not isinstance(problem, EngineHung):
            raise JobCancelled.of("cancelled")
        log.warning("prompt %s: %s: %s %s", self.state.prompt_id, problem.code, error.message, error.detail)
        raise problem

    def _is_executing(self) -> bool:
        """Whether the server executes this prompt, according to the frames or the queue."""
        return self._running_by_queue or self.state.started

    def _check_stalled(self) -> None:
        """Raises EngineHung if the server responds but makes no progress."""
        hung = self._liveness.stalled(executing=self._is_executing(), cancelled=self.cancelled())
        if hung is not None:
            log.warning("prompt %s: %s: %s", self.state.prompt_id, hung.code, hung.detail)
            raise hung

    def _handle_missing(self) -> None:
        """Handles a prompt that is in neither the queue nor the history, once two polls have agreed.

        Raises JobCancelled, PromptGone.
        """
        self._missing_polls += 1
        if self.cancelled():
            raise JobCancelled.of("cancelled")
        if self._missing_polls < 2:
            return
        if self.may_have_missed:
            raise PromptGone.of("server_restarted", server=self.state.server_name)
        if self._is_executing() or not self._was_waiting:  # the history was cleared, or is not kept
            raise PromptGone.of("server_forgot", server=self.state.server_name)
        raise JobCancelled.of("removed_from_queue")

    # -- result -----------------------------------------------------------------------------

    def _result(self) -> tuple[Output, ...]:
        if self.cancelled():
            raise JobCancelled.of("cancelled")
        if self.state.ending == "cancelled":
            raise JobCancelled.of("stopped_on_server")
        if self.state.error is not None:
            error = self.state.error
            log.warning("prompt %s: %s %s", self.state.prompt_id, error.message, error.detail)
            raise error
        if not self.state.outputs or self.may_have_missed:
            self._apply(missed_outputs(self.http, self.state, self.wake))
        if not self.state.outputs:
            raise NoOutput.of("no_video", server=self.state.server_name)
        return self.state.outputs
