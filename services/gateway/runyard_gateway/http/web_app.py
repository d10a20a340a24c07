"""The web app: files that its build has put into `web/` of this package, and one page for every address of the app.

Files below `assets/` have their content's hash in their names and are kept by browsers for ever; the page that names them is
asked for each time. All are read once and held compressed too: they are a few megabytes, and there is no disk in the way.
"""

import gzip
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from runyard_gateway.http.answer import Answer
from runyard_gateway.http.problems import MethodNotAllowed, problem_answer

DIRECTORY: Final = Path(__file__).parents[1] / "web"
PAGES: Final = ("/", "/sign-in", "/automation", "/automation/{rest:path}", "/settings", "/settings/{rest:path}")
"""Addresses of the app: each is answered with its one page, which then shows what belongs there."""
_SMALL: Final = 512
"""Bytes that are not worth compressing."""
_TEXTS: Final = frozenset((".html", ".js", ".css", ".svg", ".json", ".map", ".txt"))

_CSP: Final = (
    b"default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:;"
    b" connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_SECURITY: Final = [
    (b"content-security-policy", _CSP),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
]
_NOT_BUILT: Final = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Runyard</title>
<body style="font: 16px/1.5 system-ui; max-width: 40rem; margin: 4rem auto; padding: 0 1rem">
<h1>The web app is not built</h1>
<p>Run <code>make web</code> in the working copy and start the gateway again.
The API is there all the same: see <a href="/docs">/docs</a>.</p>
"""


@dataclass(frozen=True)
class _File:
    """One file, as an ASGI application. `packed`: compressed, None where that does not help."""

    content: bytes
    packed: bytes | None
    content_type: bytes
    lasting: bool

    @classmethod
    def read(cls, path: Path, *, lasting: bool) -> "_File":
        content = path.read_bytes()
        packed = gzip.compress(content, 9, mtime=0) if path.suffix in _TEXTS and len(content) > _SMALL else None
        media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        if path.suffix in _TEXTS:
            media_type += "; charset=utf-8"
        return cls(content, packed, media_type.encode(), lasting)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            await problem_answer(MethodNotAllowed(scope["method"], ("GET", "HEAD")))(scope, receive, send)
            return
        accepted = next((value for name, value in scope["headers"] if name == b"accept-encoding"), b"")
        packed = self.packed is not None and b"gzip" in accepted
        body = self.packed if packed and self.packed is not None else self.content
        headers = [
            (b"content-type", self.content_type),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"public, max-age=31536000, immutable" if self.lasting else b"no-cache"),
            (b"vary", b"accept-encoding"),
            *_SECURITY,
        ]
        if packed:
            headers.append((b"content-encoding", b"gzip"))
        await Answer(200, headers, b"" if scope["method"] == "HEAD" else body)(scope, receive, send)


def web_app_routes(directory: Path = DIRECTORY) -> list[BaseRoute]:
    """`directory`: what the build made; without it every page says how to make it."""
    index = directory / "index.html"
    if not index.is_file():
        missing = _File(_NOT_BUILT, None, b"text/html; charset=utf-8", lasting=False)
        return [Route(path, missing) for path in PAGES]
    page = _File.read(index, lasting=False)
    routes: list[BaseRoute] = [Route(path, page) for path in PAGES]
    for path in sorted(directory.rglob("*")):
        name = f"/{path.relative_to(directory).as_posix()}"
        if path.is_file() and path != index and not name.startswith("/."):
            routes.append(Route(name, _File.read(path, lasting=name.startswith("/assets/"))))
    return routes
