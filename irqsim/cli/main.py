"""The group of commands, and what every one of them shares: how it ends.

Commands are imported when they are used, so that each starts as fast as if it were alone.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Final, NoReturn

import click

from irqsim.cli.messages import complain, put, say
from irqsim.errors import IrqsimError
from irqsim.scenario.names import hint
from irqsim.trace.output import write_error

INTERRUPTED: Final = 130
TERMINATED: Final = 143
READER_GONE: Final = 141

COMPLETION: Final = "_IRQSIM_COMPLETE"
"""The variable by which a shell asks for completions."""

COMMANDS: Final[dict[str, str]] = {
    "run": "irqsim.cli.run",
    "check": "irqsim.cli.check",
    "convert": "irqsim.cli.convert",
    "import": "irqsim.cli.import_",
    "validate": "irqsim.cli.validate",
    "new": "irqsim.cli.new",
    "list": "irqsim.cli.list",
    "schema": "irqsim.cli.schema",
    "report": "irqsim.cli.report",
    "diff": "irqsim.cli.diff",
    "explain": "irqsim.cli.explain",
    "narrate": "irqsim.cli.narrate",
}


class Commands(click.Group):
    """Finds a command NAME as `command` in its module."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command; None if there is no such one."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(COMMANDS[cmd_name]).command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find it, or name the one that was meant."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"no command {args[0]!r}{hint(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        import importlib.metadata

        try:
            put(f"irqsim {importlib.metadata.version('irqsim')}\n")
        except importlib.metadata.PackageNotFoundError:
            put("irqsim (not installed)\n")
        ctx.exit()


@click.group(
    cls=Commands,
    # Nothing that is printed depends on the terminal.
    context_settings={"terminal_width": 80, "help_option_names": ["-h", "--help"]},
    epilog="\b\nExample:\n  irqsim new minimal | irqsim run -",
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False,
              callback=_print_version, help="Print the version.")
def commands() -> None:
    """Simulate how Linux serves interrupts on an ARM machine, and print the ftrace log."""


def main() -> NoReturn:
    """Run the command line and end the process with its status."""
    for stream, errors in ((sys.stdout, "surrogateescape"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors=errors, newline="\n")
    if sys.stdin is None:
        # Closed: reading it is an error of the user's, and not of a program that finds None.
        sys.stdin = open(os.devnull, "w", encoding="utf-8")
    with contextlib.suppress(AttributeError, ValueError):
        signal.signal(signal.SIGTERM, _terminate)
    status = call(sys.argv[1:])
    if sys.stdout is not None:
        try:
            sys.stdout.flush()
        except OSError:
            _drop_output()
    sys.exit(status)


def call(args: Sequence[str]) -> int:
    """Run a command and return its exit status."""
    completion = os.environ.get(COMPLETION)
    if completion:
        from click.shell_completion import shell_complete

        return shell_complete(commands, {}, "irqsim", COMPLETION, completion)
    try:
        # Not click's own main(), which has another status for a reader that went away.
        with commands.make_context("irqsim", list(args)) as context:
            return commands.invoke(context) or 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        say("")
        return INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return READER_GONE
    except IrqsimError as error:
        return complain(error)
    except OSError as error:
        if error.filename is not None:
            return complain(IrqsimError(f"{error.filename}: {error.strerror}"))
        _drop_output()
        return complain(write_error(error))


def _terminate(signum: int, frame: FrameType | None) -> NoReturn:
    """Leave by the way that removes what is half written."""
    sys.exit(TERMINATED)


def _drop_output() -> None:
    """Forget what standard output has not taken, so that Python does not try again."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
