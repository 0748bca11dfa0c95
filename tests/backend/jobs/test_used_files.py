"""The hashes of the files that a job used: in its recipe, of the very file that it began with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.engines.base import EngineInfo
from backend.jobs import recipe, recipe_files, recipes
from backend.jobs.job import VARIATIONS, Job
from backend.jobs.used_files import UsedFiles
from backend.models.file_hashes import FileHashes
from backend.models.hasher import Hasher
from backend.models.roots import Roots
from tests.support.lora_files import write_lora
from tests.support.stores import own_names, put
from tests.support.waiting import SECONDS
from workflows.catalog import load_catalog
from workflows.repetition import for_final, for_repetition
from workflows.resolved import Digest, Resolved

HERE = EngineInfo("comfyui", "http://127.0.0.1:8188", state="ok")
ROLE = "t2v_high"
OWN = load_catalog().file(ROLE)
ASKED, HIGH, LOW = "INK_high", "my/ink_high.safetensors", "my/ink_low.safetensors"
POSE = "vitpose.onnx"
RESOLVED = Resolved(
    {"steps": 4}, {ROLE: f"wan/{OWN.name}", "vae": "gone.safetensors"}, detectors={"vitpose_model": POSE},
    loras=(HIGH, LOW), sizes={HIGH: 5},
).to_json()  # fmt: skip


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    top = tmp_path / "m"
    put(top, own_names(ROLE)[ROLE].replace("/", "/wan/", 1))
    write_lora(top / "loras" / HIGH, seed=1)
    write_lora(top / "loras" / LOW, seed=2)
    (top / "detection").mkdir()
    (top / "detection" / POSE).write_bytes(b"pose")
    return top


@pytest.fixture
def hasher(tmp_path: Path) -> Iterator[Hasher]:
    made = Hasher(FileHashes(tmp_path / "hashes.json"))
    yield made
    made.close()


@pytest.fixture
def used(store: Path, hasher: Hasher) -> UsedFiles:
    return UsedFiles(hasher, lambda: Roots(store))


def job(resolved: dict[str, Any], **more: Any) -> Job:
    values = {"prompt": "A boat", "seed": 1, "loras": [{"name": ASKED, "strength": 0.5}]}
    return replace(
        Job("a" * 32, "owner", "text_to_video", values, {}, created=0.0, resolved=resolved), **more
    )


def test_every_file_that_is_here_has_its_own_hash(store: Path, used: UsedFiles, hasher: Hasher) -> None:
    files = used.begin(RESOLVED, HERE)
    assert files.keys() == {ROLE, "vitpose_model", HIGH, LOW}
    assert hasher.wait(files.values(), SECONDS)
    resolved = used.with_digests(RESOLVED, files)
    written = recipes.recipe_of(job(resolved), [])
    models = {one["role"]: one for one in written["models"]}
    path = store / "diffusion_models" / "wan" / OWN.name
    assert models[ROLE] == {
        "name": f"wan/{OWN.name}", "role": ROLE, "sha256": sha(path), "bytes": path.stat().st_size
    }  # fmt: skip
    assert models["vitpose_model"]["sha256"] == hashlib.sha256(b"pose").hexdigest()
    assert models["vae"] == {"name": "gone.safetensors", "role": "vae"}
    (lora,) = written["loras"]
    high, low = store / "loras" / HIGH, store / "loras" / LOW
    assert lora == {
        "name": ASKED, "strength": 0.5, "strength_low": 0.5,
        "sha256": sha(high), "bytes": high.stat().st_size,
        "partner": {"name": LOW, "sha256": sha(low), "bytes": low.stat().st_size},
    }  # fmt: skip
    assert "digests" not in written["resolved"] and written["resolved"]["loras"] == [HIGH, LOW]
    found = recipe.from_json(json.loads(json.dumps(written)))
    assert [one.to_json() for one in found.models] == written["models"]
    assert found.loras[0].partner is not None and found.loras[0].partner.sha256 == sha(low)


def test_nothing_is_waited_for_and_a_file_that_was_replaced_is_not_named(
    store: Path, used: UsedFiles, hasher: Hasher
) -> None:
    hasher.close()
    files = used.begin(RESOLVED, HERE)
    resolved = used.with_digests(RESOLVED, files)
    (lora,) = recipes.recipe_of(job(resolved), [])["loras"]
    assert "sha256" not in lora and lora["bytes"] == (store / "loras" / HIGH).stat().st_size
    write_lora(store / "loras" / HIGH, seed=9)
    (store / "loras" / HIGH).touch()
    hasher.hashes.note(store / "loras" / HIGH, sha(store / "loras" / HIGH))
    (lora,) = recipes.recipe_of(job(used.with_digests(RESOLVED, files)), [])["loras"]
    assert "sha256" not in lora, "the hash of another file than the one that was used"
    later = used.with_digests(RESOLVED, used.begin(RESOLVED, HERE))
    assert recipes.recipe_of(job(later), [])["loras"][0]["sha256"] == sha(store / "loras" / HIGH)


def test_files_elsewhere_are_not_looked_for(used: UsedFiles) -> None:
    for info in (
        replace(HERE, address="http://10.0.0.9:8188"),
        EngineInfo("runpod", "https://api.runpod.ai/v2/x"),
        EngineInfo("demo", HERE.address),
    ):
        assert used.begin(RESOLVED, info) == {} and used.with_digests(dict(RESOLVED), {}) == RESOLVED
    assert used.begin({}, HERE) == {} == used.with_digests({}, {})


def test_a_published_hash_is_marked_and_not_given_for_another_size() -> None:
    exact = next(file for file in load_catalog().files if file.sha256 and file.exact and file.bytes)
    run = Resolved(files={exact.role: exact.name})
    wanted = {"name": exact.name, "role": exact.role, "sha256": exact.sha256, "bytes": exact.bytes}
    assert [one.to_json() for one in recipe_files.models([run])] == [{**wanted, "published": True}]

    def with_digest(sha256: str, size: int) -> dict[str, Any]:
        (found,) = recipe_files.models([replace(run, digests={exact.role: Digest(sha256, size)})])
        return found.to_json()

    assert with_digest("", exact.bytes) == {**wanted, "published": True}
    assert with_digest("", exact.bytes - 1) == {
        "name": exact.name, "role": exact.role, "bytes": exact.bytes - 1
    }  # fmt: skip
    assert with_digest("ab" * 32, exact.bytes) == {**wanted, "sha256": "ab" * 32}, "what was read counts"


def test_a_parent_has_the_files_of_all_its_children() -> None:
    first = Resolved(files={ROLE: "a"}, loras=(HIGH,), digests={ROLE: Digest("ab" * 32, 3)})
    other = Resolved(files={ROLE: "b", "vae": "c"}, loras=(HIGH, LOW), digests={HIGH: Digest("cd" * 32, 4)})
    children = [job(one.to_json()) for one in (first, other)]
    written = recipes.recipe_of(job({}, assembly=VARIATIONS), [], children)
    assert [(one["role"], one["name"]) for one in written["models"]] == [
        (ROLE, "a"),
        (ROLE, "b"),
        ("vae", "c"),
    ]
    assert written["models"][0]["sha256"] == "ab" * 32
    assert (written["loras"][0]["sha256"], written["loras"][0]["partner"]["name"]) == ("cd" * 32, LOW)
    vary = {"loras": ["", [{"name": LOW, "strength": 2}]]}
    varied = recipes.recipe_of(
        job({}, assembly=VARIATIONS, params={"prompt": "A boat", "seed": 1, "vary": vary}), [], children
    )
    assert [one["name"] for one in varied["loras"]] == [LOW]


def test_a_pair_that_only_metadata_names() -> None:
    run = Resolved(loras=("a.safetensors", "b.safetensors"), digests={"b.safetensors": Digest("ab" * 32, 3)})
    (found,) = recipe_files.loras(["a"], [run])
    assert found.partner is not None and found.partner.sha256 == "ab" * 32
    both = recipe_files.loras(["a", "b"], [run])
    assert [one.partner for one in both] == [None, None] and both[1].sha256 == "ab" * 32
    assert recipe_files.loras(["none"], [Resolved()]) == [recipe.RecipeLora("none")]


def test_another_run_does_not_take_the_hashes_over() -> None:
    stored = replace(
        Resolved.from_json(RESOLVED) or Resolved(), digests={ROLE: Digest("ab" * 32, 3)}
    ).to_json()
    assert Resolved.from_json(stored) is not None and Resolved.from_json(stored).digests  # type: ignore[union-attr]
    for kept in (for_repetition("text_to_video", {}, stored, {}), for_final(stored, False, False)):
        assert kept is not None and kept.files and not kept.digests


@pytest.mark.parametrize(
    "pair", [5, [], ["x", 3], ["ab" * 32, -1], ["ab" * 32, True], ["ab" * 32], ["../x", 1]]
)
def test_a_worker_cannot_name_anything_but_a_hash(pair: Any) -> None:
    found = Resolved.from_json({**RESOLVED, "digests": {ROLE: pair}})
    assert found is not None and found.digests == {}
