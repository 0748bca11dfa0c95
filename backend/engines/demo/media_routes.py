"""The routes /upload/image, /upload/mask and /view, with ComfyUI's rules for names and folders."""

from __future__ import annotations

import asyncio
import io
import json
import mimetypes
import os
from pathlib import Path
from typing import Any

from aiohttp import web

from backend.engines.demo.folders import Folders

ACTIVE_CONTENT_TYPES = {
    "text/html",
    "text/html-sandboxed",
    "application/xhtml+xml",
    "text/javascript",
    "text/css",
}


class MediaRoutes:
    """Handlers for the files of one server."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders

    def table(self) -> list[web.RouteDef]:
        """The routes to add to an application."""
        return [
            web.post("/upload/image", self.upload),
            web.post("/upload/mask", self.upload_mask),
            web.get("/view", self.view),
        ]

    async def upload(self, request: web.Request) -> web.Response:
        """Stores an image. If the name is in use by other content, the file becomes "x (1).png"."""
        return await self._store(await request.post(), None)

    async def upload_mask(self, request: web.Request) -> web.Response:
        """Stores the image that `original_ref` names with the alpha channel of the uploaded mask."""
        post = await request.post()
        original = json.loads(str(post.get("original_ref")))
        path = self._path(
            str(original["filename"]), original.get("type", "output"), original.get("subfolder", "")
        )
        if isinstance(path, int):
            return web.Response(status=path)
        return await self._store(post, path)

    async def _store(self, post: Any, original: Path | None) -> web.Response:
        field = post.get("image")
        kind = str(post.get("type") or "input")
        folder = self._folders.of(kind)
        if not isinstance(field, web.FileField) or not field.filename or folder is None:
            return web.Response(status=400)
        subfolder = str(post.get("subfolder", ""))
        target = Path(os.path.normpath(folder / subfolder))
        path = Path(os.path.normpath(target / field.filename))
        if not path.is_relative_to(folder):
            return web.Response(status=400)
        data = field.file.read()
        target.mkdir(parents=True, exist_ok=True)
        name, number = field.filename, 1
        stem, suffix = os.path.splitext(name)  # noqa: PTH122 - splits names as ComfyUI does
        overwrite = post.get("overwrite") in ("true", "1")
        while not overwrite and path.exists() and path.read_bytes() != data:
            name = f"{stem} ({number}){suffix}"
            path, number = target / name, number + 1
        if original is not None and original.is_file():
            await asyncio.to_thread(_apply_mask, original, data, path)
        elif overwrite or not path.exists():
            await asyncio.to_thread(path.write_bytes, data)
        return web.json_response({"name": name, "subfolder": subfolder, "type": kind})

    def _path(self, name: str, kind: str, subfolder: str | None) -> Path | int:
        """The path of the requested file, or the HTTP status of the error."""
        plain, folder = self._folders.annotated(name)
        if not plain or plain[0] == "/" or ".." in plain:
            return 400
        folder = folder or self._folders.of(kind)
        if folder is None:
            return 400
        inside = Path(os.path.normpath(folder / (subfolder or "")))
        if not inside.is_relative_to(folder):
            return 403
        return inside / Path(plain).name

    async def view(self, request: web.Request) -> web.StreamResponse:
        """Serves a file, with Range, ETag and HEAD; `preview=webp;90` converts an image to that format."""
        query = request.rel_url.query
        if "filename" not in query:
            return web.Response(status=404)
        path = self._path(query["filename"], query.get("type", "output"), query.get("subfolder"))
        if isinstance(path, int):
            return web.Response(status=path)
        if not path.is_file():
            return web.Response(status=404)
        headers = {"Content-Disposition": f'filename="{path.name}"'}
        if "preview" in query:
            wanted = query["preview"].split(";")
            kind = wanted[0] if wanted[0] in ("webp", "jpeg") else "webp"
            quality = int(wanted[-1]) if wanted[-1].isdigit() else 90
            body = await asyncio.to_thread(_converted, path, kind, quality)
            return web.Response(body=body, content_type=f"image/{kind}", headers=headers)
        mime = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        headers["Content-Type"] = "application/octet-stream" if mime in ACTIVE_CONTENT_TYPES else mime
        return web.FileResponse(path, headers=headers)


def _apply_mask(original: Path, data: bytes, path: Path) -> None:
    from PIL import Image

    with Image.open(original) as picture, Image.open(io.BytesIO(data)) as mask:
        result = picture.convert("RGBA")
        result.putalpha(mask.convert("RGBA").getchannel("A"))
        result.save(path, "PNG", compress_level=4)


def _converted(path: Path, kind: str, quality: int) -> bytes:
    from PIL import Image

    with Image.open(path) as image:
        stream = io.BytesIO()
        (image.convert("RGB") if kind == "jpeg" else image).save(stream, kind, quality=quality)
        return stream.getvalue()
