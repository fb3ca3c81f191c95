"""Photos instead of crops: the largest face that a detector finds in each is what is judged."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from facemotion.crops import cut, without_margin
from facemotion.detectors.detector import takes_pictures_for_faces
from facemotion.evaluation.findings import Pipeline
from facemotion.evaluation.metrics import accuracy_of
from facemotion.images import read_image

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from facemotion.data.samples import Samples
    from facemotion.inputs import InputSpec
    from facemotion.recognizer import Detects
    from facemotion.results import Face, Pixels


@dataclass(frozen=True)
class FoundFaces:
    """Samples that are photos, with the largest face of each; None where no face was found.

    are_faces: the detector says that they are faces already, which need no margin.
    """

    samples: Samples
    faces: list[Face | None]
    are_faces: bool = False

    @classmethod
    def of(
        cls, samples: Samples, detector: Detects, progress: Callable[[int, int], object] | None = None
    ) -> FoundFaces:
        faces = []
        for index in range(len(samples)):
            found = detector.detect(read_image(samples.read(index)))
            faces.append(max(found, key=lambda face: face.box.area, default=None))
            if progress is not None:
                progress(index + 1, len(samples))
        return cls(samples, faces, takes_pictures_for_faces(detector))

    @cached_property
    def found(self) -> NDArray[np.bool_]:
        """(n,): in which photos a face was found."""
        return np.array([face is not None for face in self.faces], bool)

    def crops(self, spec: InputSpec, indices: NDArray[np.int64]) -> Pixels:
        """The found faces as a network wants them; `indices` count the photos with a face alone."""
        spec = without_margin(spec) if self.are_faces else spec
        with_face = np.flatnonzero(self.found)
        crops = np.empty((len(indices), spec.size, spec.size, spec.channels), np.uint8)
        for place, index in enumerate(with_face[indices].tolist()):
            face = self.faces[index]
            assert face is not None
            crops[place] = cut(read_image(self.samples.read(index)), [face], spec)[0]
        return crops

    def figures(self, right: NDArray[np.bool_], detector: Detects) -> Pipeline:
        """What is told of the whole pipeline. right: of each photo, False where no face was found."""
        found = self.found
        share, over_all = accuracy_of(found), accuracy_of(right)
        return Pipeline(
            detector=getattr(detector, "name", type(detector).__name__),
            photos=len(found),
            with_face=int(found.sum()),
            found_share=share["accuracy"],
            found_ci95=share["ci95"],
            accuracy_found=accuracy_of(right[found])["accuracy"],
            accuracy_all=over_all["accuracy"],
            accuracy_all_ci95=over_all["ci95"],
            without_face=tuple(self.samples.place(int(index)) for index in np.flatnonzero(~found)),
        )
