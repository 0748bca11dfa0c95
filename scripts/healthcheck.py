"""Exit status 0 when the page of this container answers (the image's HEALTHCHECK). Standard library only."""

from __future__ import annotations

import json
import os
import sys
import urllib.request

SECONDS = 4.0


def main() -> int:
    """Prints the status. `starting` and `degraded` also count as healthy, because the page is available."""
    host = os.environ.get("GRADIO_SERVER_NAME") or "127.0.0.1"
    host = "127.0.0.1" if host in ("0.0.0.0", "::", "localhost") else host
    port = os.environ.get("GRADIO_SERVER_PORT") or os.environ.get("PORT") or "7860"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{host}:{port}/healthz", timeout=SECONDS) as answer:
            print(json.load(answer)["status"])
    except (OSError, ValueError, KeyError) as error:
        print(f"The page does not answer: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
