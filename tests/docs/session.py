"""A page's commands as its reader would give them: in one shell, from top to bottom, each of which must succeed.

The page becomes a script whose line numbers are the page's, so that bash itself says where something went wrong.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from runyard_standalone.postgres_binaries import binaries_for

from tests.docs.elsewhere import ELSEWHERE, INLINE
from tests.docs.pages import ROOT, Block, Page

PATIENCE_SECONDS: Final = 480
BEGINS: Final = "\x01"
UNPREPARED: Final = re.compile(
    r"^((?:[A-Z_]+=\S+ )*)(?="
    r"\.venv/bin/python -m runyard_projections archive (?:search|restore|discard|audit) "  # tests/integration/test_archive.py
    r'|psql \S+ -c ".* restored_'  # the same
    r"|\.venv/bin/python -m runyard_bench"  # measures for minutes
    r"|createdb |pg_restore --exit-on-error|\.venv/bin/python -m runyard_standalone\.rewind"  # tests/integration/test_backup.py
    r"|\.venv/bin/python -m runyard_(?:orchestrator|dispatcher|approvals|projections|gateway)$"  # as `make up` starts them
    r")",
    re.MULTILINE,
)
"""Commands that need what is not here, and the tests that give them."""
UNTIL_CTRL_C: Final = re.compile(r"^(?=runyard .*--follow|runyard-agent --)(?!.*--job)", re.MULTILINE)
"""Commands that go on until somebody ends them; here that is after a few seconds."""
NEEDED: Final = ("bash", "curl", "jq", "openssl")
"""What the pages use and Runyard does not bring along."""
PREAMBLE: Final = """\
set -Eeuo pipefail
trap 'echo "$0:$LINENO: ended with $?: $BASH_COMMAND" >&2' ERR
until_ctrl_c() { timeout --signal=INT 3 "$@" || case $? in 124|130) ;; *) return 1 ;; esac; }
curl() { command curl --show-error --fail-with-body "$@"; }
elsewhere() {
    printf '%s\\0' "${BASH_LINENO[${#FUNCNAME[@]} - 2]}" "$@" >>"$ELSEWHERE"; printf '\\n\\0' >>"$ELSEWHERE"
    if [ -p /dev/stdin ]; then cat >/dev/null; fi  # else what is piped into it could be ended by that
}
"""


@dataclass(frozen=True)
class Reader:
    """What the reader of a page has: a home, a working copy to stand in, and what the page tells to fill in for `…`."""

    home: Path
    url: str
    environment: dict[str, str]

    def __post_init__(self) -> None:
        """Files that a page writes do not get into the repository."""
        for entry in ROOT.iterdir():
            (self.desk / entry.name).symlink_to(entry)

    @property
    def desk(self) -> Path:
        directory = self.home / "runyard"
        directory.mkdir(exist_ok=True)
        return directory

    def read(self, page: Page) -> list[str]:
        """Gives all of the page's commands. What is wrong with it, in words."""
        blocks = list(page.blocks)
        runnable = [block for block in blocks if block.given]
        if not runnable:
            return []
        preamble, script, noted = self.home / "preamble", self.home / page.path.name, self.home / "elsewhere"
        stand_ins = "\n".join(f'{name}() {{ elsewhere {name} "$@"; }}' for name in ELSEWHERE)
        preamble.write_text(PREAMBLE + stand_ins + "\n")
        script.write_text(self._script(runnable, preamble))
        noted.touch()
        done = subprocess.run(
            ["bash", script], cwd=self.desk, env=self._environment(noted), stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=PATIENCE_SECONDS, check=False,
        )  # fmt: skip
        wrong = []
        if done.returncode:
            wrong.append(f"{done.stderr[-3000:]}\nand before that:\n{done.stdout[-1500:]}")
        wrong += [f"{page.name}:{problem}" for problem in _problems(noted.read_text())]
        said = dict(part.split("\n", 1) for part in done.stdout.split(BEGINS)[1:])
        for command, answer in pairwise(blocks):
            if answer.answers and answer.language == "text" and not done.returncode:
                wrong += [f"{page.name}:{answer.line}: {each}" for each in _differences(answer.text, said[str(command.line)])]
        return wrong

    def _script(self, blocks: list[Block], preamble: Path) -> str:
        """Each block where it stands in the page, its fence replaced by what tells its output from the others'."""
        lines = [f"source {preamble}"]
        for block in blocks:
            lines += [""] * (block.line - 1 - len(lines))
            begin = f"printf '{BEGINS}{block.line}\\n'"
            end = [] if block.language == "sh" else ["END_OF_BLOCK"]
            if block.file:
                begin += f"; cat >{block.file} <<'END_OF_BLOCK'"
            elif block.language == "sql":
                begin += "; psql -qAt -v ON_ERROR_STOP=1 \"$RUNYARD_DATABASE_URL\" <<'END_OF_BLOCK'"
            lines += [begin, *self._filled(block.text).splitlines(), *end]
        return "\n".join(lines) + "\n"

    def _filled(self, text: str) -> str:
        text = re.sub(r"\b([A-Z_]+)=…", lambda found: f"{found[1]}={self.environment.get(found[1], found[0])}", text)
        for address in ("https://runyard.example.com", "http://127.0.0.1:8080"):
            text = text.replace(address, self.url)
        return UNPREPARED.sub(r"\1elsewhere ", UNTIL_CTRL_C.sub("until_ctrl_c ", text))

    def _environment(self, noted: Path) -> dict[str, str]:
        path = [str(Path(sys.executable).parent), str(binaries_for(None)), os.environ["PATH"]]
        kept = {name: os.environ[name] for name in ("LANG", "TMPDIR", "VIRTUAL_ENV") if name in os.environ}
        own = {
            "HOME": str(self.home),
            "XDG_STATE_HOME": str(self.home / "state"),
            "PATH": ":".join(path),
            "NO_PROXY": "127.0.0.1",
            "ELSEWHERE": str(noted),
        }
        return kept | own | self.environment


def _problems(noted: str) -> list[str]:
    """What is wrong with the commands that were not run."""
    found = []
    for call in noted.split("\n\0")[:-1]:
        line, program, *words = call.split("\0")[:-1]
        check = INLINE.get(program.rpartition("/")[2])
        found += [f"{line}: {program} {' '.join(words)}: {problem}" for problem in (check(words) if check else ())]
    return found


def _differences(shown: str, said: str) -> list[str]:
    """Every line that a page shows was said, whatever `…` stands for, and whatever its numbers are."""
    found = []
    for line in filter(None, map(str.strip, shown.splitlines())):
        pattern = re.sub(r"\d+", r"\\d+", re.escape(re.sub(r"\s+", " ", line))).replace("…", ".*")
        if not any(re.fullmatch(pattern, re.sub(r"\s+", " ", each.strip())) for each in said.splitlines()):
            found.append(f"it did not say {line!r}, but {said[-1500:]!r}")
    return found
