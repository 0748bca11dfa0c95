"""The endpoints as MCP tools. A tool call runs the endpoint in this process.

Gradio instead sends every tool call to its own HTTP interface, through one client for all callers: without
the caller's login, in one session, with a thread for each, and at the address that the first caller named.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import gradio as gr
import gradio.mcp
from gradio import route_utils
from gradio.state_holder import SessionState
from mcp import types
from mcp.server.sse import SseServerTransport
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from backend.threads import Threads, visitor_of
from ui.api import reports
from ui.forms.uploads import upload_folder

REQUEST_BYTES = 34_000_000
"""Of a request with a file inside. The web server has a lower limit; the package by itself takes 4 MiB."""
PROGRESS_SECONDS = 0.5
"""Between two notifications of a call's progress, at least."""
THREADS = "tool_threads"
"""The attribute of Blocks with the threads in which their tools do what blocks."""


class _Sse(SseServerTransport):
    """Gives clients the address for their messages below the path at which a proxy serves the page."""

    def __init__(self, endpoint: str, prefix: str) -> None:
        super().__init__(endpoint, max_request_body_size=REQUEST_BYTES)
        self._prefix = prefix

    def connect_sse(self, scope: Any, receive: Any, send: Any) -> Any:
        return super().connect_sse(
            {**scope, "root_path": self._prefix + scope.get("root_path", "")}, receive, send
        )


class ToolServer(gradio.mcp.GradioMCPServer):
    """The tools of the Blocks that install() has marked."""

    StreamableHTTPSessionManager = partial(StreamableHTTPSessionManager, max_request_body_size=REQUEST_BYTES)

    def __init__(self, blocks: gr.Blocks) -> None:
        super().__init__(blocks)
        self._threads: Threads = getattr(blocks, THREADS, None) or Threads("tools")
        self._state: SessionState | None = None

    def launch_mcp_on_sse(self, app: Any, subpath: str, root_path: str) -> None:
        prefix = urlsplit(root_path).path if "://" in (root_path or "") else root_path or ""
        self.SseServerTransport = partial(_Sse, prefix=prefix.rstrip("/"))
        super().launch_mcp_on_sse(app, subpath, root_path)

    def create_mcp_server(self) -> Any:
        """Gradio's server with another handler of tool calls."""
        server = super().create_mcp_server()
        server.call_tool()(self.call_tool)
        return server

    def convert_strings_to_filedata(self, value: Any, filedata_positions: list[list[str | int]]) -> Any:
        """A file inside a request is stored as an upload. Raises ValueError."""
        setattr(gradio.mcp, "DEFAULT_TEMP_DIR", str(upload_folder()))  # noqa: B010
        return super().convert_strings_to_filedata(value, filedata_positions)

    async def call_tool(self, name: str, arguments: dict[str, Any]) -> types.CallToolResult:
        """Runs the endpoint of this tool. Raises ValueError with its sentence when it refuses."""
        context = self.mcp_server.request_context
        request = context.request
        run = partial(self._threads.run, visitor_of(request))
        _, inputs, _, block_fn = await run(self._prepare_tool_call_args, name, arguments)
        caller = gr.Request(request, username=self._user(request), session_hash=f"mcp {visitor_of(request)}")
        with _progress_sent(context):
            output = await self._outputs(block_fn, inputs, caller)
        root = route_utils.get_root_url(
            request=request, route_path=self.get_route_path(request), root_path=self.root_path
        )
        return types.CallToolResult(content=await run(self.postprocess_output_data, output, root))

    async def _outputs(self, block_fn: Any, inputs: list[Any], caller: gr.Request) -> list[Any]:
        """The last values that the endpoint yields, or those that it returns."""
        self._state = self._state or SessionState(self.blocks)
        call = partial(self.blocks.process_api, block_fn=block_fn, state=self._state, request=caller)
        iterator, output = None, []
        try:
            while True:
                answer = await call(inputs=inputs, iterator=iterator)
                if iterator is None or answer["is_generating"]:
                    output = answer["data"]
                iterator = answer["iterator"]
                if not answer["is_generating"]:
                    return output
        except gr.Error as error:
            raise ValueError(error.message) from None
        finally:
            if iterator is not None:
                with contextlib.suppress(Exception):
                    await iterator.aclose()  # the client has gone

    def _user(self, request: Any) -> str | None:
        """Who is logged in, by the session's cookie."""
        app = self.blocks.app
        names = (f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}")
        return next((user for name in names if (user := app.tokens.get(request.cookies.get(name)))), None)


@contextlib.contextmanager
def _progress_sent(context: Any) -> Iterator[None]:
    """Within it, the progress of the call is sent to a client that asked for it."""
    token = context.meta.progressToken if context.meta is not None else None
    if token is None:
        yield
        return
    news, latest = asyncio.Event(), [(0, "")]

    def report(percent: int, words: str) -> None:
        latest[0] = (percent, words)
        news.set()

    async def send() -> None:
        progress = -1.0
        while True:
            await news.wait()
            news.clear()
            percent, words = latest[0]
            progress = max(progress + 0.01, percent)  # the protocol wants it to grow
            await context.session.send_progress_notification(
                token, progress, 100, words, related_request_id=str(context.request_id)
            )
            await asyncio.sleep(PROGRESS_SECONDS)

    mark = reports.listener.set(report)
    task = asyncio.create_task(send())
    try:
        yield
    finally:
        task.cancel()
        reports.listener.reset(mark)


def install(blocks: gr.Blocks, threads: Threads) -> None:
    """The tools of these Blocks will be ToolServer's. Repeated calls have no effect."""
    setattr(blocks, THREADS, threads)
    setattr(gradio.mcp, "GradioMCPServer", ToolServer)  # noqa: B010
