"""Scripts and styles as a browser gets them: packed once for all, and kept for good where the address has a version.

Takes a folder and requests for its files, gives the files; must not list a folder or leave it. What was packed stays in
memory: a page loads three megabytes of scripts, and a server reads and packs them for the first visitor alone.
"""

from __future__ import annotations

import gzip
from functools import lru_cache
from pathlib import Path
from urllib.parse import parse_qs

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

__all__ = ["KeptFiles"]

# Another version has another address.
_FOR_EVER = "public, max-age=31536000, immutable"
_FOR_AN_HOUR = "public, max-age=3600"
_PACKED = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
# Below it there is nothing to gain (inclusive).
_LEAST_BYTES = 1_024
_MOST_FILES = 64


class KeptFiles(StaticFiles):
    """Starlette's files of a folder, packed and kept."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer a request for a file."""
        answer = await super().get_response(path, scope)
        if answer.status_code not in (200, 304):
            return answer
        has_version = "v" in parse_qs(scope.get("query_string", b"").decode("latin-1"))
        kept = {"Cache-Control": _FOR_EVER if has_version else _FOR_AN_HOUR, "Vary": "Accept-Encoding"}
        answer.headers.update(kept)
        media_type = _PACKED.get(Path(path).suffix)
        takes = "gzip" in Headers(scope=scope).get("accept-encoding", "")
        if answer.status_code != 200 or scope["method"] != "GET" or media_type is None or not takes:
            return answer
        file = getattr(answer, "path", None)
        if file is None or int(answer.headers.get("content-length", "0")) <= _LEAST_BYTES:
            return answer
        content = await anyio.to_thread.run_sync(_packed, str(file), answer.headers["etag"])
        # Weak: the same file, in other bytes.
        kept |= {"Content-Encoding": "gzip", "ETag": f"W/{answer.headers['etag'].removeprefix('W/')}"}
        return Response(content, media_type=media_type, headers=kept)


@lru_cache(maxsize=_MOST_FILES)
def _packed(file: str, _version: str) -> bytes:
    return gzip.compress(Path(file).read_bytes(), mtime=0)
