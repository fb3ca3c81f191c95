"""A calibrated copy of weights: the same tensors with another temperature."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facemotion.classifier import Classifier, StoredNetwork
from facemotion.data.parts import own_split, part_of, split_name
from facemotion.errors import DataError, WeightsError
from facemotion.evaluation.calibration import (
    calibration_error,
    fit_temperature,
    log_loss,
    log_probabilities,
    reliability,
)
from facemotion.evaluation.leak import may_be_trained_on
from facemotion.evaluation.reading import read_faces
from facemotion.evaluation.views import probabilities_of
from facemotion.file_names import at_home
from facemotion.weights.folder import read_config, read_folder, write_folder
from facemotion.weights.sources import resolve
from facemotion.weights.spec import CONFIG, HOTTEST, MODEL

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from facemotion.data.samples import Samples
    from facemotion.weights.spec import WeightsConfig


# figures that another temperature makes untrue
_OF_A_TEMPERATURE = ("ece", "log_loss")
# by how much warmer a network is looked at again whose probabilities are too small for a float32
_WARMER = 16.0


@dataclass(frozen=True)
class Calibration:
    """What `calibrate` did: on which faces, the temperature before and after, and what became of the figures.

    ece_before, ece_after: expected calibration error; log_loss likewise: mean negative log-likelihood. They are those
    of the faces that the one number was fitted on: what the error is on others an evaluation of the copy says.
    """

    weights: str
    out: str
    data: str
    split: str | None
    label_rule: str | None
    count: int
    temperature_before: float
    temperature: float
    ece_before: float
    ece_after: float
    log_loss_before: float
    log_loss_after: float


def calibrate(
    weights: str | os.PathLike[str],
    data: Samples | str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    split: str | None = None,
    label_rule: str | None = None,
    batch_size: int = 64,
    device: str = "auto",
    progress: Callable[[int, int], object] | None = None,
) -> Calibration:
    """Fit the temperature on the validation split and write a calibrated copy of the weights into the folder `out`.

    The tensors are copied byte by byte, packed ones stay packed, and the weights that came in are never changed.
    Without `split` it is the data's validation split, or all of it where no split of it is known; a test split is
    refused.
    """
    target = at_home(out)
    source = resolve(weights)
    config, tensors = read_folder(source.folder, source.pins)
    _refuse_to_overwrite(target, source.folder, config.files.get(MODEL))
    samples = _validation(read_faces(data, config.label_set, label_rule), split, config)

    def seen_at(temperature: float) -> NDArray[np.float64]:
        warm = dataclasses.replace(config, temperature=temperature)
        # the very bytes that are copied
        classifier = Classifier(StoredNetwork(warm, tensors, str(source.folder / MODEL)), warm, device=device)
        return probabilities_of(classifier, samples.crops, len(samples), batch_size=batch_size, progress=progress)

    seen, warmth = seen_at(config.temperature), config.temperature
    # a zero was too small for a float32, and does not tell how small: at a higher temperature it is none
    while seen.min() < np.finfo(np.float32).tiny and warmth < HOTTEST:
        warmth = min(_WARMER * warmth, HOTTEST)
        seen = seen_at(warmth)
    factors = config.temperature / warmth, fit_temperature(seen, samples.targets)
    temperature = warmth * factors[1]
    if not 1 / HOTTEST <= temperature <= HOTTEST:
        wanted = f"{1 / HOTTEST:g} to {HOTTEST:g}"
        raise DataError("no temperature fits that weights may have", samples.source, wanted, f"{temperature:g}")
    before, after = (np.exp(log_probabilities(seen, factor)) for factor in factors)
    losses = [log_loss(seen, samples.targets, factor) for factor in factors]
    done = Calibration(
        weights=os.fspath(weights),
        out=str(target),
        data=samples.source,
        split=split_name(samples),
        label_rule=samples.label_rule,
        count=len(samples),
        temperature_before=config.temperature,
        temperature=temperature,
        ece_before=calibration_error(reliability(before, samples.targets)),
        ece_after=calibration_error(reliability(after, samples.targets)),
        log_loss_before=losses[0],
        log_loss_after=losses[1],
    )
    write_folder(target, _calibrated(config, done, samples.fingerprint), tensors)
    return done


def _calibrated(config: WeightsConfig, done: Calibration, fingerprint: str) -> WeightsConfig:
    """The config with the new temperature and what is told of it, without the figures that it makes untrue."""
    told: dict[str, Any] = {
        "data": done.data,
        "split": done.split or "",
        "label_rule": done.label_rule,
        "count": done.count,
        "fingerprint": fingerprint,
        "temperature": done.temperature,
        "ece_before": done.ece_before,
        "ece_after": done.ece_after,
    }
    # what an earlier calibration found is no longer true
    kept = [each for each in config.metrics if "temperature" not in each]
    metrics = (*({key: value for key, value in each.items() if key not in _OF_A_TEMPERATURE} for each in kept), told)
    return dataclasses.replace(config, temperature=done.temperature, metrics=metrics)


def _refuse_to_overwrite(target: Path, source: Path, tensors: str | None) -> None:
    if target.resolve() == source.resolve():
        raise WeightsError(f"{target} holds the weights themselves, which are never changed: name another folder")
    if (target / CONFIG).exists() and read_config(target).files.get(MODEL) != tensors:
        raise WeightsError(f"{target} holds other weights already: name another folder")


def _validation(samples: Samples, split: str | None, config: WeightsConfig) -> Samples:
    """The faces to fit on, numbered as the weights are."""
    chosen = part_of(samples, "val") if split is None else samples.select(split)
    if own_split(samples, "test") in chosen.split_counts():
        wanted = "a validation split (a temperature fitted on the test faces says nothing of others)"
        raise DataError("this is the test part", samples.source, wanted, split_name(chosen))
    if not len(chosen):
        raise DataError("no face to fit on", samples.source, "at least one", "none")
    unknown = [label for label, count in chosen.counts().items() if count and label not in config.label_set]
    if unknown:
        wanted = f"faces of {', '.join(config.labels)} alone (Samples.restrict leaves out others)"
        raise DataError("labels that the weights don't know", samples.source, wanted, ", ".join(unknown))
    numbered = chosen.restrict(config.label_set)
    if any(each.get("fingerprint") == numbered.fingerprint for each in config.trained_on):
        raise DataError("the weights were trained on these faces", samples.source, "a validation split", split)
    chosen_on = [each.get("fingerprint") for each in config.metrics if "temperature" not in each]
    if numbered.fingerprint not in chosen_on and may_be_trained_on(config, chosen):
        wanted = "the part that chose the epoch: in Python split_samples(read_data(...), share, seed).select('val')"
        raise DataError("the weights were trained on faces of this data", samples.source, wanted, split or "all of it")
    return numbered
