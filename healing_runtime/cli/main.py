"""The program: finds its commands, turns errors into one line and an exit code."""

from __future__ import annotations

import importlib
import pkgutil
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from healing_runtime import __version__, cli
from healing_runtime.cli import interrupt, output
from healing_runtime.core.errors import HealingError, Location
from healing_runtime.core.platform import pin_environment

INTERRUPTED = 130
_USER_FILE_ERRORS = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError, NotADirectoryError)


def main() -> NoReturn:
    """Entry point of `heal` and of `python -m healing_runtime`."""
    output.keep_stdout_for_us()
    interrupt.insist()
    sys.exit(execute(sys.argv[1:]))


def execute(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code. Nothing is raised: errors become one line on stderr."""
    as_json = "--json" in arguments
    pin_environment()
    try:
        code = build()(list(arguments), standalone_mode=False, prog_name="heal")
        sys.stdout.flush()
    except HealingError as error:
        return output.fail(error.message, error.exit_code, where=error.where, as_json=as_json)
    except typer.TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # the class itself is private in typer
            typer.echo(error.format_message(), err=True)
            return 2
        return output.fail(f"{_sentence(error.format_message())} Try heal --help.", 2, as_json=as_json)
    except (KeyboardInterrupt, typer.Abort):
        return output.fail("interrupted.", INTERRUPTED, as_json=False)
    except interrupt.Interrupted as error:
        return output.fail(str(error), INTERRUPTED, as_json=False)
    except (output.ReaderGone, BrokenPipeError):
        return output.abandon_stdout()
    except OSError as error:
        if output.stdout_is_full():
            return output.fail(output.not_printed(error).message, 4, as_json=False)
        code = 2 if isinstance(error, _USER_FILE_ERRORS) else 4
        where = Location(str(error.filename)) if error.filename else None
        return output.fail(f"{error.strerror or error}.", code, where=where, as_json=as_json)
    except Exception as error:
        if interrupt.pressed():
            return output.fail("interrupted.", INTERRUPTED, as_json=False)
        traceback.print_exc()
        return output.fail(f"this is a bug in heal: {type(error).__name__}: {error}", 4, as_json=as_json)
    if code == INTERRUPTED:
        output.fail("interrupted.", INTERRUPTED, as_json=False)
    return int(code or 0)


def build() -> typer.Typer:
    """The program with every command of this package, in the order of their `PLACE`."""
    program = typer.Typer(
        name="heal",
        help="Fly robot controllers under assertions; heal them when they break one.",
        epilog="Example: heal run lander/neuro_lander",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    program.callback()(_options)
    modules = [importlib.import_module(f"{cli.__name__}.{found.name}") for found in pkgutil.iter_modules(cli.__path__)]
    for module in sorted((m for m in modules if hasattr(m, "register")), key=lambda m: m.PLACE):
        module.register(program)
    return program


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"heal {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Fly robot controllers under assertions; heal them when they break one."""


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text if text.endswith((".", "!", "?")) else text + "."
