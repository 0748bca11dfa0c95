"""Tests against a real ComfyUI whose address is in WAN_LIVE_COMFYUI; without one they skip, visibly.

The server needs WAN model files with the catalogue's names; tiny random ones do, quality is not judged.
Start it with `--cache-classic` (where it knows the option) and `--preview-method latent2rgb`. What came out
is in tests/output/live-<version>.md: size, frames, length, sound of each file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from backend.engines.comfy.engine import ComfyEngine
from backend.media.decoder import Decoder, StoredMedia
from backend.studio import Studio
from tests.live.runs import Bench
from tests.live.studio import studio_on
from tests.live.table import Table
from workflows.compile import ServerFacts
from workflows.graph.node_contract import facts

OUTPUT = Path(__file__).parents[1] / "output"
ADDRESS = os.environ.get("WAN_LIVE_COMFYUI", "")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in Path(item.fspath).parents:
            item.add_marker(pytest.mark.live)
            if not ADDRESS:
                item.add_marker(pytest.mark.skip(reason="WAN_LIVE_COMFYUI names no server"))


@pytest.fixture(scope="session")
def address() -> str:
    return ADDRESS


@pytest.fixture(scope="session")
def engine(address: str) -> Iterator[ComfyEngine]:
    engine = ComfyEngine(address)
    assert engine.refresh().state == "ok", f"no ComfyUI answers at {address}"
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def decoder() -> Iterator[Decoder]:
    with Decoder() as decoder:
        yield decoder


@pytest.fixture(scope="session")
def server(engine: ComfyEngine) -> ServerFacts:
    return facts(engine.contract())


@pytest.fixture(scope="session")
def table(engine: ComfyEngine) -> Table:
    return Table(OUTPUT / f"live-{engine.info().version}.md")


@pytest.fixture
def bench(engine: ComfyEngine, decoder: Decoder, tmp_path: Path, server: ServerFacts, table: Table) -> Bench:
    return Bench(engine, decoder, tmp_path, server, table)


@pytest.fixture(scope="session")
def picture(tmp_path_factory: pytest.TempPathFactory, decoder: Decoder) -> StoredMedia:
    return stored(tmp_path_factory.mktemp("picture"), decoder, (180, 90, 60))


@pytest.fixture(scope="session")
def last_picture(tmp_path_factory: pytest.TempPathFactory, decoder: Decoder) -> StoredMedia:
    return stored(tmp_path_factory.mktemp("last"), decoder, (40, 90, 160))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A picture that a studio is given."""
    path = tmp_path / "photo.png"
    Image.effect_noise((160, 90), 60).convert("RGB").save(path)
    return path


@pytest.fixture
def studio(address: str, tmp_path: Path) -> Iterator[Studio]:
    with studio_on(address, tmp_path) as studio:
        yield studio


def stored(folder: Path, decoder: Decoder, colour: tuple[int, int, int]) -> StoredMedia:
    source = folder / "source.png"
    noise = Image.effect_noise((160, 90), 60).convert("RGB")
    Image.blend(noise, Image.new("RGB", noise.size, colour), 0.5).save(source)
    return decoder.normalise(source, folder / "image")
