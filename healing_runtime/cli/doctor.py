"""`heal doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from healing_runtime.cli import output

PLACE = 80


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command("doctor", epilog="Example: heal doctor --repair runs/20260101T120000Z-neuro_lander-1a2b")(doctor)


def doctor(
    repair: Annotated[
        Path | None, typer.Option(help="Rewrite this run's truncated log so that public tools open it.")
    ] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Show versions, devices, confinement, brains; repair a record.

    It also says where executables are kept, how many, and whether that place can be used.

    With --repair, a truncated log is rewritten with an index, so that public tools open it. A folder that is not one
    run's record is refused (exit code 2) and left as it is.
    """
    from healing_runtime.app import doctor as examination

    document = examination.repair(repair) if repair else examination.examine()
    text = _repaired if repair else _examined
    output.emit(document, as_json, lambda: text(document))


def _repaired(document: dict[str, Any]) -> list[str]:
    whole = f"{document['log']}, {document['messages']} rows"
    if document["was_complete"]:
        return [f"nothing to repair: {whole}"]
    return [f"repaired: {whole}", f"it was cut off at {document['broken_at']}"]


def _examined(document: dict[str, Any]) -> list[str]:
    return [line for item in document.items() for line in _lines(*item)]


def _lines(key: str, value: Any) -> list[str]:
    title = key.replace("_", " ")
    if isinstance(value, dict):
        return [title, *(f"  {k}: {output.number(v)}" for k, v in value.items())]
    return [f"{title}: {', '.join(map(str, value)) or 'nothing' if isinstance(value, list) else output.number(value)}"]
