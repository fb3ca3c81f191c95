from __future__ import annotations

import pickle
import re

import pytest

from facemotion import errors
from facemotion.errors import (
    ChecksumError,
    DataError,
    FacemotionError,
    ImageError,
    MissingExtraError,
    PluginError,
    RecipeError,
    UnknownNameError,
    VideoError,
    WeightsError,
)

EXAMPLES = [
    ImageError("not a picture", "a.jpg", expected="a JPEG", got="3 bytes"),
    DataError("wrong row", "fer.csv, row 7", expected="2304 pixels", got="2303"),
    RecipeError("wrong value", "my.toml: epochs", expected="a whole number", got="'x'"),
    UnknownNameError("backbone", "vgg15", ("vgg16", "cnn"), hint="Run this."),
    PluginError("detector 'x' of acme 1.0 can't be loaded", ["acme 1.0"]),
    VideoError("no camera: tried 0, 1, 2"),
    MissingExtraError("pip install 'facemotion[onnx]'"),
    ChecksumError("model.safetensors is damaged"),
]


def test_the_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    drawn = dict(re.findall(r"[├└│ ]+ (\w+Error)(?: \((\w+)\))?", errors.__doc__ or ""))
    built = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and name.endswith("Error")}
    assert set(drawn) | {"FacemotionError", "WeightsError"} == set(built)
    for name, parent in drawn.items():
        assert issubclass(built[name], FacemotionError)
        if parent:
            assert issubclass(built[name], __builtins__[parent])
    for name in ("DownloadError", "ChecksumError", "ConfigError"):
        assert issubclass(built[name], WeightsError)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_survives_the_way_home_from_a_worker(error: FacemotionError) -> None:
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert vars(back) == vars(error)


def test_a_mismatch_says_where_what_was_expected_and_what_came() -> None:
    error = DataError("wrong row", "fer.csv, row 7", expected="2304 pixels", got="2303")
    assert str(error) == "fer.csv, row 7: wrong row: expected 2304 pixels, got 2303"
    assert (error.place, error.expected, error.got) == ("fer.csv, row 7", "2304 pixels", "2303")
    assert str(ImageError("no such file", "a.jpg")) == "a.jpg: no such file"


def test_an_unknown_name_brings_the_nearest_and_all_choices() -> None:
    error = UnknownNameError("weights", "VGG16-5clas", ["vgg16-5class", "fast-8class"], hint="Run `x`.")
    assert error.nearest[0] == "vgg16-5class"
    assert str(error) == (
        "no weights is named 'VGG16-5clas'; did you mean 'vgg16-5class'? There is: vgg16-5class, fast-8class. Run `x`."
    )
    assert UnknownNameError("detector", "zzz", []).nearest == []
    assert str(UnknownNameError("detector", None, ["mini"])) == "no detector is named None. There is: mini."
    assert str(UnknownNameError("detector", "zzz", [])) == "no detector is named 'zzz'; there is no detector at all."
