"""The model card: what config.json says, for people and for the hub's page."""

from __future__ import annotations

import json

from facemotion.weights.spec import WeightsConfig, words_for

_HUB_LICENCES = {
    *("mit", "apache-2.0", "bsd-2-clause", "bsd-3-clause", "gpl-3.0", "lgpl-3.0", "agpl-3.0", "mpl-2.0", "unlicense"),
    *("cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "openrail", "unknown"),
}

_SIGN = "library_name: facemotion"


def card(config: WeightsConfig, name: str = "FOLDER_OR_NAME") -> str:
    """README.md of a weights folder. The first lines are what the hub reads: licence, library, task."""
    lines = ["---", _SIGN, "pipeline_tag: image-classification"]
    lines += _licence(config.licence)
    lines += ["tags: [facial-emotion-recognition, facemotion]", "---", "", "# Facial emotion recognition", ""]
    lines += [config.description, ""] if config.description else []
    lines += [
        f"- Network: `{config.backbone}`",
        f"- Labels: {', '.join(config.labels)}",
        f"- Input: {config.input.size} x {config.input.size}, {config.input.colour}",
        f"- Licence: {config.licence or 'not stated'}",
        f"- Trained on: {'; '.join(map(_pairs, config.trained_on)) or 'not stated'}",
        f"- Epoch chosen on: {config.chosen_on or 'not stated'}",
    ]
    if config.chosen_before:
        before = "; ".join(map(words_for, config.chosen_before))
        lines.append(f"- Began from weights whose epoch was chosen on: {before}")
    lines.append(f"- Packed: {packing_line(config)}")
    lines += ["", "## Figures", ""]
    lines += [f"- {_pairs(each)}" for each in config.metrics] or ["None were measured."]
    lines += [
        "",
        "## Use",
        "",
        "```python",
        "from facemotion import EmotionRecognizer",
        "",
        f'recognizer = EmotionRecognizer.from_pretrained("{name}")',
        'for face in recognizer.predict("photo.jpg"):',
        "    print(face.label, face.score)",
        "```",
        "",
        "A score says how sure the network is that people would call the expression by that label. It says nothing of",
        "what a person feels.",
    ]
    return "\n".join(lines) + "\n"


def is_card(text: str) -> bool:
    """Whether a README.md is a card of weights, by its first lines: people may have edited the rest."""
    front = text.partition("---")[2].partition("---")[0]
    return text.startswith("---") and _SIGN in front.splitlines()


def _licence(licence: str) -> list[str]:
    """The licence as the hub reads it: one of the names it knows, else "other" with a name of its own."""
    if not licence:
        return []
    if licence.lower() in _HUB_LICENCES:
        return [f"license: {licence.lower()}"]
    return ["license: other", f"license_name: {json.dumps(licence)}"]


def packing_line(config: WeightsConfig) -> str:
    """One line on how the tensors were packed and what that cost."""
    packing = config.packing
    how = ["int8 for each output"] if packing.int8 else []
    how += [f"{layer} through {rank}" for layer, rank in packing.ranks.items()]
    cost = []
    if packing.agreement is not None:
        cost.append(f"first label kept for {packing.agreement:.2%}")
    if packing.largest_difference is not None:
        cost.append(f"probabilities differ by at most {packing.largest_difference:.2g}")
    if packing.accuracy_before is not None and packing.accuracy_after is not None:
        cost.append(f"accuracy {packing.accuracy_before:.2%} before, {packing.accuracy_after:.2%} after")
    judged = f"; judged on {packing.judged_on}: {', '.join(cost)}" if packing.judged_on else "; not judged"
    return ", ".join(how) + judged if how else "no"


def _pairs(values: dict[str, object]) -> str:
    return ", ".join(
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in values.items()
        if value is not None
    )
