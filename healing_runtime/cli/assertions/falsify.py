"""`heal assertions falsify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from healing_runtime.cli import output

PLACE = 40


def register(group: typer.Typer) -> None:
    """Add the command."""
    example = "Example: heal assertions falsify quadrotor/landing --assertion touchdown-speed --flights 100"
    group.command("falsify", epilog=example)(falsify)


def falsify(
    scenario: Annotated[str, typer.Argument(help="A scenario: a path, or a name as 'heal catalogue list' shows it.")],
    assertion: Annotated[
        str | None, typer.Option(help="Id of the assertion; the critical ones and the mission together if left out.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**31 - 1, help="Seed of the search; the scenario's if left out.")
    ] = None,
    flights: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many flights may be flown.")] = 200,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Go on after a violation, to the least robustness the budget finds.")
    ] = False,
    sigmas: Annotated[
        float, typer.Option(min=0.01, max=100.0, help="How far a normal quantity is searched, in sigmas.")
    ] = 3.0,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the search; a new one in <workspace>/runs/falsify if left out.")
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Folder of a search that was interrupted; go on with it.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=8, help="Flights at the same time; changes no result.")] = 2,
    as_json: output.JsonFlag = False,
) -> None:
    """Search for a flight that breaks an assertion.

    Initial state, environment, faults and noise are searched; what may vary, and how far, is the scenario's 'perturb'.
    Exit code: 0 none was found, which proves nothing; 1 a
    counterexample was found and written as a scenario; 2 wrong input.
    """
    from healing_runtime.app.assertions.falsify import falsify as search

    with output.progress() as progress:
        document = search(
            scenario,
            assertion=assertion,
            seed=seed,
            flights=flights,
            keep_going=keep_going,
            sigmas=sigmas,
            out=out,
            resume=resume,
            workers=workers,
            progress=progress,
        )
    output.emit(document, as_json, lambda: _text(document))
    raise typer.Exit(1 if document["counterexample"] else 0)


def _text(document: dict[str, Any]) -> list[str]:
    flown = output.count(document["flights"], "flight")
    found, least, shrunk = document["counterexample"], document["least"], document["shrunk"]
    if found:
        which = "the nominal scenario" if found["flight"] == 0 else f"flight {found['flight']}"
        lines = [f"{output.word('violated')}: {found['assertion']} in {which} of {flown}"]
        lines += _flight(found, document)
    elif least:
        lines = [f"no counterexample in {flown}; that is no proof that there is none", "least robustness:"]
        lines += _flight(least, document)
    else:
        lines = [f"nothing was decided in {flown}"]
    if shrunk:
        share = "by its noise alone" if shrunk["share"] == 0 else f"{100 * shrunk['share']:.3g} % of the way there"
        lines += ["", f"nearer to the nominal scenario ({share}):", *_flight(shrunk, document)]
    lines += [
        "",
        *output.table(_rows(document), ("assertion", "true", "false", "invalid", "undecided", "least scaled")),
    ]
    lines += _remarks(document)
    more = f" and {document['shrinking_flights']} to shrink" if document["shrinking_flights"] else ""
    return [*lines, f"{flown}{more} in {document['wall_time_s']:.1f} s; record: {document['folder']}"]


def _flight(shown: dict[str, Any], document: dict[str, Any]) -> list[str]:
    margin = f"{output.number(shown['robustness'])} (scaled {output.number(shown['robustness_scaled'])})"
    when = "" if shown["t_s"] is None else f" at {output.number(shown['t_s'])} s"
    lines = [f"  {shown['assertion']}: {output.word(shown['status'])}, robustness {margin}{when}"]
    nominal = {axis["name"]: axis["nominal"] for axis in document["space"]}
    lines += [f"  {name} = {value:.6g} (nominal {nominal[name]:.6g})" for name, value in shown["at"].items()]
    if file := shown.get("file"):
        lines.append(f"  heal run {Path(document['folder']) / file} --brain none")
    return lines


def _rows(document: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [
        (a["id"], a["true"], a["false"], a["invalid"], a["unknown"] + a["vacuous"], _least(a))
        for a in document["assertions"]
    ]


def _least(assertion: dict[str, Any]) -> str:
    """A margin without a bound (a yes or no) says nothing as a number."""
    decided = assertion["true"] + assertion["false"] + assertion["invalid"]
    scaled = assertion["robustness_scaled"]
    return "-" if not decided or scaled in ("inf", "-inf") else output.number(scaled)


def _remarks(document: dict[str, Any]) -> list[str]:
    lines = []
    if unverified := document["unverified"]:
        lines.append(f"vacuous or unknown in every flight, so not verified: {', '.join(unverified)}")
    for id, count in document["ended_early"].items():
        lines.append(
            f"{output.count(count, 'flight')} ended early because {id} was violated, which was not searched for"
        )
    return ["", *lines] if lines else []
