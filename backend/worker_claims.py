"""Which RunPod job has which prompt: a record on the volume, so that no prompt is worked on twice.

A client whose POST got no answer sends the same prompt id again. Whichever of its jobs comes to a worker
first has the prompt; the other is told its id and costs a moment. Without a volume the record is this
worker's own. A record that cannot be kept is no reason to refuse work.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import time
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger("wan.worker")

STALE_SECONDS = 180.0  # without a sign of life from the worker that has a prompt
KEPT_SECONDS = 48 * 3600.0  # a client may ask again so long after the end
BEAT_SECONDS = 20.0
PROMPT_ID = re.compile(r"[A-Za-z0-9-]{8,64}")


class Claims:
    """One folder of records. Any number of workers may share it."""

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.folder, self._clock = folder, clock
        self._beaten = 0.0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for path in folder.iterdir():
                if path.stat().st_mtime < clock() - KEPT_SECONDS:
                    path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("records of prompts cannot be kept in %s: %s", folder, error.strerror)

    def take(self, prompt_id: str, job_id: str) -> str:
        """ "" when this job has the prompt now, else the id of the job that has it."""
        if not PROMPT_ID.fullmatch(prompt_id):
            return ""
        path = self._path(prompt_id)
        try:
            for _ in range(2):
                if self._create(path, job_id):
                    return ""
                owner, running = self._read(path)
                if owner == job_id:  # RunPod gives a job to another worker when its first one died
                    os.utime(path)
                    return ""
                if owner and not (running and self._stale(path)):
                    return owner
                # Only one worker can move it away; then all begin anew.
                path.rename(path.with_name(f"{path.name}.{secrets.token_hex(4)}.old"))
        except OSError as error:
            log.warning("prompt %s: no record of it can be kept: %s", prompt_id, error.strerror)
        return ""

    def beat(self, prompt_id: str) -> None:
        """A sign of life, now and then."""
        now = self._clock()
        if now - self._beaten < BEAT_SECONDS or not PROMPT_ID.fullmatch(prompt_id):
            return
        self._beaten = now
        try:
            os.utime(self._path(prompt_id), (now, now))
        except OSError:
            log.debug("prompt %s: no sign of life", prompt_id)

    def done(self, prompt_id: str, job_id: str) -> None:
        """The job has its result: the prompt stays taken."""
        self._write(prompt_id, job_id, "done")

    def release(self, prompt_id: str) -> None:
        """The job failed or was stopped: the prompt may be tried again."""
        if PROMPT_ID.fullmatch(prompt_id):
            try:
                self._path(prompt_id).unlink(missing_ok=True)
            except OSError as error:
                log.warning("prompt %s: its record stays: %s", prompt_id, error.strerror)

    def _path(self, prompt_id: str) -> Path:
        return self.folder / f"{prompt_id}.json"

    def _create(self, path: Path, job_id: str) -> bool:
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            return False
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"job": job_id, "state": "running"}, file)
        now = self._clock()
        os.utime(path, (now, now))
        return True

    def _write(self, prompt_id: str, job_id: str, state: str) -> None:
        if not PROMPT_ID.fullmatch(prompt_id):
            return
        path = self._path(prompt_id)
        part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
        try:
            part.write_text(json.dumps({"job": job_id, "state": state}), encoding="utf-8")
            part.replace(path)
        except OSError as error:
            log.warning("prompt %s: its end is not recorded: %s", prompt_id, error.strerror)

    def _read(self, path: Path) -> tuple[str, bool]:
        """(job that has it, whether it works on it); ("", True) while the record is being written."""
        for _ in range(10):
            try:
                said = json.loads(path.read_text(encoding="utf-8"))
                return str(said["job"]), said["state"] == "running"
            except FileNotFoundError:
                return "", True
            except (ValueError, KeyError, TypeError):
                time.sleep(0.05)
        return "", True

    def _stale(self, path: Path) -> bool:
        try:
            return path.stat().st_mtime < self._clock() - STALE_SECONDS
        except FileNotFoundError:
            return True
