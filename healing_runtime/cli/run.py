"""`heal run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from healing_runtime.cli import interrupt, output, reviewing
from healing_runtime.core.errors import InputError

PLACE = 10
_OPEN = {
    "vacuous": "ended vacuous: it was never asked for",
    "unknown": "ended unknown: the run was over before it was decided",
}
"""What a mission may end with besides `true` and a violation."""


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command("run", epilog="Example: heal run lander/neuro_lander --seed 7 --json")(run)


def run(
    scenario: Annotated[
        str | None, typer.Argument(help="A scenario: a path, or a name as 'heal catalogue list' shows it.")
    ] = None,
    brain: Annotated[
        str | None,
        typer.Option(
            help="Who proposes repairs: embedded (the default), gemini[:MODEL], cassette:FILE, mock:FILE or none."
        ),
    ] = None,
    no_brain_fallback: Annotated[
        bool, typer.Option("--no-brain-fallback", help="Abort where a remote brain cannot be reached.")
    ] = False,
    policy: Annotated[
        str | None, typer.Option(help="On a violation: freeze or rewind; the scenario's if left out.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**31 - 1, help="Seed of noise and search; the scenario's if left out.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for run records; <workspace>/runs if left out.")] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Exit 1 also when a warning is broken, an assertion ends unknown or vacuous, or a fault never begins.",
        ),
    ] = False,
    no_memory: Annotated[
        bool, typer.Option("--no-memory", help="Ask the brain at once, not the patch memory; leave nothing in it.")
    ] = False,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Go on with a run that waits for approval or was killed; it names the rest."),
    ] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Fly a scenario; heal the controller when it breaks a promise.

    Exit code: 0 succeeded or healed, 1 fallback or violated, 2 wrong input, 4 aborted, 5 a patch waits for approval,
    130 Ctrl-C; --resume goes on with it.
    """
    from healing_runtime.app import flights

    chosen = {"SCENARIO": scenario, "--brain": brain, "--policy": policy, "--seed": seed}
    given = [name for name, value in chosen.items() if value is not None] + ["--no-memory"] * no_memory
    if resume is not None and given:
        raise InputError(f"a run goes on as it began; leave {' and '.join(given)} out beside --resume.")
    if resume is None and scenario is None:
        raise InputError("name a scenario to fly, or a run to go on with: heal run SCENARIO, heal run --resume RUN.")
    with interrupt.told(), output.progress() as progress:
        choices: dict[str, Any] = {
            "brain_fallback": not no_brain_fallback,
            "out": out,
            "strict": strict,
            "approve": reviewing.asker(progress) if output.on_terminal() and not as_json else None,
            "narrate": progress.phase,
        }
        if resume is not None:
            result = flights.resume(resume, **choices)
        else:
            asked = {"brain": brain or "embedded", "policy": policy, "seed": seed, "memory": not no_memory}
            result = flights.run(str(scenario), **asked, **choices)
    document = dict(result.document)
    output.emit(document, as_json, lambda: summary(document, result.folder))
    raise typer.Exit(result.exit_code)


def summary(document: dict[str, Any], folder: Path) -> list[str]:
    """A run for people: the outcome first, then what was promised, what went wrong, and where the record lies."""
    mission = document.get("mission")
    lines = [f"{document['scenario']}: {output.word(document['outcome'])}"]
    if mission:
        lines.append(_mission(mission))
    rows = [(a["id"], a["status"], _margin(a["robustness"]), _at(a.get("worst_t_s"))) for a in document["assertions"]]
    lines += ["", *output.table(rows, ("assertion", "status", "robustness", "worst at"))]
    for incident in document["incidents"]:
        lines += ["", *_incident(incident)]
    lines += _fallback(document["fallback"]) if document.get("fallback") else []
    broken = [
        a for a in document["assertions"] if a.get("severity") == "warning" and a["status"] in ("false", "invalid")
    ]
    if broken:
        lines += ["", f"warnings broken: {', '.join(map(_when_broken, broken))}"]
    silent = [a["id"] for a in document["assertions"] if a["status"] == "vacuous"]
    if silent:
        lines += ["", f"vacuous, so not verified (the trigger never came true): {', '.join(silent)}"]
    for number, fault in enumerate(document["faults"]):
        if fault["when"] and fault["onset"] is None:
            lines += ["", f"faults[{number}] never began: its formula was never true"]
    flown = f"{document['ticks']} ticks, {output.number(document['sim_time_s'])} s simulated"
    lines += ["", f"{flown} in {document['wall_time_s']:.1f} s", f"record: {folder}"]
    if document["outcome"] == "awaiting_approval":
        lines += ["", *reviewing.how_to_go_on(document, folder)]
    why = document.get("reason") or _why_unhealed(document)
    return [*lines, f"{output.word(document['outcome'])}: {why}"] if why else lines


def _fallback(fallback: dict[str, Any]) -> list[str]:
    """Who flew on, from where, why, and what it broke besides."""
    at = f"{output.number(fallback['t_s'])} s (tick {fallback['tick']})"
    lines = ["", f"fallback {fallback['controller']} flew from {at} on: {fallback['cause'].replace('_', ' ')}"]
    if fallback["action_step"]:
        steps = (f"{column} {step:+.4g}" for column, step in fallback["action_step"].items())
        lines.append(f"  action step: {', '.join(steps)}")
    for broken in fallback["violated"]:
        lines.append(f"  {broken['id']} violated at {output.number(broken['t_s'])} s, recorded")
    return lines


def _mission(mission: dict[str, Any]) -> str:
    if mission.get("status") == "vacuous":
        return f"mission not satisfied: {_OPEN['vacuous']}"
    verb = "satisfied" if mission["satisfied"] else "not satisfied"
    margin = _margin(mission["robustness"])
    return f"mission {verb}" + (f", robustness {margin}" if margin != "-" else "")


def _when_broken(assertion: dict[str, Any]) -> str:
    at = _at(assertion.get("violated_t_s"))
    return assertion["id"] + (f" at {at}" if at else "") + (" (invalid)" if assertion["status"] == "invalid" else "")


def _why_unhealed(document: dict[str, Any]) -> str:
    """What ended the repair of the last incident, where the run ended with it."""
    last = document["incidents"][-1] if document["incidents"] else None
    return "" if last is None or last["healed"] else last.get("detail", "")


def _incident(incident: dict[str, Any]) -> list[str]:
    lines = [f"incident {incident['id']}: {_what_became(incident)}"]
    for attempt in incident["attempts"]:
        reason = f" at {attempt['stage']}: {attempt['reason']}" if attempt["verdict"] == "refused" else ""
        lines.append(f"  {attempt['brain']}: {output.word(attempt['verdict'])}{reason}")
    if incident["healed"]:
        lines.append(f"  healed in {incident['time_to_heal_s']:.2f} s by patch {incident['patch'][:19]}")
    elif incident.get("detail"):
        lines.append(f"  not healed: {incident['detail']}")
    return lines


def _what_became(incident: dict[str, Any]) -> str:
    name, status, margin = incident["assertion"], incident.get("status"), _margin(incident["robustness"])
    at = f"at {output.number(incident['t_s'])} s (tick {incident['tick']})"
    if status in _OPEN:
        return f"mission {name} {_OPEN[status]}, {at}"
    if status == "invalid":
        lost = ", ".join(f"{signal} is {state}" for signal, state in incident.get("lost_signals", {}).items())
        return f"{name} invalid {at}: {lost or 'it cannot be calculated'}"
    return f"{name} violated {at}" + (f", robustness {margin}" if margin != "-" else "")


def _margin(robustness: Any) -> str:
    """A margin for people; one without a bound (no trigger, a yes or no) says nothing as a number."""
    return "-" if robustness in ("inf", "-inf") else output.number(robustness)


def _at(t_s: float | None) -> str:
    return "" if t_s is None else f"{output.number(t_s)} s"
