"""One prompt from its acceptance to its end: the websocket first, the history as backup.

Why both. ComfyUI sends a job's events only to the client id that posted it, and only to the socket that
registered last under that id. A lost connection is made again under the same id; another would hear
nothing. But when the old socket was lost without a good-bye, the server may notice that later, and then
forgets the new one, too: it looks healthy and stays silent. Therefore
- while the socket is down, the server is asked about every second;
- after a reconnect it is asked at once: a job that ended meanwhile is found ended;
- while a healthy socket is silent, it is asked every few seconds;
- after an unclean loss, a socket that stays silent is closed (in good order, so that the server lets go of
  it) and made again, and ComfyUI then repeats which node it executes.
A prompt that is in neither queue nor history is gone: the server was restarted, or somebody deleted it.

Hung is a server with our prompt running of which nothing is heard: neither an event nor an answer for a set
time (a model load may hold up both for minutes). A server that answers while no step is made for three times
as long is hung as well: its HTTP goes on while the thread that works stands still in the GPU's driver. A
prompt that waits behind others is never hung.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from backend.engines.comfy import wire
from backend.engines.comfy.http import Http, is_refused, is_silent
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

STALLED = 3  # times the limit for hung: without any event, although the server answers


@dataclass(frozen=True)
class Timing:
    """Seconds. Tests make them short."""

    slice: float = 0.5  # longest wait for a frame before we look around
    first: float = 0.25  # after the acceptance, until we ask who is ahead
    queue: float = 2.0  # between two looks at the queue while the job waits
    quiet: float = 5.0  # without a frame of ours, until we ask whether the job is still there
    down: float = 1.0  # between two questions, and two connects, while the socket is down
    interrupt: float = 1.0  # between two interrupts of a cancelled job: noticed only at the next step
    last: float = 0.05  # for frames of a job that the history has already
    reopen: float = 20.0  # silence after which a doubtful socket is made again
    grace: float = 20.0  # nobody listens at the address: so long until the engine counts as lost
    patience: float = 180.0  # no or broken answers: so long; ComfyUI may be busy loading, or the net down
    hung: float = 600.0  # our prompt runs, and there is neither an event nor an answer: so long
    connect: float = 5.0  # for the websocket's handshake
    read: float = 20.0  # of an answer, from byte to byte


class Follow:
    """Follows one prompt on the calling thread. Not reusable."""

    def __init__(
        self,
        http: Http,
        watch: wire.Watch,
        client_id: str,
        ours: str,
        on_event: Callable[[Event], None],
        *,
        cancelled: Callable[[], bool],
        closed: Callable[[], bool],
        wake: threading.Event,
        timing: Timing,
    ) -> None:
        """`ours`: what all client ids of this lane begin with."""
        self.http, self.watch, self.timing = http, watch, timing
        self.client_id, self.ours = client_id, ours
        self.on_event, self.cancelled, self.closed, self.wake = on_event, cancelled, closed, wake
        self.socket: Socket | None = None
        self.doubtful = False  # the server may hold an older socket of this client id
        self.was_lost = False  # events may have been missed
        self._connected = True  # as last told to the watcher
        self._others = -1
        self._absent = 0
        self._runs_unheard = False
        self._runs = False  # by what the server last said of the queue
        self._refused_since = self._silent_since = 0.0
        now = time.monotonic()
        self._heard = self._looked = self._opened = now
        self._life = now  # the last event or answer
        self._event = now  # the last event, or the last time when none could come
        self._next_connect = self._next_interrupt = 0.0
        self._look_now = False

    def connect(self) -> None:
        """Opens the socket. When that fails, the job is followed by questions alone until it works."""
        self._next_connect = time.monotonic() + self.timing.down
        try:
            self.socket = Socket(
                self.http.socket_url(self.client_id), self.http.headers, timeout=self.timing.connect
            )
        except SocketLost as error:
            level = logging.INFO if self._connected else logging.DEBUG  # the first of many tries
            log.log(level, "prompt %s: no websocket: %s", self.watch.prompt_id, error)
            self.was_lost = True
            self._event = time.monotonic()
            self._tell_connection(False)
            return
        self._opened = self._heard = time.monotonic()
        if not self._connected:
            self._look_now = True
        self._tell_connection(True)

    def disconnect(self) -> bool:
        """Ends it; False when the server may still hold a socket of this client id."""
        clean = not self.doubtful
        if self.socket is not None:
            clean = self.socket.close() and clean
            self.socket = None
        return clean

    def until_end(self, *, accepted_now: bool = True) -> tuple[Output, ...]:
        """The files that were written. Raises what the job ended with; `accepted_now`: just posted."""
        now = time.monotonic()
        self._heard = self._life = self._event = now
        self._looked = now + self.timing.first - self.timing.queue
        self._look_now = self._look_now or not accepted_now
        while not self.watch.ending:
            if self.closed():
                raise EngineLost("Wan Studio was stopped while ComfyUI worked on this.")
            if self.cancelled():
                self._insist()
            self._hear()
            if not self.watch.ending and time.monotonic() >= self._due():
                self._look()
            if not self.watch.ending:
                self._check_stalled()
        return self._result()

    # -- the socket -------------------------------------------------------------------------

    def _hear(self) -> None:
        now = time.monotonic()
        if self.socket is None:
            if now >= self._next_connect:
                self.connect()
            else:
                until = min(self._next_connect, self._due(), now + self.timing.slice)
                if self.wake.wait(max(0.0, until - now)):
                    self.wake.clear()
            return
        if self.doubtful and now - max(self._heard, self._opened) > self.timing.reopen:
            log.info("prompt %s: silent socket is made again", self.watch.prompt_id)
            self.socket.close()
            self.socket = None
            self.connect()
            return
        self._receive(min(self.timing.slice, max(0.001, self._due() - now)))

    def _receive(self, seconds: float) -> bool:
        """Takes in one frame; False when none came in that time, or the socket is lost."""
        if self.socket is None:
            return False
        try:
            frame = self.socket.receive(seconds)
        except SocketLost as error:
            log.info("prompt %s: websocket lost: %s", self.watch.prompt_id, error)
            self.socket.drop()
            self.socket = None
            self.doubtful = self.doubtful or not error.clean
            self.was_lost = True
            self._next_connect = 0.0
            self._look_now = True
            self._tell_connection(False)
            return False
        if frame is None:
            return False
        self._refused_since = self._silent_since = 0.0
        if isinstance(frame, bytes) or self.watch.prompt_id in frame:
            self._heard = self._life = self._event = time.monotonic()
        runs = self.watch.running
        self._take(wire.read(frame, self.watch))
        if runs == self.watch.prompt_id and not self.watch.running and not self.watch.ending:
            self._look_now = True  # the server stopped executing it and we missed how
        return True

    def _take(self, read: wire.Read) -> None:
        """Endings are not told as events: the result or the exception is the ending."""
        self.watch, events = read
        for event in events:
            if not isinstance(event, (Finished, Failed, Cancelled)):
                self.on_event(event)

    def _tell_connection(self, connected: bool) -> None:
        if connected != self._connected:
            self._connected = connected
            self.on_event(Connection(connected))

    # -- questions --------------------------------------------------------------------------

    def _due(self) -> float:
        """When to ask the server next."""
        if self._look_now:
            return 0.0
        if self.socket is None or self._absent:
            return self._looked + self.timing.down
        if not self.watch.started:
            return self._looked + self.timing.queue
        return max(self._looked, self._heard) + self.timing.quiet

    def _look(self) -> None:
        self._look_now = False
        try:
            if self.watch.started and self._ended_in_history():
                return
            place = wire.place(self.http.get("/queue"), self.watch.prompt_id, self.ours)
            if place is None and self._ended_in_history():
                return
        except EngineError as error:
            self._no_answer(error)
            return
        finally:
            self._looked = time.monotonic()
        self._refused_since = self._silent_since = 0.0
        self._life = time.monotonic()
        if place is None:
            self._gone()
            return
        self._absent = 0
        self._runs = place.running
        if not place.running:
            self._event = self._life
        if place.running and not self.watch.started:
            # With a healthy socket its frames are on their way, and say more.
            if self.socket is None or self._runs_unheard:
                self._take(wire.assume_running(self.watch))
            self._runs_unheard = True
        elif not place.running and place.others != self._others:
            self._others = place.others
            self.on_event(Queued(others=place.others))

    def _ended_in_history(self) -> bool:
        history = self.http.get(f"/history/{self.watch.prompt_id}")
        entry = wire.entry_of(history, self.watch.prompt_id)
        if entry is not None:
            # The last frames may have come meanwhile; they say the same, and more.
            while not self.watch.ending and self._receive(self.timing.last):
                pass
        self._take(wire.from_history(entry, self.watch))
        return bool(self.watch.ending)

    def _no_answer(self, error: EngineError) -> None:
        now = time.monotonic()
        silent = is_silent(error)
        if silent and self._executes():
            self._refused_since = self._silent_since = 0.0
            if now - self._life >= self.timing.hung:
                self._hung(now - self._life, f"no answer: {error.detail}")
            return
        self._silent_since = self._silent_since or now
        if is_refused(error):
            self._refused_since = self._refused_since or now
        else:
            self._refused_since = 0.0
        refused_long = self._refused_since and now - self._refused_since >= self.timing.grace
        patience = max(self.timing.patience, self.timing.hung) if silent else self.timing.patience
        if not refused_long and now - self._silent_since < patience:
            return
        if self.cancelled():
            raise JobCancelled("Cancelled.")
        log.warning("prompt %s: engine lost: %s %s", self.watch.prompt_id, error.message, error.detail)
        raise EngineLost("ComfyUI stopped answering while it worked on this.", detail=error.detail)

    def _executes(self) -> bool:
        """Whether our prompt is what the server works on, by frames or by its queue."""
        return self._runs or self.watch.started

    def _check_stalled(self) -> None:
        """The server answers, but the job makes no step. A cancelled one is waited for less long."""
        limit = self.timing.hung * (1 if self.cancelled() else STALLED)
        silent = time.monotonic() - self._event
        if self._executes() and silent >= limit:
            self._hung(silent, "it answers, but sends no events")

    def _hung(self, seconds: float, detail: str) -> NoReturn:
        log.warning("prompt %s: hung: %s", self.watch.prompt_id, detail)
        words = f"{seconds / 60:.0f} minutes" if seconds >= 90 else f"{seconds:.0f} s"
        raise EngineHung(
            f"ComfyUI has not responded for {words} and appears to be stuck.",
            "Restart ComfyUI, then try again.",
            detail=detail,
        )

    def _gone(self) -> None:
        """In neither queue nor history. Asked twice before it is believed."""
        self._absent += 1
        if self.cancelled():
            raise JobCancelled("Cancelled.")
        if self._absent < 2:
            return
        if self.was_lost:
            raise PromptGone("ComfyUI was restarted and no longer knows of this job.")
        raise JobCancelled("The job was taken out of ComfyUI's queue.")

    def _insist(self) -> None:
        now = time.monotonic()
        if now < self._next_interrupt:
            return
        self._next_interrupt = now + self.timing.interrupt
        try:
            stop(self.http, self.watch.prompt_id)
        except EngineUnreachable as error:
            log.info("prompt %s: cancelling: %s", self.watch.prompt_id, error.detail)
        except EngineError as error:
            log.warning("prompt %s: cancelling: %s %s", self.watch.prompt_id, error.message, error.detail)
        self._look_now = True

    # -- the end ----------------------------------------------------------------------------

    def _result(self) -> tuple[Output, ...]:
        if self.cancelled():
            raise JobCancelled("Cancelled.")
        if self.watch.ending == "cancelled":
            raise JobCancelled("The job was stopped at ComfyUI.")
        if self.watch.error is not None:
            log.warning(
                "prompt %s: %s %s", self.watch.prompt_id, self.watch.error.message, self.watch.error.detail
            )
            raise self.watch.error
        if not self.watch.outputs or self.was_lost:
            self._complete_outputs()
        if not self.watch.outputs:
            raise NoOutput("ComfyUI finished, but wrote no video.", "Try again.")
        return self.watch.outputs

    def _complete_outputs(self) -> None:
        """Files whose frames were missed. The history has them a moment after the success is told."""
        for _ in range(5):
            try:
                history = self.http.get(f"/history/{self.watch.prompt_id}")
            except EngineError as error:
                log.info("prompt %s: outputs: %s", self.watch.prompt_id, error.detail)
                return
            entry = wire.entry_of(history, self.watch.prompt_id)
            if entry is not None:
                self._take(wire.complete(entry, self.watch))
                return
            self.wake.wait(0.1)


def stop(http: Http, prompt_id: str) -> None:
    """Takes the prompt out of the queue, or interrupts it if it is the one that runs; never another.

    /interrupt before ComfyUI 0.3.57 ignores the prompt id, so the queue is asked just before.
    Raises EngineUnreachable, EngineError.
    """
    http.post("/queue", {"delete": [prompt_id]})
    place = wire.place(http.get("/queue"), prompt_id)
    if place is not None and place.running:
        http.post("/interrupt", {"prompt_id": prompt_id})
