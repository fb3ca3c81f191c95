"""The frame of the command line: finds commands lazily, and turns errors and signals into one line and an exit code."""

from __future__ import annotations

import logging
import os
import signal
import sys
import warnings
from contextlib import suppress
from importlib import import_module
from types import FrameType
from typing import Any, NoReturn

import click

from facemotion.cli.streams import fall_silent, make_streams_safe, shown_lines, tell_fault
from facemotion.errors import FacemotionError
from facemotion.file_names import working_folder
from facemotion.version import __version__

# where each command lives, and its line in the help, which is shown without importing it
_COMMANDS = {
    "predict": ("facemotion.cli.predict", "Show the emotions of every face in pictures."),
    "video": ("facemotion.cli.video", "Follow the emotions of every face through a video."),
    "webcam": ("facemotion.cli.webcam", "Show the emotions of the faces before a camera, live."),
    "train": ("facemotion.cli.train", "Train a network on faces of your own; stop and go on at any moment."),
    "evaluate": (
        "facemotion.cli.evaluate",
        "Judge weights on faces with labels, with intervals, leaks and calibration.",
    ),
    "weights": ("facemotion.cli.weights", "See, fetch, verify, convert and pack weights."),
    "export": ("facemotion.cli.export", "Write weights as an ONNX file, checked against torch."),
    "data": ("facemotion.cli.data", "Look into data sets of faces, and prepare them for a training."),
    "benchmark": ("facemotion.cli.benchmark", "Measure how fast every step is on this machine."),
    "doctor": ("facemotion.cli.doctor", "Show what is installed here, what works, and what would mend the rest."),
}


class _LazyGroup(click.Group):
    """A group that imports a command only when it is run or asked for its own help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(_COMMANDS[cmd_name][0]), cmd_name)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "" in args:  # a path of nothing is the folder that one stands in
            raise click.UsageError("an argument is empty: a variable that is not set?", ctx)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except BrokenPipeError:
            fall_silent()  # the reader went away (`| head`): what it wanted it has
            return 0

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Results go to stdout, everything else to stderr. `facemotion COMMAND --help` shows an example.",
)
@click.version_option(__version__, message="facemotion %(version)s")
@click.option("-v", "--verbose", count=True, help="Say more on stderr; twice for debugging, with tracebacks.")
def cli(verbose: int) -> None:
    """The emotions of every face in a photo, a video or a webcam; train and judge your own networks."""
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter())
    logging.basicConfig(level=level, handlers=[handler])
    if verbose < 2:  # of metadata that nobody asked for; what can't be read is said in a line of our own
        warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        working_folder()
    except FacemotionError as error:  # what needs no folder goes on; torch ends the process without a word of it
        logging.getLogger(__name__).warning("%s", error)


class _Formatter(logging.Formatter):
    """Messages as a terminal may be shown them: names of files are words of strangers."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return shown_lines(super().formatMessage(record))


# what a shell makes of SIGINT and SIGTERM
_INTERRUPTED = (130, 143)


class _Terminated(BaseException):
    """SIGTERM or a closed terminal, raised where the program stands, so that files are closed on the way out."""


def _on_terminate(signum: int, frame: FrameType | None) -> NoReturn:
    raise _Terminated


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 a FacemotionError, 2 wrong usage, 130 or 143 interrupted."""
    signal.signal(signal.SIGTERM, _on_terminate)
    # what runs under nohup goes on when its terminal is closed
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _on_terminate)
    make_streams_safe()
    code = _run(arguments)
    if code in _INTERRUPTED:
        # files are closed by now; the interpreter would still wait for a thread that reads what never comes
        with suppress(OSError):
            sys.stdout.flush()
        os._exit(code)
    sys.exit(code)


def _run(arguments: list[str] | None) -> int:
    try:
        result: Any = cli.main(arguments, standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except FacemotionError as error:
        return _failed(error, str(error))
    except OSError as error:  # a full or read-only disk, a place that one may not write to
        if error.errno is None:
            raise
        return _failed(error, f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror))
    except (KeyboardInterrupt, click.Abort):
        click.echo("facemotion: interrupted", err=True)
        return _INTERRUPTED[0]
    except _Terminated:
        with suppress(OSError):  # a terminal that was closed takes no more
            click.echo("facemotion: terminated", err=True)
        return _INTERRUPTED[1]


def _failed(error: Exception, text: str) -> int:
    tell_fault(error, text)
    return 1
