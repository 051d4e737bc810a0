"""`heal assertions explain`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from healing_runtime.cli import output
from healing_runtime.core.errors import InputError

PLACE = 10


def register(group: typer.Typer) -> None:
    """Add the command."""
    group.command("explain", epilog="Example: heal assertions explain quadrotor/landing touchdown-speed")(explain)


def explain(
    file: Annotated[str | None, typer.Argument(help="An assertion file: a path or a catalogue name.")] = None,
    ids: Annotated[list[str] | None, typer.Argument(help="Assertions and missions; all if left out.")] = None,
    formula: Annotated[str | None, typer.Option("--formula", help="Read this formula instead of a file.")] = None,
    robot: Annotated[str | None, typer.Option("--robot", help="Whose signals --formula uses.")] = None,
    tolerance: Annotated[str | None, typer.Option("--tolerance", help="What '==' allows for in --formula.")] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Say in English what each assertion of a file demands."""
    from healing_runtime.app.assertions.explain import explain as read
    from healing_runtime.app.assertions.explain import explain_formula

    if (file is None) == (formula is None):
        raise InputError("give an assertion file, or --formula with --robot.")
    if (formula is None) != (robot is None):
        raise InputError("--formula and --robot belong together; give both.")
    if tolerance is not None and formula is None:
        raise InputError("--tolerance belongs to --formula; in a file it is a key of the assertion.")
    if formula is not None and robot is not None:
        document = explain_formula(formula, robot, tolerance)
        output.emit(document, as_json, lambda: [document["english"]])
    else:
        document = read(file or "", ids or ())
        output.emit(document, as_json, lambda: _text(document))


def _text(document: dict[str, Any]) -> list[str]:
    lines = []
    for entry in document["assertions"]:
        traced = ", ".join(filter(None, (entry["severity"], entry["requirement"])))
        lines += [
            f"{entry['id']} ({traced})",
            f"  {entry['english']}",
            f"  formula: {' '.join(entry['formula'].split())}",
        ]
        if entry["rationale"]:
            lines.append(f"  because: {' '.join(entry['rationale'].split())}")
    return lines
