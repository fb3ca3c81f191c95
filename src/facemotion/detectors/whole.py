"""`whole`: the picture is the face, as in data sets of crops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facemotion.crops import whole_face

if TYPE_CHECKING:
    from facemotion.results import Face, Pixels


class Whole:
    """Gives back one face, the size of the picture."""

    pictures_are_faces = True

    def __init__(self, *, min_score: float | None = None, device: str = "auto") -> None:
        """There is nothing to choose: the arguments are those of every detector."""

    def detect(self, image: Pixels) -> list[Face]:
        return [whole_face(image)]
