"""Files for the browser: the console's program, and the base maps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from supervisor.console.map_tiles import TileSource

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".geojson": "application/geo+json",
    ".map": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".wasm": "application/wasm",
    ".pmtiles": "application/vnd.pmtiles",
    ".pbf": "application/x-protobuf",
    ".webmanifest": "application/manifest+json",
    ".txt": "text/plain; charset=utf-8",
}
"""What is served, and as what. Written out, because the machine's own table of types
differs from host to host, and a script of the wrong type does not run (`nosniff`)."""


class Pages(StaticFiles):
    """Read-only files below one directory; anything unusual is 404.

    Answers carry an ETag and `no-cache`: a browser asks each time, and a new version
    of the console is never mixed with an old one.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory=directory, check_dir=False)

    async def check_config(self) -> None:
        """A missing directory is 404 for its files, not an error of the server."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer one request for a file."""
        if path == ".":
            path = "index.html"
        if any(part.startswith(".") for part in Path(path).parts):
            raise HTTPException(404)
        media_type = _TYPES.get(Path(path).suffix.lower())
        if media_type is None:
            raise HTTPException(404)
        try:
            response = await super().get_response(path, scope)
        except OSError as error:  # names that the file system refuses
            raise HTTPException(404) from error
        if response.status_code != 304:
            response.headers["Content-Type"] = media_type
        response.headers["Cache-Control"] = "no-cache"
        return response

    async def page(self, request: Request) -> Response:
        """Answer a route whose path parameter `path` names the file."""
        return await self.get_response(self.get_path(request.scope), request.scope)


def answering(
    read: Callable[[], msgspec.Struct | None],
) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that answers what `read` returns, as JSON; 404 for None."""

    async def answer(request: Request) -> Response:
        told = read()
        if told is None:
            raise HTTPException(404, "this hub does not tell that")
        return Response(msgspec.json.encode(told), headers={"Content-Type": "application/json"})

    return answer


class BaseMaps:
    """`{case}/basemap.geojson` below the scenarios, as `/basemaps/{case}.geojson`, and its
    `site.geojson` (operating areas, headland, handover spots) as `/basemaps/{case}.site.geojson`.

    The cases are found once, at start; no other file of a scenario is served.

    Args:
        scenarios_dir: Where the cases are.
        tiles: What browsers may fetch from outside to lie under them; None: nothing.
    """

    def __init__(self, scenarios_dir: Path, tiles: TileSource | None = None) -> None:
        self._tiles = tiles
        self._pages = Pages(scenarios_dir)
        self._files = {
            f"{path.parent.name}{'' if path.stem == 'basemap' else '.site'}": path
            for name in ("basemap", "site")
            for path in sorted(scenarios_dir.glob(f"*/{name}.geojson"))
        }

    async def index(self, request: Request) -> Response:
        """List them as `{"bases": [{"name", "url", "site"}], "tiles": TileSource or null}`,
        `url` and `site` (left out if there is none) relative to the list."""
        bases = [
            {"name": name, "url": f"{name}.geojson"}
            | ({"site": f"{name}.site.geojson"} if f"{name}.site" in self._files else {})
            for name in self._files
            if not name.endswith(".site")
        ]
        return JSONResponse({"bases": bases, "tiles": msgspec.to_builtins(self._tiles)})

    async def one(self, request: Request) -> Response:
        """Answer the base map of one case."""
        name = request.path_params["name"]
        if name not in self._files:
            raise HTTPException(404)
        path = self._files[name]
        return await self._pages.get_response(f"{path.parent.name}/{path.name}", request.scope)
