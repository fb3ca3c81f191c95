"""Names for fonts that lack most of the world's letters."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence

# letters and signs that Unicode does not take apart, as people write them where they lack the key
_SPELT = {
    "ß": "ss",
    "ẞ": "SS",
    "æ": "ae",
    "Æ": "Ae",
    "œ": "oe",
    "Œ": "Oe",
    "ø": "o",
    "Ø": "O",
    "đ": "d",
    "Đ": "D",
    "ð": "d",
    "Ð": "D",
    "þ": "th",
    "Þ": "Th",
    "ħ": "h",
    "Ħ": "H",
    "ł": "l",
    "Ł": "L",
    "\N{LATIN SMALL LETTER DOTLESS I}": "i",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{EN DASH}": "-",
}


def writable(text: str, known: Callable[[str], bool] = str.isascii) -> str:
    """The text in letters that a font knows: others lose their accents or are spelt out, the rest is question marks.

    known: whether the font has a letter; Pillow's own font has ASCII alone.
    """
    return "".join(letter if known(letter) else _simpler(letter, known) for letter in text)


def told_apart(names: Sequence[str], known: Callable[[str], bool] = str.isascii) -> dict[str, str]:
    """{name: how to write it}: as `writable` does, behind its number where letters are unknown or two names alike."""
    written = [writable(name, known) for name in names]
    shown = {}
    for number, (name, text) in enumerate(zip(names, written, strict=True), start=1):
        unclear = text.count("?") > name.count("?") or written.count(text) > 1
        shown[name] = f"{number} {text}" if unclear else text
    return shown


def _simpler(letter: str, known: Callable[[str], bool]) -> str:
    parts = [part if known(part) else _SPELT.get(part, "") for part in unicodedata.normalize("NFKD", letter)]
    return "".join(parts) or ("" if unicodedata.combining(letter) else "?")
