"""The web app: files that its build has put into `web/` of this package, and one page for every address of the app.

Files below `assets/` have their content's hash in their names and are kept by browsers for ever; the page that names them is
asked for each time, and sent again only if it has changed. All are read once, as they are and as the build has compressed them:
they are a few megabytes, and there is no disk in the way.
"""

import hashlib
import mimetypes
import re
from base64 import b64encode
from collections.abc import Mapping
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
_ENCODINGS: Final = {b"br": ".br", b"gzip": ".gz"}
"""What the build has compressed files with, best first, and how those are named."""
_TEXTS: Final = frozenset((".html", ".js", ".css", ".svg", ".json", ".map", ".txt"))

_CSP: Final = (
    b"default-src 'self'; script-src %s; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:;"
    b" connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_INLINE_SCRIPT: Final = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
_NOT_BUILT: Final = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Runyard</title>
<body style="font: 16px/1.5 system-ui; max-width: 40rem; margin: 4rem auto; padding: 0 1rem">
<h1>The web app is not built</h1>
<p>Run <code>make web</code> in the working copy and start the gateway again.
The API is there all the same: see <a href="/docs">/docs</a>.</p>
"""


@dataclass(frozen=True)
class _File:
    """One file, as an ASGI application. `packed`: compressed, by encoding."""

    content: bytes
    packed: Mapping[bytes, bytes]
    content_type: bytes
    csp: bytes
    etag: bytes
    lasting: bool

    @classmethod
    def read(cls, path: Path, *, lasting: bool) -> "_File":
        beside = {encoding: path.with_name(path.name + suffix) for encoding, suffix in _ENCODINGS.items()}
        packed = {encoding: found.read_bytes() for encoding, found in beside.items() if found.is_file()}
        media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        if path.suffix in _TEXTS:
            media_type += "; charset=utf-8"
        return cls.of(path.read_bytes(), media_type.encode(), packed, lasting=lasting)

    @classmethod
    def of(cls, content: bytes, media_type: bytes, packed: Mapping[bytes, bytes], *, lasting: bool) -> "_File":
        etag = b'W/"%s"' % hashlib.sha256(content).hexdigest()[:32].encode()
        return cls(content, packed, media_type, _csp(content), etag, lasting)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            await problem_answer(MethodNotAllowed(scope["method"], ("GET", "HEAD")))(scope, receive, send)
            return
        asked = dict(scope["headers"])
        headers = [
            (b"cache-control", b"public, max-age=31536000, immutable" if self.lasting else b"no-cache"),
            (b"vary", b"accept-encoding"),
            (b"etag", self.etag),
            (b"content-security-policy", self.csp),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"same-origin"),
        ]
        if asked.get(b"if-none-match") == self.etag:
            await Answer(304, headers, b"")(scope, receive, send)
            return
        accepted = {each.partition(b";")[0].strip() for each in asked.get(b"accept-encoding", b"").split(b",")}
        encoding = next((each for each in self.packed if each in accepted), None)
        body = self.content if encoding is None else self.packed[encoding]
        headers += [(b"content-type", self.content_type), (b"content-length", b"%d" % len(body))]
        if encoding is not None:
            headers.append((b"content-encoding", encoding))
        await Answer(200, headers, b"" if scope["method"] == "HEAD" else body)(scope, receive, send)


def _csp(content: bytes) -> bytes:
    """Scripts come from here, and from a page only those that the build has written into it."""
    written = (b"'sha256-%s'" % b64encode(hashlib.sha256(each).digest()) for each in _INLINE_SCRIPT.findall(content))
    return _CSP % b" ".join((b"'self'", *written))


def web_app_routes(directory: Path = DIRECTORY) -> list[BaseRoute]:
    """`directory`: what the build made; without it every page says how to make it."""
    index = directory / "index.html"
    if not index.is_file():
        missing = _File.of(_NOT_BUILT, b"text/html; charset=utf-8", {}, lasting=False)
        return [Route(path, missing) for path in PAGES]
    page = _File.read(index, lasting=False)
    routes: list[BaseRoute] = [Route(path, page) for path in PAGES]
    for path in sorted(directory.rglob("*")):
        name = f"/{path.relative_to(directory).as_posix()}"
        if path.is_file() and path != index and not name.startswith("/.") and path.suffix not in _ENCODINGS.values():
            routes.append(Route(name, _File.read(path, lasting=name.startswith("/assets/"))))
    return routes
