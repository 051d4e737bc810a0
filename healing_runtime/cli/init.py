"""`heal init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from healing_runtime.cli import output

PLACE = 60


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command("init", epilog="Example: heal init my_landing && cd my_landing && heal check")(init)


def init(
    folder: Annotated[Path, typer.Argument(help="The folder to make; it may exist as long as nothing is overwritten.")],
    as_json: output.JsonFlag = False,
) -> None:
    """Make a new workspace that flies as it is.

    It holds a controller, its assertions and a scenario.
    """
    from healing_runtime.app.scaffold import scaffold

    made = [str(path) for path in scaffold(folder)]
    output.emit(
        {"workspace": str(folder), "files": made},
        as_json,
        lambda: [*made, "", f"next: cd {folder} && heal check && heal run lander/first"],
    )
