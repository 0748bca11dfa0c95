"""Pictures of LoRAs: from the metadata or beside the file, decoded in the media process, and small."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest
from PIL import Image

from backend.media.decoder import Decoder
from backend.models.lora_pictures import SIDE, LoraPictures
from tests.support.lora_files import write_lora

pytestmark = pytest.mark.full


def picture(colour: str, size: tuple[int, int] = (640, 480)) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", size, colour).save(data, "PNG")
    return data.getvalue()


def test_metadata_neighbours_and_what_is_no_picture(tmp_path: Path) -> None:
    address = "data:image/png;base64," + base64.b64encode(picture("red")).decode()
    plain = write_lora(tmp_path / "plain.safetensors")
    named = write_lora(tmp_path / "named.safetensors", metadata={"modelspec.thumbnail": address})
    beside = write_lora(tmp_path / "beside.safetensors")
    (tmp_path / "beside.preview.png").write_bytes(picture("blue"))
    broken = write_lora(
        tmp_path / "b.safetensors", metadata={"modelspec.thumbnail": "data:image/png;base64,x"}
    )
    web = write_lora(
        tmp_path / "w.safetensors", metadata={"modelspec.thumbnail": "https://example.com/a.png"}
    )
    (tmp_path / "text.png").write_bytes(b"no picture")
    text = write_lora(tmp_path / "text.safetensors")
    with Decoder() as decoder:
        pictures = LoraPictures(decoder)
        for path, colour in ((named, (254, 0, 0)), (beside, (0, 0, 254))):
            found = Image.open(io.BytesIO(pictures.of(path)))
            assert max(found.size) <= SIDE and found.format == "JPEG"
            pixel = found.convert("RGB").getpixel((5, 5))
            assert all(abs(one - other) < 12 for one, other in zip(pixel, colour, strict=True))
        assert [pictures.of(path) for path in (plain, broken, web, text)] == [b""] * 4
        first = pictures.of(beside)
        (tmp_path / "beside.preview.png").write_bytes(picture("lime", (300, 300)))
        assert pictures.of(beside) != first, "another picture is decoded again"
        assert pictures.of(beside) is pictures.of(beside)
