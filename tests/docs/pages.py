"""The pages that people read, and what is in them: blocks, commands, links."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
FENCE = re.compile(
    r"^(?:<!-- not run: (?P<why>[^\n]+) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$",
    flags=re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    language: str
    text: str
    not_run: str | None  # why


@dataclass(frozen=True)
class Page:
    path: Path

    @property
    def name(self) -> str:
        return str(self.path.relative_to(REPOSITORY))

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def prose(self) -> str:
        """The text without its fenced blocks."""
        return FENCE.sub("", self.text)

    def blocks(self, language: str) -> list[Block]:
        found = [Block(m["language"], m["text"], m["why"]) for m in FENCE.finditer(self.text)]
        return [block for block in found if block.language == language]

    def commands(self) -> list[str]:
        """Every `fieldlr ...` line of the shell blocks, and those in the text that are whole."""
        lines = [line for block in self.blocks("sh") for line in block.text.splitlines()]
        inline = re.findall(r"`(fieldlr \w+ [^-`][^`]*--[^`]*)`", self.prose)
        lines += [line for line in inline if not re.search(r" (?:VERB|SOURCE|DIR|S|N)\b", line)]
        return [line.partition("#")[0].strip() for line in lines if line.startswith("fieldlr ")]


FOLDERS = [*sorted(REPOSITORY.glob("docs/*.md")), *sorted(REPOSITORY.glob("paper/*.md"))]
AT_THE_ROOT = [REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES = [Page(path) for path in [*AT_THE_ROOT, *FOLDERS]]
EVERYTHING = "\n".join(page.text for page in PAGES)
