"""`heal bench speed`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from healing_runtime.cli import output

PLACE = 90


def register(program: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Measure this machine.", no_args_is_help=True, epilog="Example: heal bench speed")
    group.command("speed", epilog="Example: heal bench speed --only P1 --only P6 --json")(speed)
    program.add_typer(group, name="bench")


def speed(
    only: Annotated[
        list[str] | None, typer.Option(help="A subject by its number (P1, P4, P10, P15); repeatable.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the JSON document here too.")] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Run the speed benchmarks. Needs a checkout.

    Each is a ratio against a limit that is measured in the same run.
    """
    from healing_runtime.app import bench

    with output.progress() as progress:
        document = bench.speed(tuple(only or ()), out=out, progress=progress)
    output.emit(document, as_json, lambda: _text(document))


def _text(document: dict[str, Any]) -> list[str]:
    rows = [
        (
            r["subject"],
            r["what"],
            r["ours"],
            r["limit"],
            r["ratio"],
            r["spread"],
            r["must_reach"],
            "ok" if r["reached"] else "missed",
        )
        for r in document["results"]
    ]
    header = ("subject", "what", "ours", "limit", "ratio", "spread", "must reach", "verdict")
    machine = document["machine"]
    return [
        *output.table(rows, header),
        "",
        f"{machine['cpu_model']}, {machine['visible_cores']} cores, NPROC={machine['nproc']}",
    ]
