"""The votes of several annotators, as FER+ has them, and the named rules that make labels of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facemotion.data.csv_files import numbered_rows, opened_table
from facemotion.data.samples import Samples
from facemotion.errors import DataError, UnknownNameError
from facemotion.labels import LabelSet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Votes = NDArray[np.int64]

FERPLUS = LabelSet.named("ferplus8")
# the columns of fer2013new.csv: the eight emotions, then the votes for "can't say" and for "this is no face"
COLUMNS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")


def read_votes(path: Path) -> tuple[Votes, list[str]]:
    """The (n, 10) votes of FER+'s own table, and each row's Usage."""
    rows: list[list[int]] = []
    usage: list[str] = []
    with opened_table(path) as (names, table):
        missing = [name for name in COLUMNS if name.lower() not in names]
        if missing:
            raise DataError("not a table of FER+ votes", str(path), f"columns {', '.join(COLUMNS)}", f"no {missing}")
        for number, fields in numbered_rows(table):
            row = dict(zip(names, fields, strict=False))
            try:
                counts = [_count(row[name.lower()]) for name in COLUMNS]
            except (KeyError, ValueError):
                got = str(fields)
                raise DataError("wrong votes", f"{path}: row {number}", "ten whole numbers", got) from None
            rows.append(counts)
            usage.append(row.get("usage", ""))
    return np.array(rows, np.int64).reshape(-1, len(COLUMNS)), usage


def _count(text: str) -> int:
    """A number of votes; 4.0 and 4,0 are 4, as spreadsheets and pandas write it."""
    number = float(text.replace(",", "."))
    if not number.is_integer():
        raise ValueError(text)
    return int(number)


def apply_rule(samples: Samples, votes: Votes, rule: str) -> Samples:
    """The samples that a rule keeps, labelled by it with FER+'s eight emotions. `votes` has a row for each sample.

    majority: single votes are dropped, then more than half must agree on an emotion.
    plurality: one emotion has more votes than everything else.
    all: every sample; the emotion with most votes, on a tie the data's own label if it is among them, else the first.
    soft: as targets the shares of the emotions' votes, single votes dropped; a sample is kept where an emotion is
    among the most frequent votes. Its label is that of `all`.
    """
    if rule not in _RULES:
        raise UnknownNameError("label rule", rule, _RULES)
    own = np.array([FERPLUS.index(label) if label in FERPLUS else -1 for label in samples.labels])[samples.targets]
    kept, targets, soft = _RULES[rule](votes, own)
    shares = None if soft is None else soft[kept]
    return replace(samples.subset(kept), labels=FERPLUS, targets=targets[kept], soft=shares, label_rule=rule)


_Ruled = tuple["NDArray[np.bool_]", "NDArray[np.int64]", "NDArray[np.float32] | None"]


def _majority(votes: Votes, own: NDArray[np.int64]) -> _Ruled:
    several = _without_single_votes(votes)
    agreed = several.max(axis=1) * 2 > several.sum(axis=1)
    return agreed & (several.argmax(axis=1) < len(FERPLUS)), _emotion(several, own), None


def _plurality(votes: Votes, own: NDArray[np.int64]) -> _Ruled:
    unique = (votes == votes.max(axis=1, keepdims=True)).sum(axis=1) == 1
    return unique & (votes.argmax(axis=1) < len(FERPLUS)), _emotion(votes, own), None


def _all(votes: Votes, own: NDArray[np.int64]) -> _Ruled:
    return np.ones(len(votes), bool), _emotion(votes, own), None


def _soft(votes: Votes, own: NDArray[np.int64]) -> _Ruled:
    several = _without_single_votes(votes)
    emotions = several[:, : len(FERPLUS)]
    most = emotions.max(axis=1)
    total = emotions.sum(axis=1, keepdims=True)
    shares = (emotions / np.maximum(total, 1)).astype(np.float32)
    return (most > 0) & (most == several.max(axis=1)), _emotion(votes, own), shares


_RULES: dict[str, Callable[[Votes, NDArray[np.int64]], _Ruled]] = {
    "majority": _majority,
    "plurality": _plurality,
    "all": _all,
    "soft": _soft,
}


def _without_single_votes(votes: Votes) -> Votes:
    return np.where(votes > 1, votes, 0)


def _emotion(votes: Votes, own: NDArray[np.int64]) -> NDArray[np.int64]:
    """The emotion with most votes; on a tie, and where no emotion has any, the data's own label if it can be."""
    emotions = votes[:, : len(FERPLUS)]
    best = emotions == emotions.max(axis=1, keepdims=True)
    own_is_best = (own >= 0) & best[np.arange(len(own)), own]
    return np.where(own_is_best, own, best.argmax(axis=1))
