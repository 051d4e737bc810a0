"""`heal check`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from healing_runtime.cli import output

PLACE = 30


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command(
        "check", epilog="Example: heal check controllers/lander/neuro_pilot.py assertions/lander/landing.yaml"
    )(check)


def check(
    files: Annotated[
        list[str] | None,
        typer.Argument(help="Controllers, assertion files, scenarios, folders; the whole workspace if left out."),
    ] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Check controllers, assertions and scenarios; fly nothing.

    Exit code: 0 nothing found (warnings do not count), 2 an error was found.
    """
    from healing_runtime.app.check import check as check_files

    report = check_files(files or ())
    output.emit(report.document, as_json, lambda: _text(report.document))
    raise typer.Exit(0 if report.clean else 2)


def _text(document: dict[str, Any]) -> list[str]:
    lines = [
        f"{_place(f)}: {output.word(f['severity'])}: {output.first_line(f['message'])}" for f in document["findings"]
    ]
    rows = [
        (
            f["id"],
            f["severity"],
            f["zero_delay"],
            _horizon(f["horizon_s"]),
            f"{f['memory_bytes']} B",
            f["steps_per_tick"],
            f["file"],
        )
        for f in document["formulas"]
    ]
    if rows:
        lines += [""] if lines else []
        lines += output.table(rows, ("formula", "severity", "zero-delay", "decided in", "memory", "steps", "file"))
    errors = sum(f["severity"] == "error" for f in document["findings"])
    counts = f"{output.count(len(document['files']), 'file')} checked, {output.count(errors, 'error')}"
    return [*lines, counts, f"in {output.number(document['elapsed_s'])} s"]


def _horizon(seconds: float | None) -> str:
    return "the run" if seconds is None else f"{output.number(seconds)} s"


def _place(finding: dict[str, Any]) -> str:
    return ":".join(str(part) for part in (finding["path"], finding["line"], finding["column"]) if part)
