"""Every command in the documentation is given, page by page, at a system that `make run` would start. Commands that cannot run
here are in `elsewhere.py`, each with the reason."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from runyard_standalone.postgres import EmbeddedPostgres

from tests.acceptance.systems import Standalone, eventually, standalone_system
from tests.docs.pages import Page, pages
from tests.docs.session import NEEDED, Reader

pytestmark = pytest.mark.xdist_group("documentation")
PAGES = [page for page in pages() if any(block.language in ("sh", "sql") for block in page.blocks)]


@pytest.fixture(scope="module")
def standalone() -> Iterator[Standalone]:
    """The examples are applied, and the first has run."""
    if missing := [program for program in NEEDED if shutil.which(program) is None]:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"the pages use {', '.join(missing)}")
    with standalone_system(demonstration=True) as system:
        log = system.directory / "standalone.log"
        eventually(lambda: "Ctrl-C stops it" in log.read_text(), "the examples to be applied")
        yield system


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_the_page_does_what_it_says(page: Page, standalone: Standalone, tmp_path: Path) -> None:
    environment = {
        "RUNYARD_URL": standalone.url,
        "RUNYARD_API_KEY": standalone.token,
        "RUNYARD_DATABASE_URL": EmbeddedPostgres(standalone.directory / "data" / "postgres").dsn,
        "RUNYARD_ARCHIVE_DIR": str(standalone.directory / "data" / "archive"),
    }
    wrong = Reader(tmp_path, standalone.url, environment).read(page)
    assert not wrong, "\n".join(wrong)
