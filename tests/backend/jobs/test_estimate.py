from __future__ import annotations

import pytest

from backend.jobs.estimate import Workload, stage_seconds
from backend.jobs.job import Job


def done(name: str, evaluations: int, size: tuple[int, int], frames: int, **timings: float) -> Job:
    return Job(
        name, "o", "image_to_video", {}, {}, created=0, status="done", evaluations=evaluations,
        width=size[0], height=size[1], frames=frames, timings=timings,
    )  # fmt: skip


def test_no_history_no_figure() -> None:
    assert stage_seconds(Workload(4, 832, 480, 81), []) == {}
    assert stage_seconds(Workload(4, 832, 480, 81), [done("a", 4, (832, 480), 81)]) == {}


def test_drawing_scales_with_evaluations_and_volume() -> None:
    history = [done("a", 4, (832, 480), 81, load=10.0, read=2.0, draw=40.0, finish=8.0, save=1.0)]
    same = stage_seconds(Workload(4, 832, 480, 81), history)
    own = {"own": 0.0}
    assert same == pytest.approx({"load": 10.0, "read": 2.0, "draw": 40.0, "finish": 8.0, "save": 1.0} | own)
    longer = stage_seconds(Workload(40, 832, 480, 162), history)
    assert longer["draw"] == pytest.approx(800.0)
    assert longer["finish"] == pytest.approx(16.0)
    assert longer["load"] == pytest.approx(10.0)


def test_one_slow_run_does_not_decide() -> None:
    history = [
        done(str(i), 4, (832, 480), 81, load=float(load), draw=40.0, finish=8.0, save=1.0)
        for i, load in enumerate([300, 5, 6, 5])
    ]
    assert stage_seconds(Workload(4, 832, 480, 81), history)["load"] < 10


def test_the_nearest_sizes_count() -> None:
    near = [done(f"n{i}", 4, (832, 480), 81, draw=40.0) for i in range(5)]
    far = [done(f"f{i}", 4, (1280, 720), 81, draw=400.0) for i in range(5)]
    assert stage_seconds(Workload(4, 832, 480, 81), [*far, *near])["draw"] == pytest.approx(40.0)
