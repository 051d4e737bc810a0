"""The search for a counterexample: what it found, as a document and as scenario files."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healing_runtime.core import codec
from healing_runtime.core.errors import InputError
from healing_runtime.core.platform import pin_environment

if TYPE_CHECKING:
    from healing_runtime.campaign.falsify import Finding
    from healing_runtime.campaign.tally import Shown
    from healing_runtime.supervisor.preparation import Prepared
    from healing_runtime.telemetry.progress import Progress

COUNTEREXAMPLE, SHRUNK = "counterexample.yaml", "shrunk.yaml"


def falsify(
    scenario: str | Path,
    *,
    assertion: str | None = None,
    seed: int | None = None,
    flights: int = 200,
    keep_going: bool = False,
    sigmas: float = 3.0,
    out: Path | None = None,
    resume: Path | None = None,
    workers: int = 2,
    progress: Progress,
) -> dict[str, Any]:
    """Search a scenario for a flight that breaks an assertion.

    The document says what was searched, what was found and where the record lies; that and the times apart it is the
    record's `result.json`, which depends on nothing but what is searched.

    Raises:
        InputError: what is wrong with the scenario, an option or the folder.
    """
    if out is not None and resume is not None:
        raise InputError("--out begins a search and --resume goes on with one; give one of them.")
    pin_environment()
    from healing_runtime.campaign.falsify import Wish, search_for
    from healing_runtime.supervisor.preparation import prepare

    started = time.monotonic()
    prepared = prepare(scenario)
    folder = out if resume is None else resume
    wish = Wish(assertion, seed, flights, keep_going, sigmas, folder, resume is not None, workers)

    def conclude(finding: Finding) -> dict[str, Any]:
        document = codec.plain(_document(prepared, finding))
        _write_scenarios(prepared, finding)
        finding.record.conclude(document)
        return {**document, "folder": str(finding.record.folder), "newly_flown": finding.record.flown}

    document = search_for(prepared, wish, progress.phase, progress.advance, conclude)
    return {**document, "wall_time_s": round(time.monotonic() - started, 3)}


def _document(prepared: Prepared, finding: Finding) -> dict[str, Any]:
    tally, found = finding.tally, finding.counterexample
    return {
        "scenario": prepared.scenario.name,
        "controller": prepared.source.sha256,
        "outcome": "counterexample" if found else "nothing_decided" if tally.least is None else "not_found",
        "seed": finding.seed,
        "space": [vars(axis) for axis in finding.space.axes],
        "flights": tally.flown,
        "shrinking_flights": finding.shrinking_flights,
        "violations": tally.violations,
        "ended_early": dict(tally.ended_early),
        "assertions": [
            {
                "id": id,
                **{word: seen[word] for word in ("true", "false", "invalid", "unknown", "vacuous")},
                "robustness": tally.lowest[id].robustness if id in tally.lowest else None,
                "robustness_scaled": tally.lowest[id].robustness_scaled if id in tally.lowest else None,
            }
            for id, seen in tally.statuses.items()
        ],
        "unverified": list(tally.unverified),
        "least": None if tally.least is None else _shown(finding, tally.least),
        "counterexample": None if found is None else {**_shown(finding, found), "file": COUNTEREXAMPLE},
        "shrunk": None
        if finding.shrunk is None
        else {
            **_shown(finding, finding.shrunk),
            "file": SHRUNK,
            "share": finding.share,
        },
    }


def _shown(finding: Finding, shown: Shown) -> dict[str, Any]:
    """A flight that had a verdict."""
    verdict, scenario = shown.score.verdict, shown.scenario
    assert verdict is not None
    tick = shown.outcome.trip_tick if verdict.id in shown.outcome.tripped else verdict.worst_tick
    return {
        "flight": shown.flight,
        "assertion": verdict.id,
        "status": verdict.status.word,
        "robustness": verdict.robustness,
        "robustness_scaled": verdict.robustness_scaled,
        "t_s": None if tick is None else tick / scenario.control_hz,
        "at": dict(finding.space.values_of(shown.scenario)),
        "seed": scenario.seed,
    }


def _write_scenarios(prepared: Prepared, finding: Finding) -> None:
    from healing_runtime.campaign.counterexample import write_scenario

    name, searched = prepared.scenario.name, f"seed {finding.seed}, {finding.tally.flown} flights"
    for shown, file, how in (
        (finding.counterexample, COUNTEREXAMPLE, "the least robustness that was found"),
        (
            finding.shrunk,
            SHRUNK,
            f"{100 * finding.share:.3g} % of the way from the nominal scenario to {COUNTEREXAMPLE}",
        ),
    ):
        if shown is None or shown.score.verdict is None:
            continue
        verdict = shown.score.verdict
        margin = f", robustness {verdict.robustness:.6g}, scaled {verdict.robustness_scaled:.6g}"
        said = verdict.status.word + ("" if math.isnan(verdict.robustness) else margin)
        remarks = (
            f"A counterexample to {verdict.id} in {name}: {how}.",
            f"Found by heal assertions falsify ({searched}): {said}.",
            f"Fly it with: heal run {finding.record.folder / file} --brain none",
        )
        write_scenario(finding.record.folder / file, prepared, shown.scenario, remarks)
