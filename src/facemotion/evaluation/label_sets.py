"""Bringing the labels of weights and those of data together: what is judged, by which rule, and what is left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from facemotion.data.samples import Samples, with_digests
from facemotion.errors import DataError, UnknownNameError
from facemotion.labels import LabelSet

if TYPE_CHECKING:
    from numpy.typing import NDArray

LabelSets = Literal["restrict", "keep"] | Mapping[str, str]

RULES = ("restrict", "keep")


@dataclass(frozen=True)
class Judged:
    """What is judged of weights and data whose labels may differ.

    rule: "same", "restrict", "keep" or "map"; said: the same in words. labels: those of the figures. left_out: how many
    faces each label had that the weights don't know. mapping: old label to new one, where the rule is "map".
    """

    rule: str
    said: str
    weights: tuple[str, ...]
    data: tuple[str, ...]
    labels: LabelSet
    samples: Samples
    left_out: dict[str, int]
    mapping: dict[str, str]
    _columns: NDArray[np.float64]

    def probabilities(self, of_weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """The weights' probabilities as those of the judged labels; rows sum to 1."""
        chosen = of_weights @ self._columns
        total = chosen.sum(axis=1, keepdims=True)
        # a network that is sure to the last bit of a label that is not judged knows nothing of the others
        result: NDArray[np.float64] = np.where(total > 0, chosen / np.where(total > 0, total, 1), 1 / len(self.labels))
        return result

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        names = ("rule", "said", "left_out", "mapping")
        return {"weights": list(self.weights), "data": list(self.data)} | {name: getattr(self, name) for name in names}


def bring_together(weights: LabelSet, samples: Samples, wanted: LabelSets) -> Judged:
    """The samples and labels to judge.

    wanted: "restrict" leaves to the weights the labels that the data has too, whose probabilities are scaled to sum to
    1; "keep" lets them say all of theirs; a mapping {label: label} renames labels of either side first (probabilities
    of labels that become one are added) and restricts then. Faces of labels that the weights don't know are left out.
    """
    if not isinstance(wanted, Mapping) and wanted not in RULES:
        raise UnknownNameError("rule for labels that differ", str(wanted), RULES, "Or give a mapping of labels.")
    mapping = _as_spelled(wanted, weights, samples.labels) if isinstance(wanted, Mapping) else {}
    theirs = _renamed(weights, mapping)
    new = [theirs.index(_new_name(label, mapping)) for label in weights]
    data_words = [_new_name(label, mapping) for label in samples.labels]
    known = {theirs.find(word) for word in data_words if word in theirs}
    common = [label for label in theirs if label in known]
    left_out = {
        label: count
        for (label, count), word in zip(samples.counts().items(), data_words, strict=True)
        if count and word not in theirs
    }
    if not common:
        expected, got = f"some of {', '.join(weights)}", ", ".join(samples.labels)
        raise DataError("labels that the weights don't know", samples.source, expected, got)
    keep = wanted == "keep" or len(common) == 1
    labels = theirs if keep else LabelSet(tuple(common))
    columns = np.zeros((len(weights), len(labels)))
    for row, column in enumerate(new):
        if theirs[column] in labels:
            columns[row, labels.index(theirs[column])] = 1
    position = np.array([labels.index(word) if word in labels else -1 for word in data_words])
    kept = samples.subset(position[samples.targets] >= 0)
    if not len(kept):
        raise DataError("no face to judge", samples.source, f"some of {', '.join(labels)}", ", ".join(left_out))
    # the votes' shares are those of the data's labels, and no figure asks for them
    kept = with_digests(replace(kept, labels=labels, targets=position[kept.targets], soft=None), kept.digests)
    if mapping:
        rule = "map"
    elif set(common) == set(theirs) and not left_out:
        rule = "same"
    else:
        rule = "keep" if keep else "restrict"
    return Judged(
        rule=rule,
        said=_in_words(rule, weights, labels, mapping, left_out, alone=wanted != "keep" and len(common) == 1),
        weights=weights.labels,
        data=samples.labels.labels,
        labels=labels,
        samples=kept,
        left_out=left_out,
        mapping=mapping,
        _columns=columns,
    )


def _as_spelled(mapping: Mapping[str, str], *sets: LabelSet) -> dict[str, str]:
    """The mapping with its old labels as the sets spell them."""
    spelled: dict[str, str] = {}
    for old, new in mapping.items():
        found = {labels.find(old): new for labels in sets if old in labels}
        if not found:
            raise UnknownNameError("label", old, dict.fromkeys(label for labels in sets for label in labels))
        spelled |= found
    return spelled


def _new_name(label: str, mapping: Mapping[str, str]) -> str:
    return mapping.get(label, label)


def _renamed(labels: LabelSet, mapping: Mapping[str, str]) -> LabelSet:
    return LabelSet(tuple(dict.fromkeys(_new_name(label, mapping) for label in labels)))


def _in_words(
    rule: str, weights: LabelSet, labels: LabelSet, mapping: dict[str, str], left_out: dict[str, int], *, alone: bool
) -> str:
    if rule == "same":
        return "weights and data have the same labels"
    parts = []
    if mapping:
        parts.append("labels are mapped: " + ", ".join(f"{old} as {new}" for old, new in mapping.items()))
    unused = [label for label in weights if _new_name(label, mapping) not in labels]
    if unused:
        parts.append(f"the weights' {', '.join(unused)} can't be said, the other probabilities are scaled to sum to 1")
    elif rule == "keep":
        parts.append("the weights may say all of their labels" + (", since the data has but one" if alone else ""))
    if left_out:
        faces = ", ".join(f"{count} {label}" for label, count in left_out.items())
        parts.append(f"faces of labels that the weights don't know are left out: {faces}")
    return "; ".join(parts)
