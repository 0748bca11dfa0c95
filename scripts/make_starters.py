"""Paints the six starter pictures of the empty page: `python scripts/make_starters.py [name ...]`.

They are computed entirely by this program, so no third-party rights apply. The same versions of numpy and
Pillow produce the same files. `--draft` skips supersampling.
"""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import starter_scenes as scenes
from PIL import Image

FOLDER = Path(__file__).resolve().parents[1] / "ui" / "assets" / "starters"
MAX_BYTES = 120_000
STARTERS = (
    (
        "dunes",
        "Sand in the wind",
        "Wind lifts veils of sand from the crests of the dunes and carries them towards the low sun, "
        "long shadows creep over the ripples. The camera glides slowly forward.",
    ),
    (
        "sunset",
        "Slow push in",
        "Gentle waves roll across the sea at sunset, the path of light on the water glitters and the "
        "clouds glow. The camera pushes slowly in towards the sun.",
    ),
    (
        "forest",
        "Rising camera",
        "Fog drifts between the fir trees, their tips sway a little in the cold morning air. The camera "
        "rises slowly above the forest.",
    ),
    (
        "aurora",
        "Moving light",
        "Curtains of green and violet northern lights ripple slowly across the night sky, their glow "
        "moves over the snow. The camera stays still.",
    ),
    (
        "moon",
        "Passing clouds",
        "Thin clouds drift past the full moon, their edges light up and fade, mist flows through the "
        "valleys below. The camera stays still.",
    ),
    (
        "wheat",
        "Wind in wheat",
        "Gusts of wind run in waves through the ripe wheat, the leaves of the lone tree flutter and "
        "cloud shadows pass over the field. The camera drifts slowly to the right.",
    ),
)


def save(picture: Image.Image, path: Path) -> int:
    """Writes a JPEG in the best quality that fits into MAX_BYTES; returns the quality."""
    for quality in range(90, 60, -2):
        out = io.BytesIO()
        picture.save(out, format="JPEG", quality=quality, optimize=True, progressive=True)
        if out.tell() <= MAX_BYTES:
            break
    path.write_bytes(out.getvalue())
    return quality


def main() -> None:
    """Paints the starters that the command line names, and writes starters.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="only these")
    parser.add_argument("--draft", action="store_true", help="without supersampling")
    parser.add_argument("--to", type=Path, default=FOLDER, help="folder to write to")
    chosen = parser.parse_args()
    chosen.to.mkdir(parents=True, exist_ok=True)
    for name, _, _ in STARTERS:
        if chosen.names and name not in chosen.names:
            continue
        picture = getattr(scenes, name)(1 if chosen.draft else 2)
        path = chosen.to / f"{name}.jpg"
        quality = save(picture, path)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB, quality {quality}")
    listing = [{"file": f"{name}.jpg", "title": title, "prompt": prompt} for name, title, prompt in STARTERS]
    (chosen.to / "starters.json").write_text(json.dumps(listing, indent=2) + "\n")


if __name__ == "__main__":
    main()
