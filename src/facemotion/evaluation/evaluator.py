"""`Evaluator`: weights and data in, a report out that says what it depends on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from facemotion.data.parts import split_name
from facemotion.errors import DataError, UnknownNameError
from facemotion.evaluation.figures import figures_of
from facemotion.evaluation.findings import Mistake
from facemotion.evaluation.label_sets import Judged, LabelSets, bring_together
from facemotion.evaluation.leak import find_leak, may_be_trained_on, read_training, selected_split, trained_on
from facemotion.evaluation.photos import FoundFaces
from facemotion.evaluation.reading import choose_split, read_faces
from facemotion.evaluation.report import Report
from facemotion.evaluation.slices import slice_accuracy, slice_columns
from facemotion.evaluation.views import probabilities_of
from facemotion.inputs import InputSpec
from facemotion.labels import LabelSet
from facemotion.recognizer import EmotionRecognizer
from facemotion.weights.spec import MODEL, words_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facemotion.data.samples import Samples
    from facemotion.evaluation.views import Cut, Tta
    from facemotion.weights.spec import WeightsConfig

_WORST = 40
_SHEET = InputSpec(size=96, colour="rgb", mean=(0.5,) * 3, std=(0.5,) * 3)


class Evaluator:
    """Judges weights on data.

    recognizer_or_name: a recognizer, or what `EmotionRecognizer.from_pretrained` takes: a folder, a name, owner/repo.
    batch_size: faces that go through the network at once. device: for weights that are named; a recognizer has its own.
    """

    def __init__(
        self,
        recognizer_or_name: EmotionRecognizer | str | os.PathLike[str],
        *,
        batch_size: int = 64,
        device: str = "auto",
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size: expected at least 1, got {batch_size}")
        if isinstance(recognizer_or_name, EmotionRecognizer):
            self.recognizer, self._name = recognizer_or_name, None
        else:
            self._name = os.fspath(recognizer_or_name)
            self.recognizer = EmotionRecognizer.from_pretrained(recognizer_or_name, device=device)
        self.batch_size = batch_size

    def evaluate(
        self,
        data: Samples | str | os.PathLike[str],
        *,
        split: str | None = None,
        label_rule: str | None = None,
        tta: Tta | None = None,
        training_data: Samples | str | os.PathLike[str] | None = None,
        slices: str | os.PathLike[str] | Sequence[str] | None = None,
        allow_selected_split: bool = False,
        labels: Iterable[str] | None = None,
        label_sets: LabelSets = "restrict",
        photos: bool = False,
        progress: Callable[[int, int], object] | None = None,
    ) -> Report:
        """Judge the weights on a data set: samples, or anything that `read_data` reads.

        split: the split to judge; without it the test split, or all of a data set without splits. The split that chose
        the epoch of the weights is refused unless `allow_selected_split`, and the report says so.
        label_rule: how FER+ votes become labels.
        tta: "flip" averages each face with its mirror image, "ten-crop" ten crops of it.
        training_data: what the weights were trained on; the report tells which faces have a copy in it, and the
        accuracy without them.
        slices: columns of the data's table, or a CSV with a column `path` or `row`, to tell the accuracy of groups by.
        labels: judge the faces of these labels alone; one that neither the data nor the weights have is an error.
        label_sets: how labels that differ are brought together: "restrict" the weights to the labels that the data has
        too, and scale their probabilities to sum to 1; "keep" all of the weights' labels; or {label: label} to map.
        photos: the pictures are photos and not crops of faces: the recognizer's detector looks for the face first.
        progress: is told how many faces are done, and of how many.
        """
        config = self.recognizer.classifier.config
        whole = choose_split(read_faces(data, config.label_set, label_rule), split)
        selected = selected_split(config, whole)
        if selected and not allow_selected_split:
            wanted = "another split (or allow_selected_split=True, in Python)"
            what = f"the epoch of {_whose(config, selected)} was chosen on this split"
            raise DataError(what, whole.source, wanted, selected)
        meant = whole if labels is None else _of_labels(whole, labels, config.label_set)
        judged = bring_together(config.label_set, meant, label_sets)
        samples = judged.samples
        columns = None if slices is None else slice_columns(samples, slices)
        training = None if training_data is None else read_training(config, training_data)
        seen = FoundFaces.of(samples, self.recognizer.detector, progress) if photos else None
        found = np.ones(len(samples), bool) if seen is None else seen.found
        cut: Cut = samples.crops if seen is None else seen.crops
        of_weights = probabilities_of(
            self.recognizer.classifier,
            cut,
            int(found.sum()),
            tta=tta,
            batch_size=self.batch_size,
            progress=None if photos else progress,
        )
        probabilities, truth = judged.probabilities(of_weights), samples.targets[found]
        right = found.copy()
        right[found] = truth == probabilities.argmax(axis=1)
        figures, notes = figures_of(truth, probabilities, judged.labels)
        places = tuple(samples.place(int(index)) for index in np.flatnonzero(found))
        worst = _worst(truth, probabilities)
        return Report(
            weights=self._name or f"a {config.backbone} network in memory",
            weights_sha256=config.files.get(MODEL) if self._name else None,
            temperature=config.temperature,
            data=whole.source,
            data_fingerprint=samples.fingerprint,
            split=split_name(whole),
            label_rule=whole.label_rule,
            chosen_on=config.chosen_on,
            chosen_before=tuple(map(words_for, config.chosen_before)),
            selected_split=selected is not None,
            tta=tta,
            label_sets=judged,
            **figures,
            mistakes=tuple(
                Mistake(places[index], judged.labels[truth[index]], *_said(probabilities[index], judged))
                for index in worst
            ),
            leak=None if training is None else find_leak(config, samples, right, training),
            slices=None if columns is None else slice_accuracy(right, columns, samples.source),
            pipeline=None if seen is None else seen.figures(right, self.recognizer.detector),
            notes=(*notes, *_warnings(config, whole, selected, photos)),
            truth=truth,
            probabilities=probabilities,
            places=places,
            worst=cut(replace(_SHEET, margin=config.input.margin, align=config.input.align), worst),
        )


def _of_labels(samples: Samples, labels: Iterable[str], of_weights: LabelSet) -> Samples:
    """The faces of these labels. One that neither the data nor the weights have is a slip, and leaves nothing out."""
    wanted = LabelSet.of(labels)
    for label in wanted:
        if label not in samples.labels and label not in of_weights:
            raise UnknownNameError("label", label, samples.labels)
    return samples.restrict(wanted)


def _worst(truth: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """The mistakes of which the network was surest, the surest first."""
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != truth)
    order = np.argsort(-probabilities[wrong].max(axis=1, initial=0), kind="stable")
    return wrong[order[:_WORST]]


def _said(probabilities: NDArray[np.float64], judged: Judged) -> tuple[str, float]:
    best = int(probabilities.argmax())
    return judged.labels[best], float(probabilities[best])


def _whose(config: WeightsConfig, selected: str) -> str:
    """Whose epoch it was that a split chose."""
    return "these weights" if selected == config.chosen_on else "the weights that these began from"


def _warnings(config: WeightsConfig, samples: Samples, selected: str | None, photos: bool) -> list[str]:
    """What makes the figures other than they seem."""
    notes = []
    if selected:
        whose = _whose(config, selected)
        notes.append(f"the epoch of {whose} was chosen on this very split: the figures flatter them")
    if trained_on(config, samples):
        notes.append("the weights were trained on these very faces: the figures say nothing of others")
    elif may_be_trained_on(config, samples):
        notes.append(
            "the weights were trained on data of this name: name it as training data to see how much they know"
        )
    height, width = samples.sizes.T
    oblong = float(((height > 1.25 * width) | (width > 1.25 * height)).mean())
    if oblong > 0.5 and not photos:
        notes.append(
            f"{oblong:.0%} of the pictures are far from square, and were taken for crops of faces: photos are judged "
            "with photos=True, in Python"
        )
    return notes
