"""`heal incidents list | show`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from healing_runtime.cli import output, stages

PLACE = 40


def register(program: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(
        help="What went wrong, from the ledger.", no_args_is_help=True, epilog="Example: heal incidents list"
    )
    group.command("list", epilog="Example: heal incidents list --json")(list_incidents)
    group.command("show", epilog="Example: heal incidents show 0001-soft-touchdown")(show_incident)
    program.add_typer(group, name="incidents")


def list_incidents(out: output.RunsOption = None, as_json: output.JsonFlag = False) -> None:
    """List every incident of this workspace, newest first."""
    from healing_runtime.app import history

    incidents, damaged = history.incidents(out)
    output.emit({"incidents": incidents, "damaged": damaged}, as_json, lambda: _rows(incidents))
    output.complain(damaged)


def show_incident(
    incident: Annotated[str, typer.Argument(help="An incident as ID or RUN/ID, or its first characters.")],
    out: output.RunsOption = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Show one incident with everything that was tried.

    Of each attempt, what every stage of the gate said, with its time and what it found.
    """
    from healing_runtime.app import history

    document = history.incident(incident, out)
    output.emit(document, as_json, lambda: _details(document))


def _rows(incidents: list[dict[str, Any]]) -> list[str]:
    rows = [
        (
            i["id"],
            i["scenario"],
            i["assertion"],
            f"{output.number(i['t_s'])} s",
            "yes" if i["healed"] else "no",
            i["run"],
        )
        for i in incidents
    ]
    return output.table(rows, ("incident", "scenario", "assertion", "at", "healed", "run")) or ["no incidents recorded"]


def _details(document: dict[str, Any]) -> list[str]:
    skipped = ("attempts", "same_id")
    lines = list(stages.fields(document, skipped))
    if document["same_id"] > 1:
        lines.insert(0, f"{document['same_id']} incidents fit, this is the newest; RUN/ID names another one")
    for n, attempt in enumerate(document["attempts"], 1):
        lines += ["", *stages.of_attempt(n, attempt)]
    return lines
