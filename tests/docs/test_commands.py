"""Every command in the documentation is given, page by page, at a system that `make run` would start. Commands that cannot run
here are in `elsewhere.py`, each with the reason."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from runyard_standalone.postgres import EmbeddedPostgres
from runyard_standalone.postgres_binaries import binaries_for

from tests.acceptance.systems import Standalone, eventually, standalone_system
from tests.docs.pages import Page, pages
from tests.docs.session import NEEDED, Reader

pytestmark = pytest.mark.xdist_group("documentation")
PAGES = [page for page in pages() if any(block.language in ("sh", "sql") for block in page.blocks)]


PARKED = """
insert into projections.parked_message (message_id, queue, body, reason, attempts, parked_at)
values (repeat('4be1a0f2', 8), 'orchestrator.inbox.0', '{"type": "FromTomorrow"}', 'FromTomorrow is not known', 3, now())
"""
"""A message that nobody could handle, for the page that says what to do with such."""


@pytest.fixture(scope="module")
def standalone() -> Iterator[Standalone]:
    """The examples are applied, the first has run, and one message could not be handled."""
    if missing := still_missing(NEEDED):
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"the pages use {', '.join(missing)}")
    with standalone_system(demonstration=True) as system:
        log = system.directory / "standalone.log"
        eventually(lambda: "Ctrl-C stops it" in log.read_text(), "the examples to be applied")
        subprocess.run(
            [binaries_for(None) / "psql", "-q", database_of(system), "-c", PARKED], check=True, timeout=30, capture_output=True
        )
        yield system


def still_missing(programs: Sequence[str]) -> list[str]:
    """Of those that are not there, after Debian's packages of the same names were installed where that may be done."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
        install = [*apt, "install", "-y", "--no-install-recommends", *missing]
        if subprocess.run(install, check=False, capture_output=True).returncode != 0:
            subprocess.run([*apt, "update"], check=False, capture_output=True)
            subprocess.run(install, check=False, capture_output=True)
    return [program for program in missing if shutil.which(program) is None]


def database_of(system: Standalone) -> str:
    return EmbeddedPostgres(system.directory / "data" / "postgres").dsn


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_the_page_does_what_it_says(page: Page, standalone: Standalone, tmp_path: Path) -> None:
    environment = {
        "RUNYARD_URL": standalone.url,
        "RUNYARD_API_KEY": standalone.token,
        "RUNYARD_DATABASE_URL": database_of(standalone),
        "RUNYARD_ARCHIVE_DIR": str(standalone.directory / "data" / "archive"),
    }
    wrong = Reader(tmp_path, standalone.url, environment).read(page)
    assert not wrong, "\n".join(wrong)
