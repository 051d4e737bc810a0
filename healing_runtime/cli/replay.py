"""`heal replay`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    from_incident: Annotated[
        str | None, typer.Option(metavar="ID", help="Begin at an incident's snapshot; --controller takes over there.")
    ] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Execute a recorded run again; --verify compares bit for bit.

    Inputs are the manifest and the recorded proposals; no brain is asked. On another machine or with other versions
    --verify compares within a tolerance up to the first contact, and by outcome after it.

    Exit code: 0 as recorded, 2 unreadable record, 3 something differs (the tick and the signal are named).
    """
    from healing_runtime.app import flights

    with output.progress() as progress:
        result = flights.replay(
            run, verify=verify, controller=controller, from_incident=from_incident, narrate=progress.phase
        )
    document = dict(result.document)
    output.emit(document, as_json, lambda: [*_found(document), *_notes(document)])
    raise typer.Exit(result.exit_code)


def _found(document: Mapping[str, Any]) -> Iterator[str]:
    if "divergence" not in document:
        yield f"outcome: {output.word(document['outcome'])}"
        yield f"digest: {document['digest']}"
    elif (found := document["divergence"]) is not None:
        at = f"tick {found['tick']} (t = {found['t_s']:.4g} s)" if found["tick"] is not None else ""
        at += f", {found['topic']}" if at and found["topic"] else ""
        yield f"{output.word('diverged')}: {at and f'{at}: '}{found['what']}"
    elif document["compared"] == "bits":
        digest = f"digest {document['digest']}" if document["recorded_digest"] else "no digest was recorded"
        yield f"{output.word('identical')}: {_extent(document)}, {_parts(document)}, {digest}"
    else:
        yield f"{output.word('agrees')} within the tolerances below: {_extent(document)}, {_by_number(document)}"


def _extent(document: Mapping[str, Any]) -> str:
    whole = "the whole record" if "from_incident" not in document else "the record from the incident on"
    return whole if document["complete"] else f"{whole} up to its last whole row (it was cut off)"


def _parts(document: Mapping[str, Any]) -> str:
    """What was compared; docs/records.md names the few fields that are not."""
    parts = [output.count(document["messages"], "row")]
    if document["recorded_digest"]:
        parts.append("the result")
    if document["files"] is not None:
        parts.append(output.count(document["files"], "file") + " of incidents")
    return ", ".join(parts)


def _by_number(document: Mapping[str, Any]) -> str:
    rows, contact = document["rows_within_tolerance"], document["contact"]
    after = "the outcome" if document["complete"] else "nothing, for the run has no result"
    if contact is None:
        return f"{rows} rows by number; then {after}"
    return f"{rows} rows by number up to the first contact at t = {contact['t_s']:.4g} s; then {after}"


def _notes(document: Mapping[str, Any]) -> Iterator[str]:
    """Where it began, and what else differs between then and now: equality to the last bit is not promised then."""
    if (began := document.get("from_incident")) is not None:
        place = f"{began['id']} at t = {began['t_s']:.4g} s (tick {began['tick']})"
        how = "began at its snapshot" if began["start"] == "snapshot" else f"re-executed the recipe: {began['reason']}"
        yield f"from incident {place}: {how}"
    differences = document["fingerprint_differences"]
    if differences:
        told = ", ".join(f"{key} was {_short(d['recorded'])}, is {_short(d['here'])}" for key, d in differences.items())
        yield f"note: not on the recorded machine or package versions ({told})"
    if not document["same_simulation"]:
        yield "note: not on the recorded code of the simulation"
    if differences or not document["same_simulation"]:
        if "tolerance" not in document:
            yield "note: equality to the last bit is not promised"
        else:
            yield from _tolerances(document["tolerance"])


def _tolerances(tolerance: Mapping[str, float]) -> Iterator[str]:
    """A line for each topic; assertions one for all."""
    topics: dict[str, list[str]] = {}
    for name, value in tolerance.items():
        topic, _, signal = name.partition(":") if ":" in name else ("/assert", "", name.removeprefix("/assert/"))
        topics.setdefault(topic, []).append(f"{signal} {value:.3g}")
    for topic, entries in topics.items():
        yield f"tolerance of {topic}: {', '.join(entries)}"


def _short(value: Any) -> str:
    """A value of a fingerprint; a hash by its first digits."""
    text = str(value)
    return text if len(text) <= 24 else f"{text[:20]}…"
