"""Writes the digest of each base image beside its tag in the Dockerfile: `python -m scripts.pin_bases`.

Needs a registry within reach and docker, skopeo or crane. The digest is that of all platforms together. Run
it again for newer ones; `--check` writes nothing and exits with 1 when a tag has moved.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

DOCKERFILE = Path(__file__).resolve().parents[1] / "Dockerfile"
FROM = re.compile(
    r"^FROM (?P<image>[\w./-]+:[\w.-]+)(?:@(?P<digest>sha256:[0-9a-f]{64}))?(?= AS )", re.MULTILINE
)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
TOOLS = (
    ("docker", "buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}", "{image}"),
    ("skopeo", "inspect", "--no-tags", "--format", "{{.Digest}}", "docker://{image}"),
    ("crane", "digest", "{image}"),
)
"""Commands that print the digest of an image; the first one that is installed and answers counts."""


class NoDigest(Exception):
    """The digest of an image cannot be found out; the text says why."""


def pinned(text: str, resolve: Callable[[str], str]) -> str:
    """The Dockerfile with the digest of every base image. resolve: image with tag -> digest."""
    return FROM.sub(lambda found: f"FROM {found['image']}@{resolve(found['image'])}", text)


def digest(image: str, which: Callable[[str], str | None] = shutil.which) -> str:
    """The digest of an image with a tag, from its registry. Raises NoDigest."""
    reasons = []
    for tool in TOOLS:
        if not which(tool[0]):
            continue
        command = [part.format(image=image) if "{image}" in part else part for part in tool]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
        if done.returncode == 0 and (found := DIGEST.search(done.stdout)):
            return found[0]
        reasons.append(f"{tool[0]}: {(done.stderr or done.stdout).strip() or 'no digest'}")
    why = "; ".join(reasons) or "docker with buildx, skopeo or crane is needed, and none is installed."
    raise NoDigest(f"{image}: {why}")


def main(
    argv: list[str] | None = None, file: Path = DOCKERFILE, resolve: Callable[[str], str] = digest
) -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.pin_bases", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    only_check = parser.parse_args(argv).check
    text = file.read_text(encoding="utf-8")
    try:
        new = pinned(text, resolve)
    except (NoDigest, OSError, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)
        return 1
    for found in FROM.finditer(new):
        print(found[0].removeprefix("FROM "))
    if only_check:
        return int(new != text)
    file.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
