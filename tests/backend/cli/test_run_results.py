"""Results of other jobs on the command line of `run`: how they are written, where their keys come from."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from app import main
from backend.cli import run_options, run_results
from backend.cli.run import Wanted, wanted
from backend.cli.run_client import Call
from backend.errors import BadInput

ID, KEY = "a" * 32, "k-_" * 8


def asked(*arguments: str) -> Wanted:
    parser = argparse.ArgumentParser()
    run_options.add_run(parser.add_subparsers(dest="command"))
    return wanted(parser.parse_args(["run", *arguments]))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (f"job:{ID}", {"id": ID, "key": ""}),
        (f"job:{ID}@0", {"id": ID, "key": "", "frame": 0}),
        (f"job:{ID}:{KEY}", {"id": ID, "key": KEY}),
        (f"job:{ID}:{KEY}@-1", {"id": ID, "key": KEY, "frame": -1}),
    ],
)
def test_a_job_in_place_of_a_file(text: str, named: dict[str, Any]) -> None:
    found = asked("image_to_video", f"image={text}", "seconds=2", "seed=-1")
    assert found.call.values == {"seconds": 2.0, "seed": -1, "results": {"image": named}}
    assert found.call.files == {}


def test_lengths_are_left_to_the_studio_that_knows_the_result() -> None:
    found = asked("sound_to_video", f"audio=job:{ID}", "start=40", f"image=job:{ID}")
    assert found.call.values["start"] == 40.0 and list(found.call.values["results"]) == ["audio", "image"]


def test_a_file_of_that_name_is_given_with_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("job:1.png").write_bytes(b"x")
    mixed = ["animate", "image=./job:1.png", f"video=job:{ID}"]
    call = asked(*mixed).call
    assert call.files == {"image": "job:1.png"} and list(call.values["results"]) == ["video"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["image_to_video", "image=job:"], "image=job: names no job. Write image=job:ID"),
        (["image_to_video", "image=job:1.png"], "a file of that name is ./job:1.png"),
        (["image_to_video", f"image=job:{ID}:{KEY}:x"], "names no job"),
        (["image_to_video", f"image=job:{ID}@last"], "names no job"),
        (["image_to_video", f"image=job:{ID}@1.5"], "names no job"),
        (["image_to_video", f"image=job:{ID}@" + "9" * 5000], "names no job"),
        (["image_to_video", f"image=job:{ID}", "width=17"], "Width"),
        (["image_to_video", f"image=job:{ID}", "seconds=long"], "seconds"),
        (["image_to_video", f"image=job:{ID}", "nonsense=1"], "no setting nonsense. Known: image,"),
        (["image_to_video", f"end_image=job:{ID}"], "picture"),
        (["animate", f"image=job:{ID}"], "video"),
        (["text_to_image", "prompt=x", f"image=job:{ID}"], "image"),
        (["image_to_video", f"image=job:{ID}", "--url", "http://127.0.0.1:1"], f"image=job:{ID}:KEY"),
    ],
)
def test_wrong_use_is_2_with_a_sentence(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *arguments], tmp_path) == 2
    told = capsys.readouterr()
    assert told.out == "" and says in " ".join(told.err.split())


def test_elsewhere_the_key_has_to_be_given() -> None:
    given = Call("image_to_video", {"results": {"image": {"id": ID, "key": KEY}}})
    assert run_results.opened(given, None) == given
    plain = Call("text_to_image", {"prompt": "x"})
    assert run_results.opened(plain, None) == plain
    with pytest.raises(BadInput, match=ID):
        run_results.opened(Call("image_to_video", {"results": {"image": {"id": ID, "key": ""}}}), None)
