"""The README and the pages of the documentation, and the blocks of code in them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLES = sorted((ROOT / "examples").glob("*/README.md"))

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# what comes before the name in a line of a shell: nothing, another command, torchrun's -m, a container
_COMMAND = re.compile(r"(?:^|[\s(])facemotion\s+(?=-|[a-z])(.*)")


@dataclass(frozen=True)
class Block:
    """language: "" where the fence names none. line: where it begins in the page."""

    language: str
    text: str
    line: int


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[Block]:
    text = page.read_text("utf-8")
    found = _FENCE.finditer(text)
    return [Block(match[1], match[2], text[: match.start()].count("\n") + 2) for match in found]


def commands(block: Block) -> list[list[str]]:
    """What a block of shell gives to `facemotion`, each as its arguments."""
    if block.language not in ("", "sh"):
        return []
    found = []
    for line in block.text.replace("\\\n", " ").splitlines():
        for part in re.split(r"&&|\||;|\$\(", line.partition(" #")[0]):
            match = _COMMAND.search(part)
            if match and not part.lstrip().startswith(("docker build", "#")):
                found.append(shlex.split(match[1]))
    return found


def mentions(page: Path) -> list[list[str]]:
    """Commands in the middle of a sentence: `facemotion weights list`."""
    text = _FENCE.sub("", page.read_text("utf-8"))
    found = re.findall(r"`facemotion ([^`]+)`", text.replace("\n", " "))
    return [shlex.split(each) for each in found if "..." not in each and "COMMAND" not in each]
