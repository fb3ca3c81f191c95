"""Emotion labels: the known sets, and the many ways in which people spell them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from facemotion.errors import DataError, UnknownNameError

_KNOWN = {
    "fer7": ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"),
    "ferplus8": ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt"),
    "basic5": ("angry", "happy", "neutral", "sad", "surprise"),
    "mood5": ("angry", "fear", "happy", "neutral", "sad"),
}

_ALIASES = {
    "angry": ("anger",),
    "disgust": ("disgusted",),
    "fear": ("afraid", "fearful", "scared"),
    "happy": ("happiness", "joy"),
    "sad": ("sadness",),
    "surprise": ("surprised",),
    "neutral": ("neutrality",),
    "contempt": ("contemptuous",),
}
_CANONICAL = {alias: label for label, aliases in _ALIASES.items() for alias in aliases}

# "4_sad", "04-sad", "3. fear": a class number that sorts the folders
_NUMBERED = re.compile(r"^\d+[\s_.:-]+(?=\D)")


def _key(spelling: str) -> str:
    """What two spellings of one label have in common."""
    # one form of letters: a Mac writes ü as two characters into names of files
    spelling = unicodedata.normalize("NFC", spelling).strip().casefold()
    text = re.sub(r"[\s_-]+", " ", _NUMBERED.sub("", spelling)).strip()
    return _CANONICAL.get(text, text)


@dataclass(frozen=True)
class LabelSet:
    """An ordered set of labels; a network's output k is the probability of `labels[k]`.

    A label answers to all its spellings: `LabelSet.named("fer7").find("Surprised")` is "surprise".
    """

    labels: tuple[str, ...]
    _by_key: dict[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.labels, str):  # its letters are no labels
            raise DataError("wrong labels", expected="a list of words", got=repr(self.labels))
        object.__setattr__(self, "labels", tuple(self.labels))
        if not self.labels or not all(isinstance(label, str) and label.strip() for label in self.labels):
            raise DataError("wrong labels", expected="one or more words", got=repr(list(self.labels)))
        # they come from strangers' weights too, and go to terminals, tables and file names
        if hidden := [label for label in self.labels if not label.isprintable()]:
            raise DataError("wrong labels", expected="characters that can be shown", got=ascii(hidden[0]))
        by_key: dict[str, str] = {}
        for label in self.labels:
            key = _key(label)
            if key in by_key:
                numbers = {re.split(r"\D", each.strip(), maxsplit=1)[0] for each in (by_key[key], label)}
                why = ", and a number before it is no part of it" if len(numbers) > 1 else ""
                raise DataError("wrong labels", expected=f"each label once{why}", got=f"{by_key[key]!r} and {label!r}")
            by_key[key] = label
        object.__setattr__(self, "_by_key", by_key)

    @classmethod
    def named(cls, name: str) -> LabelSet:
        """One of the known sets: fer7, ferplus8, basic5, mood5."""
        if name not in _KNOWN:
            raise UnknownNameError("label set", name, _KNOWN)
        return cls(_KNOWN[name])

    @classmethod
    def of(cls, labels: LabelSet | str | Iterable[str]) -> LabelSet:
        """A label set from itself, from the name of a known one, or from the labels in their order."""
        if isinstance(labels, LabelSet):
            return labels
        return cls.named(labels) if isinstance(labels, str) else cls(tuple(labels))

    @staticmethod
    def known() -> dict[str, LabelSet]:
        """The sets that have a name."""
        return {name: LabelSet(labels) for name, labels in _KNOWN.items()}

    @property
    def name(self) -> str | None:
        """The name, where these labels in this order are a known set."""
        return next((name for name, labels in _KNOWN.items() if labels == self.labels), None)

    @property
    def emotions(self) -> bool:
        """Whether every label is one of the known emotions, in any spelling: none of them is the user's own."""
        return all(_key(label) in _ALIASES for label in self.labels)

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[str]:
        return iter(self.labels)

    def __getitem__(self, index: int) -> str:
        return self.labels[index]

    def __contains__(self, spelling: object) -> bool:
        return isinstance(spelling, str) and _key(spelling) in self._by_key

    def find(self, spelling: str) -> str:
        """The label that a spelling means: Surprised, happiness, 4_sad, ANGRY ..."""
        label = self._by_key.get(_key(spelling))
        if label is None:
            raise UnknownNameError("label", spelling, self.labels)
        return label

    def index(self, spelling: str) -> int:
        """The position of a label, in any spelling."""
        return self.labels.index(self.find(spelling))
