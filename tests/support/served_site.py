"""Serves the page of a studio from a thread of the test process, as app.py does."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

from backend.security.accounts import Accounts
from backend.studio import Studio
from backend.web import address, connections, previews
from backend.web.routes import middleware_lifespan, routes
from tests.support.ports import free_port
from tests.support.security_site import Site
from ui import page as layout


class ServedSite(Site):
    """A studio's page on a free port; `thread` runs its event loop. `uploads` has to be GRADIO_TEMP_DIR."""

    def __init__(self, studio: Studio, uploads: Path, root_path: str = "") -> None:
        assert os.environ["GRADIO_TEMP_DIR"] == str(uploads)
        self.studio, self.uploads = studio, uploads
        self.page: Any = layout.build(studio)
        accounts = Accounts.of(studio.settings)
        _, url, _ = self.page.launch(
            server_name="127.0.0.1",
            server_port=free_port(),
            prevent_thread_lock=True,
            quiet=True,
            mcp_server=True,
            root_path=root_path,
            auth=accounts.check if accounts is not None else None,
            app_kwargs={
                "routes": [*routes(studio), *previews.routes(studio, uploads), *layout.routes()],
                "lifespan": middleware_lifespan(studio, uploads, address.prefix(root_path)),
                "exception_handlers": layout.exception_handlers(),
            },
            **layout.launch_options(studio),
        )
        connections.bound(self.page.server.config)
        self.url = url.rstrip("/")
        user = studio.settings.auth[0] if studio.settings.auth else ()
        self.login = ":".join(user)
        self._config: dict[str, Any] = {}

    @property
    def thread(self) -> threading.Thread:
        """The thread of the event loop."""
        thread: threading.Thread = self.page.server.thread
        return thread

    def close(self) -> None:
        self.page.close(verbose=False)
