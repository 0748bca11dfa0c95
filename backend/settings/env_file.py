"""Reads the file `.env`: NAME=value lines, strictly.

A line that cannot be parsed may be the login. So it ends the start, with file, line number and a sentence. No
sentence repeats the line, which may contain a password. pydantic-settings' own reader skips such lines.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path

from dotenv.parser import parse_stream

from backend.errors import BadSettings
from backend.settings.names import misspelled

QUOTES = "\"'`´“”„‟‘’‚‛«»＂＇"
LOGIN = "WAN_AUTH"


@dataclass(frozen=True)
class Line:
    """One setting of the file. `raw`: the text after the first "=", with quotes and comment."""

    number: int
    name: str
    value: str
    raw: str

    @property
    def quoted(self) -> bool:
        return self.raw[:1] in ("'", '"')


def read_env_file(path: Path) -> dict[str, str]:
    """The variables that a `.env` file sets; none where the file is missing.

    Raises BadSettings when it cannot be read, or has a line that cannot be parsed, a name that is nearly that
    of a security setting, or a login whose parsed value would differ from what is written.
    """
    found: dict[str, str] = {}
    for line in env_lines(path):
        meant = misspelled(line.name, anywhere=True)
        if meant:
            raise BadSettings.of("env_misspelled", path=str(path), number=line.number, name=meant)
        if line.name == LOGIN:
            _check_login(path, line, again=LOGIN in found)
        found[line.name] = line.value
    return found


def fill(environ: MutableMapping[str, str], values: Mapping[str, str]) -> None:
    """Adds the variables of a file that the environment does not set, or sets to nothing."""
    for name, value in values.items():
        if not environ.get(name, "").strip():
            environ[name] = value


def repeated(path: Path) -> list[str]:
    """Names that the file sets more than once; the last line counts."""
    names = [line.name for line in env_lines(path)]
    return sorted({name for name in names if names.count(name) > 1})


def env_lines(path: Path) -> Iterator[Line]:
    """The lines that set a variable. Raises BadSettings."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return
    except OSError as error:
        raise BadSettings.of("env_unreadable", path=str(path), reason=error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        number = error.object.count(b"\n", 0, error.start) + 1
        raise BadSettings.of("env_not_utf8", path=str(path), number=number) from error
    for binding in parse_stream(io.StringIO(text)):
        written = binding.original.string
        number = binding.original.line + len(
            re.findall(r"\r\n|\r|\n", written[: len(written) - len(written.lstrip())])
        )
        if binding.error:
            raise BadSettings.of("env_not_name_value", path=str(path), number=number)
        if binding.key is None:
            continue
        if binding.value is None:
            raise BadSettings.of("env_without_equals", path=str(path), number=number)
        if not binding.key.isprintable() or re.search(r"[\x00-\x08\x0a-\x1f\x7f]", binding.value):
            raise BadSettings.of("env_control_character", path=str(path), number=number)
        yield Line(number, binding.key, binding.value, written.partition("=")[2].strip())


def _check_login(path: Path, line: Line, again: bool) -> None:
    """Raises BadSettings for a WAN_AUTH whose parsed value would differ from what is written."""
    if again:
        raise BadSettings.of("env_login_twice", path=str(path), number=line.number)
    if line.quoted and not line.value.strip(" ,"):
        raise BadSettings.of("env_login_empty", path=str(path), number=line.number)
    if line.quoted and line.value != line.value.strip():
        raise BadSettings.of("env_login_spaces", path=str(path), number=line.number)
    if not line.quoted and re.search(r"\s#", line.raw) and line.value:
        raise BadSettings.of("env_login_comment", path=str(path), number=line.number)
