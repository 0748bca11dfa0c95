"""Exit status 0 when the page of this container answers (the image's HEALTHCHECK).

Address and port are those that the app takes, from the environment and `.env`. Standard library only
where there is no `.env`.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(HERE))

from backend.errors import BadSettings  # noqa: E402
from backend.settings import listen_address  # noqa: E402

SECONDS = 4.0


def address(here: Path, environ: dict[str, str]) -> str:
    """Where the page answers. Raises BadSettings."""
    file = here / ".env"
    if file.exists():
        from backend.settings.env_file import fill, read_env_file

        fill(environ, read_env_file(file))
    host = listen_address.in_url(listen_address.from_here(listen_address.host(environ)))
    return f"http://{host}:{listen_address.port(environ)}/healthz"


def main() -> int:
    """Prints the status. `starting` and `degraded` also count as healthy, because the page is available."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address(HERE, dict(os.environ)), timeout=SECONDS) as answer:
            print(json.load(answer)["status"])
    except (
        OSError,
        http.client.HTTPException,
        ValueError,
        KeyError,
        TypeError,
        RecursionError,
        BadSettings,
    ) as error:
        print(f"The page does not answer: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
