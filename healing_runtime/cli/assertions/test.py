"""`heal assertions test`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from healing_runtime.cli import output

PLACE = 20


def register(group: typer.Typer) -> None:
    """Add the command."""
    group.command("test", epilog="Example: heal assertions test flight.csv --assertions lander/landing")(test)


def test(
    recording: Annotated[str, typer.Argument(help="A run's folder or id, a CSV file, or an MCAP file.")],
    assertions: Annotated[
        list[str] | None,
        typer.Option("--assertions", help="An assertion file; a run's own if left out. May be repeated."),
    ] = None,
    wanted: Annotated[
        list[str] | None, typer.Option("--id", help="Judge this assertion; all of them if left out. May be repeated.")
    ] = None,
    rate: Annotated[str | None, typer.Option(help="How often the file was sampled, as in '48 Hz'.")] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--column", help="What a column of the file is, as in 'alt=altitude [m]'. May be repeated."),
    ] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Judge a recording by assertions, as if it were flown now.

    Says of each assertion what became of it, and which clause, which signal and which instant made it so.

    Exit code: 0 nothing is violated, 1 something is violated or invalid, 2 the input is wrong.
    """
    from healing_runtime.app.assertions.test import test as judge

    document = judge(recording, assertions or (), wanted or (), rate=rate, columns=columns or ())
    output.emit(document, as_json, lambda: _text(document))
    raise typer.Exit(1 if document["violated"] else 0)


def _text(document: dict[str, Any]) -> list[str]:
    span = f"{output.number(document['from_s'])} s to {output.number(document['to_s'])} s"
    samples = output.count(document["samples"], "sample")
    lines = [f"{document['recording']}: {samples} at {output.number(document['rate_hz'])} Hz, {span}"]
    lines += [f"note: {note}" for note in document["notes"]]
    rows = [
        (a["status"], a["id"], a["severity"], _robustness(a["robustness"]), _instant(a["first_violation"]))
        for a in document["assertions"]
    ]
    lines += ["", *output.table(rows, ("verdict", "assertion", "severity", "robustness", "first violation")), ""]
    return [*lines, *(f"{a['id']}: {output.first_line(a['reason'])}" for a in document["assertions"])]


def _robustness(value: float | str | None) -> str:
    return "none" if value is None else output.number(value)


def _instant(found: dict[str, Any] | None) -> str:
    return "" if found is None else f"{found['t_s']:.6g} s"
