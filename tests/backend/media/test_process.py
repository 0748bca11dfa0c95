"""The decoder's child process: its limits, killing and replacing it, and its end with the app."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from backend.errors import BadMedia, DiskFull, InternalError
from backend.media import child, facts
from backend.media import decoder as probe
from backend.media.decoder import Decoder
from backend.media.format_names import USUAL
from tests.support.waiting import until

pytestmark = pytest.mark.full


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    Image.new("RGB", (64, 48), "teal").save(path)
    return path


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def speaking(program: str) -> Decoder:
    """A decoder whose child runs this program."""
    return Decoder(command=(sys.executable, "-c", program), wall_seconds=60)


def test_one_child_serves_many_requests(picture: Path) -> None:
    with Decoder(cache_size=0) as decoder:
        assert decoder.pids() == ()
        decoder.picture(picture)
        first = decoder.pids()
        for _ in range(20):
            decoder.picture(picture)
        assert decoder.pids() == first and len(first) == 1
        text = picture.with_name("notes.png")
        text.write_text("hello")
        with pytest.raises(BadMedia) as caught:
            decoder.picture(text, field="end_image")
        assert (
            caught.value.why
            == BadMedia.of(
                "other_than_picture", upload="notes.png", found="a text file", formats=USUAL["picture"]
            ).why
        )
        assert caught.value.message == "notes.png is not a picture: it is a text file."


def test_a_child_is_replaced_after_requests_per_child(picture: Path) -> None:
    with Decoder(requests_per_child=2, cache_size=0) as decoder:
        decoder.picture(picture)
        (first,) = decoder.pids()
        decoder.picture(picture)
        assert decoder.pids() == () and not alive(first)
        decoder.picture(picture)


def test_prewarm_starts_a_child(picture: Path) -> None:
    with Decoder() as decoder:
        decoder.prewarm()
        until(lambda: len(decoder._idle) == 1)
        (pid,) = decoder.pids()
        decoder.picture(picture)
        assert decoder.pids() == (pid,)


def test_a_child_killed_between_requests_is_replaced(picture: Path) -> None:
    with Decoder(cache_size=0) as decoder:
        decoder.picture(picture)
        (pid,) = decoder.pids()
        os.kill(pid, signal.SIGKILL)
        assert decoder.picture(picture).width == 64
        assert decoder.pids() != (pid,)


def test_a_child_killed_in_the_middle_of_a_request_is_replaced(picture: Path) -> None:
    with Decoder(cache_size=0) as decoder, ThreadPoolExecutor(1) as pool:
        decoder.picture(picture)
        (pid,) = decoder.pids()
        os.kill(pid, signal.SIGSTOP)
        future = pool.submit(decoder.picture, picture)
        until(lambda: not decoder._idle)
        os.kill(pid, signal.SIGKILL)
        assert future.result(60).width == 64
        assert not alive(pid)


def test_a_hanging_child_is_killed_and_the_next_picture_works(picture: Path) -> None:
    with Decoder(wall_seconds=0.4, cache_size=0) as decoder:
        decoder._wall = 60  # starting Python may take longer than 0.4 s
        decoder.picture(picture)
        decoder._wall = 0.4
        (pid,) = decoder.pids()
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(BadMedia, match="more memory or time"):
            decoder.picture(picture)
        assert not alive(pid)
        decoder._wall = 60
        assert decoder.picture(picture).width == 64


@pytest.mark.parametrize(
    "program",
    [
        "import os, sys; sys.stdin.readline(); os._exit(1)",
        "import os, signal, sys; sys.stdin.readline(); os.kill(os.getpid(), signal.SIGSEGV)",
        "raise SystemExit",
        "import sys; sys.stdin.readline(); print('hello', flush=True)",
        "import sys; sys.stdin.readline(); print('[]', flush=True)",
        'import sys; sys.stdin.readline(); print(\'{"id": 7, "ok": {}}\', flush=True)',
        'import sys; sys.stdin.readline(); print(\'{"id": 0, "ok": 3}\', flush=True)',
        "import sys; sys.stdin.readline(); print('{\"id\": 0}', flush=True)",
        "import sys; sys.stdin.readline(); print('x' * 10**6, flush=True)",
        "import sys; sys.stdin.readline(); sys.stdout.write('{'); sys.stdout.flush()",
        "import sys; sys.stdin.readline(); print('[' * 60_000, flush=True)",
    ],
)
def test_a_dead_child_and_an_invalid_reply_have_the_same_message(picture: Path, program: str) -> None:
    with speaking(program) as decoder:
        with pytest.raises(BadMedia, match="damaged"):
            decoder.picture(picture)
        assert decoder.pids() == ()


@pytest.mark.parametrize(
    "ok",
    [
        {},
        {"width": 1},
        {"width": "1", "height": None},
        {"width": 640, "height": 480, "frames": [1]},
        {"other": 1},
    ],
)
def test_a_reply_with_other_fields_is_invalid(picture: Path, ok: dict[str, object]) -> None:
    reply = json.dumps({"id": 0, "ok": ok})
    decoder = speaking(f"import sys; sys.stdin.readline(); print({reply!r}, flush=True)")
    with decoder, pytest.raises(BadMedia, match="damaged"):
        decoder.picture(picture)


def test_a_reply_without_the_written_file_is_an_error(picture: Path, tmp_path: Path) -> None:
    reply = json.dumps({"id": 0, "ok": {"width": 64, "height": 64}})
    decoder = speaking(f"import sys; sys.stdin.readline(); print({reply!r}, flush=True)")
    with decoder, pytest.raises(BadMedia, match="damaged"):
        decoder.normalise(picture, tmp_path / "out.png")
    assert not (tmp_path / "out.png").exists()


def test_eight_threads_share_two_children(tmp_path: Path) -> None:
    paths = []
    for i in range(8):
        paths.append(tmp_path / f"{i}.png")
        Image.new("RGB", (100 + i, 64), (i * 30, 0, 0)).save(paths[-1])
    (tmp_path / "bad.png").write_bytes(b"text")

    def work(i: int) -> list[int]:
        widths = []
        for _ in range(5):
            widths.append(decoder.picture(paths[i]).width)
            widths.append(decoder.normalise(paths[i], tmp_path / f"{i}.out.png").width)
            with pytest.raises(BadMedia):
                decoder.picture(tmp_path / "bad.png")
            assert len(decoder.pids()) <= 2
        return widths

    with Decoder(workers=2) as decoder, ThreadPoolExecutor(8) as pool:
        for i, widths in enumerate(pool.map(work, range(8))):
            assert widths == [100 + i] * 10
        assert 1 <= len(decoder.pids()) <= 2


def test_close_leaves_no_process_and_ends_all_waits(picture: Path) -> None:
    decoder = Decoder(cache_size=0)
    decoder.picture(picture)
    (pid,) = decoder.pids()
    os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(decoder.picture, picture)
        until(lambda: not decoder._idle)
        decoder.close()
        with pytest.raises(InternalError, match="shutting down"):
            future.result(60)
    assert not alive(pid) and decoder.pids() == ()
    with pytest.raises(InternalError):
        decoder.picture(picture)
    decoder.close()


def test_the_child_ends_when_the_app_is_killed(tmp_path: Path, picture: Path) -> None:
    """The app is killed; the child reads the end of its input."""
    program = (
        "import os, sys; from backend.media.decoder import Decoder\n"
        f"d = Decoder(); d.picture({str(picture)!r}); print(d.pids()[0], flush=True); os._exit(0)"
    )
    root = Path(probe.__file__).parents[2]
    out = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    pid = int(out.stdout)

    def ended() -> bool:
        if not alive(pid):
            return True
        # Without a process that reaps orphans it stays a zombie, which has ended as well.
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"

    until(ended)


def test_the_working_directory_does_not_matter(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Decoder() as decoder:
        assert decoder.picture("picture.png").width == 64
        assert decoder.normalise("picture.png", "out.png").path == Path("out.png")
    assert (tmp_path / "out.png").exists()


def test_the_child_has_no_environment_of_the_app_and_has_limits(
    picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "secret")
    with Decoder(memory_mb=1500, cpu_seconds=9) as decoder:
        decoder.picture(picture)
        (pid,) = decoder.pids()
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        assert Path(f"/proc/{pid}/oom_score_adj").read_text().strip() == "900"
        limits = {
            line[:26].strip(): line[26:].split()[:2]
            for line in Path(f"/proc/{pid}/limits").read_text().splitlines()
        }
    assert b"secret" not in environment
    assert limits["Max address space"] == ["1500000000"] * 2
    assert limits["Max core file size"][0] == "0"
    assert limits["Max file size"][0] == str(child.FILE_BYTES)
    assert int(limits["Max open files"][0]) == child.OPEN_FILES
    assert int(limits["Max cpu time"][0]) <= 12


def test_memory_beyond_the_limit_is_refused_with_a_message(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.new("RGB", (8000, 8000)).save(path, compress_level=1)
    with Decoder(memory_mb=200) as decoder:
        with pytest.raises(BadMedia, match="more memory or time"):
            decoder.picture(path)
        Image.new("RGB", (64, 64)).save(path)
        assert decoder.picture(path).width == 64


def test_cpu_time_beyond_the_limit_is_refused_with_a_message(picture: Path) -> None:
    program = (
        "import resource, sys; sys.stdin.readline()\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (1, 2))\nwhile True: pass"
    )
    decoder = Decoder(command=(sys.executable, "-c", program), wall_seconds=60)
    with decoder, pytest.raises(BadMedia, match="more memory or time"):
        decoder.picture(picture)


def test_cpu_time_is_limited_for_each_request(monkeypatch: pytest.MonkeyPatch) -> None:
    set_to: list[tuple[int, int]] = []
    monkeypatch.setattr(child.resource, "setrlimit", lambda which, value: set_to.append(value))
    child.limit_cpu(5)
    used = child.resource.getrusage(child.resource.RUSAGE_SELF)
    assert set_to[0][0] == pytest.approx(used.ru_utime + used.ru_stime + 6, abs=1.5)


def test_a_full_disk_has_its_own_error() -> None:
    error = child.as_error(OSError(28, "No space left on device"), "a.png", "image")
    assert isinstance(error, DiskFull)
    assert isinstance(child.as_error(ImportError("PIL"), "a.png", "image"), InternalError)
    assert isinstance(child.as_error(ZeroDivisionError(), "a.png", "image"), BadMedia)


def test_a_missing_target_folder_is_an_internal_error(picture: Path, tmp_path: Path) -> None:
    with Decoder() as decoder, pytest.raises(InternalError):
        decoder.normalise(picture, tmp_path / "nowhere" / "out.png")


def test_facts_are_plain_data() -> None:
    assert facts.PictureFacts(1, 2) == facts.PictureFacts(1, 2, "", 1, (), 0)
    assert threading.active_count() < 50
