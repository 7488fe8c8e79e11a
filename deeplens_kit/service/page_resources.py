"""Files that come with Panel's components, their styles and scripts: the same for everybody, who signed in or not.

Takes the path by which a page asks for one, gives the file. Must not import anything for it: Panel imports whatever
module a path names, so that anybody could have every module on this machine run, and end the process by one that exits.
The modules of what a page shows are loaded already.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse
from panel.io.server import ComponentResourceHandler
from param import Parameterized
from tornado.web import HTTPError

from deeplens_kit.service.access.dependencies import public

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@router.get("/components/{path:path}", dependencies=[public()])
def component_file(path: str) -> FileResponse:
    """Fetch a file that a component lists among its own."""
    module, _, rest = path.partition("/")
    # Not by getattr: a module may load others when it is asked for a name that it does not have.
    named = vars(sys.modules[module]).get(rest.partition("/")[0]) if module in sys.modules else None
    if not (isinstance(named, type) and issubclass(named, Parameterized)):
        raise HTTPException(404)
    try:
        # It takes nothing of itself but what its class has; an instance would need a server of Tornado's.
        handler: Any = ComponentResourceHandler
        file = Path(handler.parse_url_path(handler, path))
    except (HTTPError, LookupError, TypeError, ValueError, OSError) as error:
        raise HTTPException(404) from error
    if not file.is_file():
        raise HTTPException(404)
    return FileResponse(file)
