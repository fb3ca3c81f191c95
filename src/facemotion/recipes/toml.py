"""Plain TOML values to typed dataclasses, strictly, and back."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import tomllib
from collections.abc import Mapping
from datetime import date, time
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

from facemotion.errors import RecipeError, UnknownNameError
from facemotion.labels import LabelSet


def check(kind: type, values: Mapping[str, Any], place: str) -> Any:
    """An instance of a dataclass from plain values; a RecipeError names an unknown key or a wrong value."""
    if not isinstance(values, Mapping):
        raise RecipeError("wrong value", place, "a table", repr(values))
    hints = get_type_hints(kind)
    names = [each.name for each in dataclasses.fields(kind)]
    for key in values:
        if key not in names:
            inside = [f"{table}.{key}" for table in names if key in _keys(hints[table])]
            meant = f"Did you mean {' or '.join(inside)}?" if inside else None
            raise RecipeError(str(UnknownNameError("key", key, names, meant)), place)
    arguments = {key: _convert(hints[key], _plain(value), f"{place}: {key}") for key, value in values.items()}
    try:
        return kind(**arguments)
    except ValueError as error:
        raise RecipeError(str(error), place) from error


def _keys(hint: Any) -> list[str]:
    """The keys of a table, none of any other value."""
    return [each.name for each in dataclasses.fields(hint)] if dataclasses.is_dataclass(hint) else []


def _convert(hint: Any, value: Any, place: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return value if isinstance(value, hint) else check(hint, value, place)
    if get_origin(hint) is dict:
        _refuse_odd(value, place)
    if _fits(hint, value):
        return tuple(value) if isinstance(value, list) else float(value) if hint is float else value
    raise RecipeError("wrong value", place, _describe(hint), repr(value))


def _refuse_odd(value: Any, place: str) -> None:
    """A RecipeError for what neither the recipe of a training nor the config of its weights can hold."""
    if isinstance(value, dict):
        for key, each in value.items():
            _refuse_odd(each, f"{place}.{key}")
    elif isinstance(value, list):
        for each in value:
            _refuse_odd(each, place)
    elif not isinstance(value, str | int | float | None):
        got = f"{value} (text is in quotes)" if isinstance(value, date | time) else repr(value)
        raise RecipeError("wrong value", place, "text, a number, true, false, a list or a table", got)


def _plain(value: Any) -> Any:
    """What programs have in hand, numbers and arrays of numpy, label sets and paths, as TOML would give it."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, LabelSet):
        return list(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return {key: _plain(each) for key, each in value.items()} if isinstance(value, dict) else value


def _fits(hint: Any, value: Any) -> bool:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in (Union, UnionType):
        return any(_fits(choice, value) for choice in arguments)
    if origin is Literal:
        return value in arguments
    if origin is tuple:
        return isinstance(value, list | tuple) and all(_fits(arguments[0], item) for item in value)
    if origin is dict:
        return isinstance(value, dict)
    if hint is float:
        # a whole number may be too large for a float
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def _describe(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join(_describe(choice) for choice in arguments if choice is not NoneType)
    if origin is Literal:
        return " or ".join(map(repr, arguments))
    if origin is tuple:
        return f"a list, each {_describe(arguments[0])}"
    words = {float: "a number", int: "a whole number", bool: "true or false", str: "text"}
    return words.get(hint, "a table")


def parse_value(text: str) -> Any:
    """The value that a text means in TOML (0.01, true, [1, 2]); text that is no TOML value means itself.

    So does a date: no key holds one, but a folder may be called so.
    """
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return text if isinstance(value, date | time) else value


def given(value: Any) -> Any:
    """A value without what is None in its tables and lists: TOML has no word for nothing."""
    if isinstance(value, Mapping):
        return {key: given(each) for key, each in value.items() if each is not None}
    if isinstance(value, list | tuple):
        there = [given(each) for each in value if each is not None]
        return tuple(there) if isinstance(value, tuple) else there
    return value


def to_toml(values: Mapping[str, Any]) -> str:
    """Plain values as TOML: single values first, then a table for each mapping."""
    return "\n".join(_table(values, ())) + "\n"


def check_text(text: str, place: str) -> None:
    """A RecipeError where TOML can't be kept in a file: names of files may be no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        key, _, value = text[text.rfind("\n", 0, error.start) + 1 :].partition("\n")[0].partition(" = ")
        what = "a recipe can't keep a name that is not UTF-8: give the file or folder another"
        got = value.encode("ascii", "backslashreplace").decode()
        raise RecipeError(what, f"{place}: {key}", got=got) from error


def _table(values: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    inner = {key: value for key, value in values.items() if isinstance(value, Mapping)}
    lines = [f"{_key(key)} = {_value(value)}" for key, value in values.items() if key not in inner]
    if path and (lines or not inner):
        lines = ["", f"[{'.'.join(map(_key, path))}]", *lines]
    for key, value in inner.items():
        lines += _table(value, (*path, key))
    return lines


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else json.dumps(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, Mapping):  # one in a list: others are tables of their own
        return f"{{{', '.join(f'{_key(key)} = {_value(each)}' for key, each in value.items())}}}"
    if isinstance(value, str):
        # JSON's escapes are TOML's, but for DEL, which TOML wants escaped
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)
