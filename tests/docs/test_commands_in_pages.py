"""Every command line in the documentation is one that the program takes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from pages import EXAMPLES, PAGES, blocks, commands, mentions, name

from facemotion.cli.main import cli


def parse(arguments: list[str], *, complete: bool = True) -> None:
    """A click.UsageError where the program would print one; complete: arguments may not be missing."""
    words = [word for word in arguments if word not in ("-v", "-vv")]
    if words in (["--help"], ["--version"]):
        return
    command: click.Command | None = cli
    while isinstance(command, click.Group) and (words or complete):
        found = command.get_command(click.Context(command), words[0]) if words else None
        if found is None:
            raise click.UsageError(f"no command: {' '.join(arguments)}")
        command, words = found, words[1:]
    if command is None or words == ["--help"] or not (words or complete):
        return
    try:
        command.make_context(command.name, words)
    except (click.MissingParameter, click.BadOptionUsage):
        if complete:
            raise


@pytest.mark.parametrize("page", [*PAGES, *EXAMPLES], ids=name)
def test_every_command_line_is_one_that_the_program_takes(page: Path) -> None:
    for block in blocks(page):
        for arguments in commands(block):
            try:
                parse(arguments)
            except click.UsageError as error:
                pytest.fail(f"line {block.line}: facemotion {' '.join(arguments)}: {error.format_message()}")
    for arguments in mentions(page):
        try:
            parse(arguments, complete=False)
        except click.UsageError as error:
            pytest.fail(f"in a sentence: facemotion {' '.join(arguments)}: {error.format_message()}")


def test_commands_are_found_and_wrong_ones_are_refused() -> None:
    found = [arguments for page in PAGES for block in blocks(page) for arguments in commands(block)]
    assert len(found) > 40
    assert ["predict", "/photos", "--json"] in found
    assert any(arguments[:1] == ["train"] and "/shared/runs/fast" in arguments for arguments in found)
    for wrong in (["predikt", "a.jpg"], ["predict"], ["predict", "a.jpg", "--wieghts", "x"], ["weights", "get", "x"]):
        with pytest.raises(click.UsageError):
            parse(wrong)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_as_the_pages_set_it_up(shell: str) -> None:
    program = [str(Path(sys.executable).with_name("facemotion"))]
    ask = os.environ | {"_FACEMOTION_COMPLETE": f"{shell}_source"}
    script = subprocess.run(program, env=ask, capture_output=True, text=True, check=True).stdout
    assert "_FACEMOTION_COMPLETE" in script
    words = {"COMP_WORDS": "facemotion pre", "COMP_CWORD": "pre" if shell == "fish" else "1"}
    ask = os.environ | words | {"_FACEMOTION_COMPLETE": f"{shell}_complete"}
    assert "predict" in subprocess.run(program, env=ask, capture_output=True, text=True, check=True).stdout
