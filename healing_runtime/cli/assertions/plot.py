"""`heal assertions plot`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from healing_runtime.cli import output

PLACE = 30
_EXAMPLE = "Example: heal assertions plot flight.csv --assertions quadrotor/landing --output flight.html"


def register(group: typer.Typer) -> None:
    """Add the command."""
    group.command("plot", epilog=_EXAMPLE)(plot)


def plot(
    recording: Annotated[str, typer.Argument(help="A run (its folder or id), a CSV file or an MCAP file.")],
    assertions: Annotated[
        list[str] | None,
        typer.Option("--assertions", help="An assertion file; a run's own if left out. May be repeated."),
    ] = None,
    ids: Annotated[
        list[str] | None, typer.Option("--id", help="Draw this assertion; all of them if left out. May be repeated.")
    ] = None,
    outputs: Annotated[
        list[Path] | None,
        typer.Option("--output", help="A .png or .html file to write; both, named after the recording, if left out."),
    ] = None,
    out_dir: Annotated[
        Path | None, typer.Option("--out-dir", help="Folder of the files that are not named; made if need be.")
    ] = None,
    rate: Annotated[
        str | None, typer.Option("--rate", help="How often the file was sampled, where it does not tell: '48 Hz'.")
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--column", help="What a column of the file is, as in 'alt=altitude [m]'. May be repeated."),
    ] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Draw timelines of assertions over a recording.

    Exit code: 0 the files are written, whatever the verdicts; 2 the input is wrong.
    """
    from healing_runtime.app.assertions.plot import plot as draw

    document = draw(
        recording, assertions or (), ids or (), outputs or (), out_dir=out_dir, rate=rate, columns=columns or ()
    )
    output.emit(document, as_json, lambda: _text(document))


def _text(document: dict[str, Any]) -> list[str]:
    rows = [
        (entry["id"], entry["status"], _seconds(entry["violated_t_s"]), _seconds(entry["worst_t_s"]))
        for entry in document["assertions"]
    ]
    lines = output.table(rows, ("assertion", "status", "violated at", "worst at"))
    lines += [f"note: {note}" for note in document["notes"]]
    return [*lines, "", *(f"{file['path']}{' (replaced)' * file['replaced']}" for file in document["files"])]


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.3f} s"
