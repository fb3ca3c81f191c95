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


def told_apart(
    names: Sequence[str], known: Callable[[str], bool] = str.isascii, fits: Callable[[str], bool] = lambda _: True
) -> dict[str, str]:
    """{name: how to write it}: `writable` and `shortened`, behind its number where letters are unknown or two alike."""
    texts = [writable(name, known) for name in names]
    written = [shortened(text, fits) for text in texts]
    shown = {}
    for number, (name, text, short) in enumerate(zip(names, texts, written, strict=True), start=1):
        unclear = text.count("?") > name.count("?") or written.count(short) > 1
        shown[name] = shortened(f"{number} {text}", fits) if unclear else short
    return shown


def shortened(text: str, fits: Callable[[str], bool]) -> str:
    """The text where it fits, else as much of its beginning and half as much of its end: names often differ there."""
    shown = text
    for kept in range(len(text) - 1, 0, -1):
        if fits(shown):
            break
        shown = f"{text[: kept - kept // 3]}..{text[len(text) - kept // 3 :]}"
    return shown


def _simpler(letter: str, known: Callable[[str], bool]) -> str:
    parts = [part if known(part) else _SPELT.get(part, "") for part in unicodedata.normalize("NFKD", letter)]
    return "".join(parts) or ("" if unicodedata.combining(letter) else "?")
