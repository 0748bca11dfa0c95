"""Gradio's record of the progress of uploads stays small, whatever ids are made up."""

from __future__ import annotations

import asyncio

from ui.gradio_fixes.upload_progress import ID_MAX, BoundedProgress, bound


def test_made_up_ids_leave_nothing() -> None:
    async def test() -> None:
        progress = BoundedProgress(10)
        waiting = [asyncio.create_task(progress.is_tracked(f"made up {n}")) for n in range(50)]
        await asyncio.sleep(0)
        for task in waiting:  # as the route's time limit does
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert progress.size == 0
        progress.track("x" * (ID_MAX + 1))
        assert progress.size == 0
        for number in range(50):
            progress.track(f"upload {number}")
            progress.append(f"upload {number}", "a.png", b"xx")
            progress.set_done(f"upload {number}")
        assert progress.size == 10

    asyncio.run(test())


def test_the_progress_of_an_upload() -> None:
    async def test() -> None:
        progress = BoundedProgress(10)
        asked = [asyncio.create_task(progress.is_tracked("a")) for _ in range(2)]
        await asyncio.sleep(0)
        progress.track("a")
        assert await asyncio.gather(*asked) == [True, True] and await progress.is_tracked("a")
        progress.append("a", "boat.png", b"12")
        progress.append("a", "boat.png", b"345")
        progress.append("unknown", "boat.png", b"345")
        assert progress.pop("a").chunk_size == 5 and not progress.is_done("a")
        progress.set_done("a")
        assert progress.is_done("a") and progress.size == 1
        progress.stop_tracking("a")
        assert progress.size == 0

    asyncio.run(test())


def test_the_page_uses_it() -> None:
    from gradio import routes

    assert bound() is bound() is routes.file_upload_statuses
