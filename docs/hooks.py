"""What the documentation takes from elsewhere: the figures of the weights, the model cards, the changelog.

`python docs/hooks.py` writes the table of weights into the README, and draws its picture again.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from facemotion import list_weights
from facemotion.weights.listing import WeightsInfo

ROOT = Path(__file__).resolve().parent.parent
FILES = ROOT / "src" / "facemotion" / "weights" / "files"
BEGIN, END = "<!-- weights: made by docs/hooks.py -->", "<!-- /weights -->"
_CARDS = "cards"


def weights_table() -> str:
    """The emotion networks of the package as a Markdown table; its figures are those of the catalogue and the cards."""
    heads = ("name", "right on the test part", "calibration error", "ms a face", "size", "labels")
    rows = [heads, ("---",) * len(heads)]
    for number, info in enumerate(list_weights("emotion")):
        name = f"`{info.name}`" + (" (default)" if number == 0 else "")
        told = _figures(info)
        low, high = (f"{100 * float(bound):.1f}" for bound in told["ci95"].split(" to "))
        rule = f" by {told['label_rule']}" if told.get("label_rule") else ""
        right = f"{told['accuracy']:.1%} of {told['data']} {told['split']}{rule} (95%: {low} to {high})"
        size = f"{info.size / 1e6:.1f} MB"
        rows.append((name, right, f"{told['ece']:.1%}", f"{info.speed_ms:.1f}", size, ", ".join(info.labels)))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _figures(info: WeightsInfo) -> dict[str, Any]:
    """The measurement in the weights' own config that the catalogue's figure is of."""
    wanted = {key: value for key, value in info.metrics.items() if key != "accuracy"}
    measured = json.loads((FILES / info.name / "config.json").read_text("utf-8"))["metrics"]
    [found] = [
        each
        for each in measured
        if all(each.get(key) == value for key, value in wanted.items()) and not each.get("tta")
    ]
    return dict(found)


def with_table(text: str) -> str:
    """A page with the table between its two marks."""
    return re.sub(f"{BEGIN}.*?{END}", lambda _: f"{BEGIN}\n{weights_table()}\n{END}", text, flags=re.DOTALL)


def card(name: str) -> str:
    """A model card as a page: without what only the hub reads, and headed by its name."""
    text = (FILES / name / "README.md").read_text("utf-8").partition("---\n\n")[2]
    return re.sub(r"\A# .*", f"# {name}", text)


def changelog() -> str:
    return (ROOT / "CHANGELOG.md").read_text("utf-8")


def on_config(config: Any) -> Any:
    """List the cards under their heading, whichever weights there are."""
    names = [folder.name for folder in sorted(FILES.iterdir()) if (folder / "README.md").is_file()]
    for section in config.nav:
        for item in section.get("Reference", []) if isinstance(section, dict) else []:
            if "Model cards" in item:
                item["Model cards"] = [{name: f"{_CARDS}/{name}.md"} for name in names]
    return config


def on_files(files: Any, config: Any) -> Any:
    """Make pages of the cards and the changelog."""
    from mkdocs.structure.files import File

    for folder in sorted(FILES.iterdir()):
        if (folder / "README.md").is_file():
            files.append(File.generated(config, f"{_CARDS}/{folder.name}.md", content=card(folder.name)))
    files.append(File.generated(config, "changelog.md", content=changelog()))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    return with_table(markdown)


def draw_picture() -> Any:
    """The portrait's upper part with what the default network says of it."""
    from facemotion import EmotionRecognizer
    from facemotion.drawing import draw
    from facemotion.images import read_image

    image = read_image(ROOT / "examples" / "images" / "astronaut.jpg")
    return draw(image, EmotionRecognizer.from_pretrained().predict(image), bars=True)[:280]


if __name__ == "__main__":
    from facemotion.images import write_jpeg

    write_jpeg(ROOT / "docs" / "images" / "astronaut.jpg", draw_picture())
    readme = ROOT / "README.md"
    readme.write_text(with_table(readme.read_text("utf-8")), "utf-8")
