"""The Markdown pages as tests look at them: their blocks of code, what is said in `code`, links, headings."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
PATTERNS = ("README.md", "CONTRIBUTING.md", "docs/**/*.md", "examples/**/*.md", "deploy/**/*.md")


@dataclass(frozen=True)
class Block:
    """A fenced block. `line` is that of its fence; `answers`: it stands right below a block of commands; `file`: the
    paragraph above it ends with a name in `code` and a colon."""

    language: str
    text: str
    line: int
    answers: bool
    file: str | None

    @property
    def given(self) -> bool:
        """Whether a reader types it."""
        return self.language in ("sh", "sql") or self.file is not None


@dataclass(frozen=True)
class Page:
    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def _tokens(self) -> list[Token]:
        return MarkdownIt("commonmark").enable("table").parse(self.text)

    @property
    def blocks(self) -> Iterator[Block]:
        before, above = "", ""
        for token in self._tokens:
            if token.type == "fence":
                assert token.map is not None
                file = re.search(r"`([\w./-]+\.[a-z]+)`:$", above)
                language, above = token.info.strip(), ""
                yield Block(language, token.content, token.map[0] + 1, answers=before == "sh", file=file and file[1])
                before = language
            elif token.type == "inline":
                before, above = "", token.content
            elif token.type != "paragraph_close":
                before, above = "", ""

    @property
    def indented(self) -> list[int]:
        """The lines where blocks begin that do not say what they are."""
        return [token.map[0] + 1 for token in self._tokens if token.type == "code_block" and token.map]

    @property
    def said(self) -> Iterator[str]:
        """What stands in `code` within a text."""
        return (child.content for child in self._inline if child.type == "code_inline")

    @property
    def links(self) -> Iterator[str]:
        """Where links and pictures lead, those in HTML too."""
        for child in self._inline:
            if child.type in ("link_open", "image"):
                yield str(child.attrs.get("href") or child.attrs.get("src"))
        for token in self._tokens:
            if token.type == "html_block":
                yield from re.findall(r'(?:src|srcset|href)="([^"]+)"', token.content)

    @cached_property
    def anchors(self) -> set[str]:
        """As GitHub names headings: in lower case, without punctuation, with hyphens for spaces."""
        found: set[str] = set()
        for opening, inline in zip(self._tokens, self._tokens[1:], strict=False):
            if opening.type == "heading_open":
                words = "".join(child.content for child in inline.children or () if child.type in ("text", "code_inline"))
                anchor = "".join(_of_anchor(character) for character in words.lower().strip())
                again = sum(1 for each in found if re.fullmatch(rf"{re.escape(anchor)}(-\d+)?", each))
                found.add(f"{anchor}-{again}" if again else anchor)
        return found

    @property
    def _inline(self) -> Iterator[Token]:
        return (child for token in self._tokens if token.type == "inline" for child in token.children or ())


def _of_anchor(character: str) -> str:
    if character == " ":
        return "-"
    return character if character in "-_" or unicodedata.category(character)[0] in "LN" else ""


def pages() -> list[Page]:
    found = {path for pattern in PATTERNS for path in ROOT.glob(pattern)}
    return [Page(path) for path in sorted(found) if not {"node_modules", ".venv"} & set(path.parts)]
