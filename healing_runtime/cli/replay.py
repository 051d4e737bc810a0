"""`heal replay`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from healing_runtime.cli import output

PLACE = 20


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command("replay", epilog="Example: heal replay runs/20260101T120000Z-neuro_lander-1a2b --verify")(replay)


def replay(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    verify: Annotated[
        bool, typer.Option("--verify", help="Demand the recorded result row by row, bit for bit.")
    ] = False,
    controller: Annotated[str | None, typer.Option(help="Fly another controller on the recorded scenario.")] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Execute a recorded run again; --verify compares bit for bit.

    Inputs are the manifest and the recorded proposals; no brain is asked.

    Exit code: 0 as recorded, 2 unreadable record, 3 something differs (the tick and the signal are named).
    """
    from healing_runtime.app import flights

    with output.progress() as progress:
        result = flights.replay(run, verify=verify, controller=controller, narrate=progress.phase)
    document = dict(result.document)
    output.emit(document, as_json, lambda: _text(document))
    raise typer.Exit(result.exit_code)


def _text(document: dict[str, Any]) -> list[str]:
    if "divergence" not in document:
        return [f"outcome: {output.word(document['outcome'])}", f"digest: {document['digest']}"]
    found = document["divergence"]
    if found is not None:
        at = f"tick {found['tick']}, {found['topic']}: " if found["tick"] is not None else ""
        return [f"{output.word('diverged')}: {at}{found['what']}", *_differences(document)]
    extent = "the whole record" if document["complete"] else "the record up to its last whole row (it was cut off)"
    digest = f"digest {document['digest']}" if document.get("recorded_digest") else "no digest was recorded"
    return [f"{output.word('identical')}: {extent}, {document['messages']} rows, {digest}"]


def _differences(document: dict[str, Any]) -> list[str]:
    """What else differs between then and now; without it, equality to the last bit is promised."""
    words = {"same_fingerprint": "machine or package versions", "same_simulation": "code of the simulation"}
    return [f"note: not on the recorded {what}" for key, what in words.items() if not document.get(key, True)]
