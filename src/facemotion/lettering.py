"""Names for fonts that lack most of the world's letters."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence


def writable(text: str, known: Callable[[str], bool] = str.isascii) -> str:
    """The text in letters that a font knows: others lose their accents, and what then is unknown is a question mark.

    known: whether the font has a letter; Pillow's own font has ASCII alone.
    """
    return "".join(letter if known(letter) else _simpler(letter, known) for letter in text)


def told_apart(names: Sequence[str], known: Callable[[str], bool] = str.isascii) -> dict[str, str]:
    """{name: how to write it}: as `writable` does, behind its number where letters are unknown and so look alike."""
    shown = {}
    for number, name in enumerate(names, start=1):
        text = writable(name, known)
        shown[name] = f"{number} {text}" if text.count("?") > name.count("?") else text
    return shown


def _simpler(letter: str, known: Callable[[str], bool]) -> str:
    parts = unicodedata.normalize("NFKD", letter)
    return "".join(part for part in parts if known(part)) or ("" if unicodedata.combining(letter) else "?")
