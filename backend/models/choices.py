"""The model files that were chosen by hand, by role: a YAML file that people may edit.

i2v_high: wan/smoothMix_i2vHigh.safetensors
i2v_low: {file: wan/smoothMix_i2vLow.safetensors, distilled: true}
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from backend.models.errors import store_error

log = logging.getLogger("wan.models.choices")

NAME = "model_choices.yaml"
"""The file in the data folder."""
UNREAD = f"{NAME}.unread"
"""Beside it: what a person wrote there and could not be read."""
_MARK = "# Model files by role, chosen in System or with `python app.py models use ROLE FILE`."
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Choice:
    """file: its name as the server lists it. distilled: whether a 4-step distillation is in its weights;
    None: decided by its name. size: its bytes, by which it is found again among files of its name; 0:
    unknown.
    """

    file: str
    distilled: bool | None = None
    size: int = field(default=0, compare=False)


class Choices:
    """The choices of one machine. Any thread may ask."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._read: tuple[tuple[int, int], dict[str, Choice]] | None = None
        self._faulty = False

    def all(self) -> Mapping[str, Choice]:
        """role -> choice; read again when the file has changed. A file that cannot be read has none."""
        with self._lock:
            return dict(self._current())

    def use(self, role: str, choice: Choice | None) -> None:
        """Stores a choice; None removes it. A file that cannot be read is kept as UNREAD. Raises
        ModelStoreError, NoRoom."""
        with self._lock:
            chosen = dict(self._current())
            chosen.pop(role, None)
            if choice is not None:
                chosen[role] = choice
            self._write(chosen)

    def _current(self) -> dict[str, Choice]:
        try:
            status = self.path.stat()
            key = (status.st_mtime_ns, status.st_size)
            if self._read is None or self._read[0] != key:
                self._read, self._faulty = (key, _parsed(self.path)), False
            return self._read[1]
        except FileNotFoundError:
            self._read, self._faulty = None, False
        except OSError as error:
            log.warning("%s cannot be read: %s", self.path, error)
            self._read, self._faulty = None, True
        except (ValueError, yaml.YAMLError, RecursionError) as error:
            log.warning("%s cannot be read: %s", self.path, error)
            self._read, self._faulty = (key, {}), True
        return {}

    def _write(self, chosen: Mapping[str, Choice]) -> None:
        data = {role: _stored(one) for role, one in sorted(chosen.items())}
        text = yaml.safe_dump(data, allow_unicode=True, sort_keys=True) if data else ""
        temporary = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self._faulty:
                self.path.replace(self.path.with_name(UNREAD))
            temporary.write_text(f"{_MARK}\n{text}", encoding="utf-8")
            temporary.replace(self.path)
        except OSError as error:
            raise store_error(error, self.path) from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        self._read = None


def _stored(one: Choice) -> str | dict[str, object]:
    """A choice as it is stored: the bare name where nothing else is known."""
    more: dict[str, object] = {"distilled": one.distilled} if one.distilled is not None else {}
    more |= {"size": one.size} if one.size else {}
    return {"file": one.file, **more} if more else one.file


def _parsed(path: Path) -> dict[str, Choice]:
    with path.open(encoding="utf-8") as file:
        text = file.read(_MOST_BYTES)
        if file.read(1):
            raise ValueError(f"it has more than {_MOST_BYTES} characters")
    data = yaml.safe_load(text)
    if data is not None and not isinstance(data, dict):
        raise ValueError("it is not a list of roles and files")
    found: dict[str, Choice] = {}
    for role, value in (data or {}).items():
        if isinstance(value, str) and value:
            found[str(role)] = Choice(value)
        elif isinstance(value, dict) and isinstance(value.get("file"), str):
            distilled, size = value.get("distilled"), value.get("size")
            found[str(role)] = Choice(
                value["file"],
                distilled if isinstance(distilled, bool) else None,
                size if type(size) is int and size > 0 else 0,
            )
    return found
