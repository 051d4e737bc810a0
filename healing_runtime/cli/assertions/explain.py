"""`heal assertions explain`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from healing_runtime.cli import output

PLACE = 10


def register(group: typer.Typer) -> None:
    """Add the command."""
    group.command("explain", epilog="Example: heal assertions explain quadrotor/landing")(explain)


def explain(
    file: Annotated[str, typer.Argument(help="An assertion file: a path or a catalogue name.")],
    as_json: output.JsonFlag = False,
) -> None:
    """Say in English what each assertion of a file demands."""
    from healing_runtime.app.assertions.explain import explain as read

    document = read(file)
    output.emit(document, as_json, lambda: _text(document))


def _text(document: dict[str, Any]) -> list[str]:
    lines = []
    for entry in document["assertions"]:
        lines += [f"{entry['id']} ({entry['severity']})", f"  {entry['english']}"]
    return lines
