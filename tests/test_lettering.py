from __future__ import annotations

from facemotion.lettering import shortened, told_apart, writable


def test_what_a_font_lacks_loses_its_accent_or_becomes_a_question_mark() -> None:
    assert writable("müde, Żal ½ ok?") == "mude, Zal 12 ok?"
    # the accent as a letter of its own
    assert writable("mu\u0308de") == "mude"
    assert writable("眠い") == "??"
    assert writable("müde радость 眠い", "müde радость".__contains__) == "müde радость ??"


def test_letters_that_have_no_accent_to_lose_are_spelt_out() -> None:
    assert (
        writable("große Łódź, kjøtt, đak, Ærø, œuf, Þór, \u0131s\u0131")
        == "grosse Lodz, kjott, dak, Aero, oeuf, Thor, isi"
    )
    assert writable("l\u2019été \u2013 là") == "l'ete - la"
    # an accent on such a letter goes alone, where the font has the letter itself
    assert writable("ǿ ß", "ø ß".__contains__) == "ø ß"


def test_names_of_which_letters_are_lost_are_told_apart_by_their_numbers() -> None:
    assert told_apart(["müde", "眠い", "wach?", "怒り"]) == {
        "müde": "mude",
        "眠い": "2 ??",
        "wach?": "wach?",
        "怒り": "4 ??",
    }


def test_names_that_are_one_without_their_accents_are_told_apart_by_their_numbers() -> None:
    assert told_apart(["große", "wach", "grosse"]) == {"große": "1 grosse", "wach": "wach", "grosse": "3 grosse"}


def test_a_name_that_is_too_long_keeps_both_its_ends() -> None:
    assert shortened("camera on the left", lambda text: len(text) <= 12) == "camera ..eft"
    assert shortened("left", lambda text: len(text) <= 12) == "left"
    # nothing fits: a letter is left, so that there is something to see
    assert shortened("left", lambda _: False) == "l.."


def test_names_that_are_one_when_they_are_shortened_are_told_apart_by_their_numbers() -> None:
    names = ["camera 1 on the left", "camera 2 on the left", "camera 2 on the right"]
    assert list(told_apart(names, fits=lambda text: len(text) <= 12).values()) == [
        "1 camer..eft",
        "2 camer..eft",
        "camera ..ght",
    ]
