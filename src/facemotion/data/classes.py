"""Class names as people spell them, to a label set."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from facemotion.data.faults import Faults
from facemotion.data.samples import Samples
from facemotion.errors import UnknownNameError
from facemotion.labels import LabelSet

logger = logging.getLogger(__name__)

# what to do where nothing says what numbers mean
SAID_BY = "labels=[...], and for the commands train and evaluate `facemotion data prepare --labels` first"

EVERY_KNOWN = LabelSet((*LabelSet.named("fer7"), "contempt"))


def match_classes(
    spellings: Mapping[str, str], labels: LabelSet | None, faults: Faults
) -> tuple[LabelSet, dict[str, int]]:
    """The label set of a data set, and the position in it of every spelling that it knows.

    spellings: each class name that occurs, with the place where it was first met.
    labels: the user's own set; without it the known emotions are recognised, and the set is the known one of just these
    labels, or else these labels in their usual order.
    """
    choices = labels or EVERY_KNOWN
    label_of: dict[str, str] = {}
    for spelling, place in spellings.items():
        try:
            label = choices.find(spelling)
        except UnknownNameError as error:
            faults.add(_unknown(error, labels is None), place, ", ".join(choices), repr(spelling))
            continue
        other = next((other for other, taken in label_of.items() if taken == label), None)
        if other is not None:
            faults.add("two spellings of one class", place, repr(other), repr(spelling))
        label_of[spelling] = label
    label_set = labels or _usual_order(set(label_of.values()))
    return label_set, {spelling: label_set.index(label) for spelling, label in label_of.items()}


def match_words_of(
    source: Path, spellings: Mapping[str, str], labels: LabelSet | None, numbers: LabelSet | None, faults: Faults
) -> tuple[LabelSet, dict[str, int]]:
    """`match_classes` for the words of a table, or the names of folders, which may be numbers.

    numbers: what they are positions in, where `labels` are not named; see `read_data`.
    """
    numbering = labels or counted_in(source, spellings, numbers)
    if numbering is None:
        return match_classes(_without_numbers(spellings, numbers, faults), None, faults)
    return match_words(spellings, labels, numbering, faults)


def _without_numbers(spellings: Mapping[str, str], numbers: LabelSet | None, faults: Faults) -> dict[str, str]:
    """The words that are names. Numbers are faults: a class may be missing, so that their count would be a guess."""
    counted = f"all of 0 to {len(numbers) - 1} for {', '.join(numbers)}, or " if numbers else ""
    for word, place in spellings.items():
        if word.isdecimal():
            faults.add("nothing says what a number means", place, f"a name, or {counted}{SAID_BY}", repr(word))
    return {word: place for word, place in spellings.items() if not word.isdecimal()}


def match_words(
    spellings: Mapping[str, str], labels: LabelSet | None, numbering: LabelSet, faults: Faults
) -> tuple[LabelSet, dict[str, int]]:
    """`match_classes` for words that may be numbers: one that is a label itself means that, others are positions.

    numbering: what the numbers are positions in.
    """
    by_position = {word: numbered_label(word, numbering) for word in spellings}
    places: dict[str, str] = {}
    for word, place in spellings.items():
        label = by_position[word] or word
        if label != word and label.isdecimal() and label in spellings:
            faults.add("two spellings of one class", place, repr(label), repr(word))
        places.setdefault(label, place)
    label_set, position = match_classes(places, labels, faults)
    known = {word: position.get(label or word) for word, label in by_position.items()}
    return label_set, {word: at for word, at in known.items() if at is not None}


def numbered_label(word: str, numbering: LabelSet) -> str | None:
    """The label at the position that a word names; None where it names none, or is a label itself."""
    if not word.isdecimal() or word in numbering:
        return None
    return {str(at): label for at, label in enumerate(numbering)}.get(word.lstrip("0") or "0")


def counted_in(source: Path, words: Iterable[str], numbers: LabelSet | None) -> LabelSet | None:
    """`numbers`, with a warning, where all words are positions in it, the first and the last one among them."""
    positions = [str(at) for at in range(len(numbers or ()))]
    written = {word.lstrip("0") or "0" for word in words}
    # without a 0 they may count seven classes from 1, which are positions among eight labels all the same
    if numbers is None or not {positions[0], positions[-1]} <= written <= set(positions):
        return None
    logger.warning("%s: the numbers are taken for %s", source, ", ".join(numbers))
    return numbers


def renumber(samples: Samples, labels: LabelSet, faults: Faults) -> Samples:
    """The samples with the user's labels, which must have every label that occurs."""
    used = {label: samples.source for label, count in samples.counts().items() if count}
    _, position = match_classes(used, labels, faults)
    known = np.array([label in position for label in samples.labels])
    return samples.subset(known[samples.targets]).restrict(labels)


def _unknown(error: UnknownNameError, suggest_own: bool) -> str:
    text = f"unknown class {error.name!r}"
    if error.nearest:
        text += f"; did you mean {' or '.join(map(repr, error.nearest))}?"
    if str(error.name).isdecimal():
        return f"{text} (numbers are positions in the labels, counted from 0)"
    if suggest_own:
        return f"{text} (classes of your own are named by labels=[...])"
    return f"{text} (read the data with its own labels, then restrict() leaves out what a set has not)"


def _usual_order(found: set[str]) -> LabelSet:
    for known in LabelSet.known().values():
        if set(known) == found:
            return known
    return LabelSet(tuple(label for label in EVERY_KNOWN if label in found) or tuple(EVERY_KNOWN))
