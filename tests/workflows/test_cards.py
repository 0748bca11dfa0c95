"""Measurements of graphics cards: which GPU a card is, what is read and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from workflows.cards import Card, find_card, load_cards, parse_card

GIB = 1 << 30
ROW = {
    "mode": "image_to_video", "width": 832, "height": 480, "frames": 81, "steps": 4, "evaluations": 4,
    "chunks": 1, "stages": {"load": 20.0, "draw": 40.0, "finish": 5.0}, "gpu_peak": 20 * GIB,
}  # fmt: skip
ENTRY: dict[str, Any] = {"gpu": "NVIDIA GeForce RTX 4090", "vram": 24 * GIB, "source": "x", "rows": [ROW]}


def test_the_table_can_be_read_and_every_row_has_a_source() -> None:
    for card in load_cards():
        assert card.source and card.runs and not card.own


@pytest.mark.parametrize(
    ("name", "vram", "same"),
    [
        ("NVIDIA GeForce RTX 4090", 24 * GIB, True), ("GeForce RTX 4090", 25_393_692_672, True),
        ("NVIDIA GeForce RTX 4090", 0, True), ("NVIDIA GeForce RTX 4090", 48 * GIB, False),
        ("NVIDIA GeForce RTX 4090 D", 24 * GIB, False), ("NVIDIA RTX 4000", 24 * GIB, False),
        ("", 24 * GIB, False), ("CPU", 0, False),
    ],
)  # fmt: skip
def test_which_gpu_a_card_is(name: str, vram: int, same: bool) -> None:
    assert parse_card(ENTRY).is_gpu(name, vram) is same


def test_measurements_of_this_machine_come_first() -> None:
    other, own = parse_card(ENTRY), parse_card({**ENTRY, "source": ""}, own=True)
    assert find_card([other, own], "RTX 4090", 0) is own and find_card([other], "RTX 4090", 0) is other
    assert find_card([other, own], "RTX 5090", 0) is None


def test_what_a_benchmark_writes_is_read() -> None:
    failed = {**ROW, "stages": {}, "error": "x", "out_of_memory": True}
    broken = {**ROW, "stages": {}, "error": "x"}
    data = {"card": {"gpu": "RTX 4090", "vram": GIB}, "rows": [ROW, failed, broken], "scale": "full"}
    card = parse_card(data, own=True)
    assert [run.out_of_memory for run in card.runs] == [False, True] and card.runs[0].gpu_peak == 20 * GIB
    assert dict(card.runs[0].stages) == {"load": 20.0, "draw": 40.0, "finish": 5.0}
    assert isinstance(card, Card) and card.vram == GIB


def test_the_first_run_loads_the_models() -> None:
    """What is estimated from a card is the first video of a mode."""
    for first, seconds, load in ((90.0, 65.0, 45.0), (65.0, 65.0, 20.0), (60.0, 65.0, 20.0)):
        (run,) = parse_card({**ENTRY, "rows": [{**ROW, "first": first, "seconds": seconds}]}).runs
        assert run.stages["load"] == load and run.stages["draw"] == 40.0


@pytest.mark.parametrize(
    "wrong",
    [
        {}, [], {"rows": []}, {**ENTRY, "source": ""}, {**ENTRY, "gpu": "NVIDIA"}, {**ENTRY, "rows": 1},
        {**ENTRY, "rows": [{**ROW, "width": 0}]}, {**ENTRY, "rows": [{**ROW, "frames": "many"}]},
        {**ENTRY, "rows": [{**ROW, "stages": {"draw": -1}}]}, {**ENTRY, "rows": [{**ROW, "stages": [1]}]},
        {**ENTRY, "rows": [{**ROW, "stages": {"draw": float("nan")}}]}, {**ENTRY, "vram": "much"},
    ],
)  # fmt: skip
def test_anything_else_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"card|range|convert|dict|int"):
        parse_card(wrong)
