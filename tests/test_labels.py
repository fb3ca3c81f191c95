from __future__ import annotations

import pickle

import pytest

from facemotion import DataError, LabelSet, UnknownNameError


def test_the_known_sets_are_in_the_order_that_networks_use() -> None:
    assert LabelSet.named("fer7").labels == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    assert LabelSet.named("ferplus8").labels == (
        "neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt",
    )  # fmt: skip
    assert LabelSet.named("basic5").labels == ("angry", "happy", "neutral", "sad", "surprise")
    assert LabelSet.named("mood5").labels == ("angry", "fear", "happy", "neutral", "sad")
    assert {name: labels.name for name, labels in LabelSet.known().items()} == {
        name: name for name in ("fer7", "ferplus8", "basic5", "mood5")
    }


@pytest.mark.parametrize(
    ("spelling", "label"),
    [
        ("angry", "angry"),
        ("Anger", "angry"),
        ("Surprised", "surprise"),
        ("happiness", "happy"),
        ("4_sad", "sad"),
        ("04 - Sadness", "sad"),
        ("3. fear", "fear"),
        (" FEARFUL ", "fear"),
        ("disgusted", "disgust"),
    ],
)
def test_a_label_answers_to_its_spellings(spelling: str, label: str) -> None:
    labels = LabelSet.named("fer7")
    assert labels.find(spelling) == label
    assert labels[labels.index(spelling)] == label
    assert spelling in labels


def test_an_unknown_label_brings_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'happy'"):
        LabelSet.named("fer7").find("hapy")
    assert "contempt" not in LabelSet.named("fer7")
    assert 3 not in LabelSet.named("fer7")


def test_ones_own_labels_keep_their_spelling_and_their_order() -> None:
    own = LabelSet.of(["Tired", "wide awake", "2"])
    assert list(own) == ["Tired", "wide awake", "2"]
    assert own.name is None
    assert own.find("tired") == "Tired"
    assert own.find("wide_awake") == "wide awake"
    assert own.find("2") == "2"


def test_a_set_spelt_with_an_alias_understands_the_usual_word() -> None:
    assert LabelSet.of(["anger", "joy"]).find("angry") == "anger"


@pytest.mark.parametrize("labels", [[], ["a", ""], ["happy", "Happy"], ["anger", "angry"], [1, 2], ["a", "a"]])
def test_labels_that_no_set_can_have(labels: list[object]) -> None:
    with pytest.raises(DataError):
        LabelSet.of(labels)  # type: ignore[arg-type]  # wrong on purpose


def test_a_word_is_no_list_of_labels() -> None:
    with pytest.raises(DataError, match=r"a list of words, got 'sad'"):
        LabelSet("sad")  # type: ignore[arg-type]  # its letters would be


def test_of_takes_what_people_have() -> None:
    fer7 = LabelSet.named("fer7")
    assert LabelSet.of(fer7) is fer7
    assert LabelSet.of("fer7") == fer7 == LabelSet.of(fer7.labels)
    assert pickle.loads(pickle.dumps(fer7)) == fer7
    assert len({fer7, LabelSet.of("fer7")}) == 1
    with pytest.raises(UnknownNameError, match="did you mean 'fer7'"):
        LabelSet.of("fer8")


def test_known_emotions_in_any_spelling_and_labels_of_ones_own() -> None:
    assert LabelSet(("Happiness", "4_sad", "contempt")).emotions
    assert all(LabelSet.named(name).emotions for name in LabelSet.known())
    assert not LabelSet(("happy", "tired")).emotions


def test_letters_of_two_characters_are_those_of_one() -> None:
    """As a Mac writes the names of folders: u and two dots."""
    labels = LabelSet(("müde", "wach", "straße"))
    assert labels.find("mu\u0308de") == "müde"
    assert labels.find("STRASSE") == "straße"
    assert LabelSet(("mu\u0308de", "wach")).index("Müde") == 0


def test_labels_that_a_number_alone_tells_apart_are_told_why_they_are_one() -> None:
    number = "a number before it is no part of it"
    with pytest.raises(DataError, match=f"each label once, and {number}, got '2 stars' and '3 stars'"):
        LabelSet(("1 star", "2 stars", "3 stars"))
    for labels in (("happy", "joy"), ("4 sad", "4_sadness")):
        with pytest.raises(DataError, match="expected each label once, got"):
            LabelSet(labels)
