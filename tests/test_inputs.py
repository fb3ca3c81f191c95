from __future__ import annotations

import json

import pytest

from facemotion import InputSpec

RGB = {"colour": "rgb", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


def test_a_spec_goes_through_json_and_back() -> None:
    for spec in (InputSpec(), InputSpec.from_dict({"size": 224, "margin": 0.2, "align": True, **RGB})):
        assert InputSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    assert (InputSpec().channels, InputSpec.from_dict(RGB).channels) == (1, 3)


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({"size": 4}, "size"),
        ({"size": 48.0}, "size"),
        ({"size": True}, "size"),
        ({"colour": "bgr"}, "colour"),
        ({"colour": "rgb"}, "mean"),
        ({"mean": [0.5, 0.5]}, "mean"),
        ({"mean": "0.5"}, "mean"),
        ({"mean": ["a"]}, "mean"),
        ({"std": [0.0]}, "std"),
        ({"std": [float("nan")]}, "std"),
        ({"margin": 5}, "margin"),
        ({"align": 1}, "align"),
        ({"sise": 48}, "sise"),
    ],
)
def test_a_wrong_value_is_named(values: dict[str, object], names: str) -> None:
    with pytest.raises(ValueError, match=f"^{names}: "):
        InputSpec.from_dict(values)
