"""What an evaluation found, as plain values; `report` writes them for people and for programs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from facemotion.evaluation.calibration import Bin
    from facemotion.evaluation.label_sets import Judged
    from facemotion.evaluation.leak import Leak
    from facemotion.evaluation.slices import Slicing
    from facemotion.results import Pixels


@dataclass(frozen=True)
class Mistake:
    """A face that was classified wrong: where it is, what it is, and what the network was how sure of."""

    place: str
    truth: str
    said: str
    probability: float


@dataclass(frozen=True)
class Pipeline:
    """Photos instead of crops: what detector looked for faces, in how many photos it found one, and the accuracy where
    it did and over all photos, where no face found is a mistake. Of several faces the largest is judged.
    """

    detector: str
    photos: int
    with_face: int
    found_share: float
    found_ci95: tuple[float, float]
    accuracy_found: float | None
    accuracy_all: float
    accuracy_all_ci95: tuple[float, float]
    without_face: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Findings:
    """The fields of a `Report`, whose docstring says what each is."""

    weights: str
    weights_sha256: str | None
    temperature: float
    data: str
    data_fingerprint: str
    split: str | None
    label_rule: str | None
    chosen_on: str | None
    chosen_before: tuple[str, ...]
    selected_split: bool
    tta: str | None
    label_sets: Judged = field(repr=False)
    count: int
    accuracy: float | None
    accuracy_ci95: tuple[float, float] | None
    top2: float | None
    macro_f1: float | None
    weighted_f1: float | None
    ece: float | None
    log_loss: float | None
    labels: tuple[str, ...]
    confusion: NDArray[np.int64] = field(repr=False)
    per_class: dict[str, dict[str, Any]] = field(repr=False)
    reliability: tuple[Bin, ...] = field(repr=False)
    mistakes: tuple[Mistake, ...] = field(repr=False)
    leak: Leak | None
    slices: tuple[Slicing, ...] | None
    pipeline: Pipeline | None
    notes: tuple[str, ...]
    truth: NDArray[np.int64] = field(repr=False)
    probabilities: NDArray[np.float64] = field(repr=False)
    places: tuple[str, ...] = field(repr=False)
    worst: Pixels = field(repr=False)
