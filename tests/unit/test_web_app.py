"""How the gateway serves the web app: the built files, and the page of every address of the app."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from runyard_gateway.http.web_app import web_app_routes
from starlette.routing import Router

from tests import web_api

PAGE = b"<!doctype html><title>Runyard</title><script>dark()</script>"
SCRIPT = b"export const answer = 42;\n" * 100


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / ".vite").mkdir()
    (tmp_path / "index.html").write_bytes(PAGE)
    (tmp_path / "assets" / "index-Ab12.js").write_bytes(SCRIPT)
    (tmp_path / "assets" / "index-Ab12.js.gz").write_bytes(gzip.compress(SCRIPT))
    (tmp_path / "assets" / "index-Ab12.js.br").write_bytes(b"as brotli")
    (tmp_path / ".vite" / "manifest.json").write_bytes(b"{}")
    return tmp_path


@pytest.fixture
async def browser(built: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(Router(web_app_routes(built))), base_url="http://here"
    ) as client:
        yield client


@pytest.mark.parametrize("address", ["/", "/sign-in", "/automation/executions/0190-1?tab=log", "/settings", "/settings/users"])
async def test_every_address_of_the_app_is_answered_with_its_one_page(browser: httpx.AsyncClient, address: str) -> None:
    answer = await browser.get(address)
    assert answer.status_code == 200 and answer.content == PAGE
    assert answer.headers["cache-control"] == "no-cache"


async def test_a_page_that_has_not_changed_is_not_sent_again(browser: httpx.AsyncClient) -> None:
    tag = (await browser.get("/settings")).headers["etag"]
    again = await browser.get("/automation/executions", headers={"if-none-match": tag})
    assert again.status_code == 304 and not again.content and "content-security-policy" in again.headers
    assert (await browser.get("/settings", headers={"if-none-match": 'W/"older"'})).content == PAGE


async def test_what_has_its_hash_in_its_name_is_kept_for_ever(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/assets/index-Ab12.js")
    assert "immutable" in answer.headers["cache-control"] and "javascript" in answer.headers["content-type"]


@pytest.mark.parametrize(
    ("accepted", "encoding", "length"),
    [
        ("gzip, deflate, br, zstd", "br", len(b"as brotli")),
        ("gzip;q=1.0", "gzip", len(gzip.compress(SCRIPT))),
        ("identity", None, len(SCRIPT)),
    ],
)
async def test_files_travel_as_the_build_has_compressed_them_if_the_browser_can_read_it(
    browser: httpx.AsyncClient, accepted: str, encoding: str | None, length: int
) -> None:
    answer = await browser.head("/assets/index-Ab12.js", headers={"accept-encoding": accepted})
    assert answer.headers.get("content-encoding") == encoding
    assert int(answer.headers["content-length"]) == length


async def test_scripts_come_from_the_gateway_alone_and_no_other_site_may_frame_the_app(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/automation/executions")
    rules = dict(each.strip().split(" ", 1) for each in answer.headers["content-security-policy"].split(";"))
    # echo -n 'dark()' | openssl dgst -sha256 -binary | base64
    assert rules["script-src"] == "'self' 'sha256-fNefTR34fI4AKL70MFDWngBjZzPD/E9oLjTl18ee/nA='"
    assert rules["connect-src"] == "'self'"
    assert rules["frame-ancestors"] == rules["object-src"] == rules["base-uri"] == "'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_nothing_but_what_was_built_for_browsers_is_served(browser: httpx.AsyncClient) -> None:
    for address in ("/.vite/manifest.json", "/assets/gone.js", "/assets/index-Ab12.js.gz", "/index.html"):
        assert (await browser.get(address)).status_code == 404
    assert (await browser.post("/automation/executions")).status_code == 405
    head = await browser.head("/")
    assert head.status_code == 200 and not head.content


async def test_without_a_build_every_page_says_how_to_make_one(tmp_path: Path) -> None:
    transport = httpx.ASGITransport(Router(web_app_routes(tmp_path)))
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as browser:
        assert "make web" in (await browser.get("/automation/executions")).text


async def test_the_document_that_the_web_app_is_typed_by_is_that_of_the_api() -> None:
    current = web_api.PATH.read_text(encoding="utf-8") == await web_api.document()
    assert current, "the API has changed: run `python -m tests.web_api` and `python -m tests.http_reference`"
