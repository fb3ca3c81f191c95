"""The emotions of every face in a photo: printed, and drawn onto a copy of it."""

from __future__ import annotations

import argparse
from pathlib import Path

from facemotion import EmotionRecognizer
from facemotion.drawing import draw
from facemotion.images import read_image, write_jpeg


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photo", type=Path)
    parser.add_argument("out", type=Path, help="the annotated copy, a JPEG")
    args = parser.parse_args()

    recognizer = EmotionRecognizer.from_pretrained()
    image = read_image(args.photo)
    faces = recognizer.predict(image)
    for face in faces:
        likeliest = sorted(face.scores, key=lambda label: -face.scores[label])[:3]
        print(", ".join(f"{label} {face.scores[label]:.1%}" for label in likeliest))
    if not faces:
        print("no face")
    write_jpeg(args.out, draw(image, faces, bars=True))


if __name__ == "__main__":
    main()
