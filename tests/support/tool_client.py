"""The official MCP client against a site, over both transports."""

from __future__ import annotations

import ast
import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from mcp import ClientSession
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamablehttp_client

TRANSPORTS = ("http", "sse")
Found = TypeVar("Found")


def basic(user: str, password: str) -> dict[str, str]:
    """The header that logs in."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def data_address(data: bytes, kind: str = "image/png") -> str:
    """A file inside a request."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


@contextlib.asynccontextmanager
async def connected(url: str, transport: str, headers: dict[str, str]) -> AsyncIterator[ClientSession]:
    """An initialized session. url: of the page, without a slash at its end."""
    if transport == "sse":
        async with (
            sse_client(f"{url}/gradio_api/mcp/sse", headers) as (read, write),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            yield session
    else:
        address = f"{url}/gradio_api/mcp/"
        async with (
            streamablehttp_client(address, headers) as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            yield session


def use_tools(
    url: str, transport: str, headers: dict[str, str], work: Callable[[ClientSession], Awaitable[Found]]
) -> Found:
    """What `work` returns for a session."""

    async def run() -> Found:
        async with connected(url, transport, headers) as session:
            return await work(session)

    return asyncio.run(asyncio.wait_for(run(), 120))


def texts(answer: Any) -> list[str]:
    """The texts of a tool's answer."""
    return [part.text for part in answer.content if part.type == "text"]


def record(answer: Any) -> dict[str, Any]:
    """The job record in a tool's answer."""
    found: dict[str, Any] = ast.literal_eval(texts(answer)[-1])
    return found
