"""A repair request as text: what a remote model is told, all of it, and nothing else.

The same request gives the same bytes. What a brain may not know is kept out twice: `RepairRequest` does not hold it,
and of what the gate's flights wrote down only counterexamples and counts are rendered (`_facts`).
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from typing import Any

from healing_runtime.brains import excerpt
from healing_runtime.core.records import AssertionFile, Attempt, RepairRequest, StageResult
from healing_runtime.core.signals import Layout, Signal, SignalTable
from healing_runtime.core.status import Severity, Stage

FULL_ATTEMPTS = 3
MAX_REASON_CHARS = 1200
MAX_DIFF_LINES = 80

_FLOWN = (Stage.FLIGHTS, Stage.PROBATION)
_TOLD_FLIGHTS = ("incident", "scenario", "regression", "probation")
_COUNTS = ("passed", "flown", "needed", "samples", "examinations_left")
_REPORTED = ("first_tick", "last_tick", "trip_tick", "robustness", "weakest")
_PLAIN = (str, int, float)


def render(request: RepairRequest, signals: SignalTable | None) -> str:
    """Render a request; with `signals` None the table is left out and the keys must be read off the source."""
    sections = (
        ("Incident", _incident(request)),
        ("Signals", _signals(signals)),
        ("Setting (nominal; the real robot may differ)", _setting(request)),
        ("What must hold", _assertions(request.files)),
        ("Controller", f"<controller>\n{request.source.rstrip()}\n</controller>"),
        ("Flight until the violation", _flight(request)),
        ("Sensitivity of the violated margin", _localisation(request)),
        ("Earlier attempts", _attempts(request)),
        ("Your task", _task(request)),
    )
    return "\n\n".join(f"## {title}\n{body}" for title, body in sections if body) + "\n"


def malformed(reason: str) -> str:
    """Return what a brain is told, once, after an answer outside the schema."""
    return (
        f"That answer could not be read: {reason}\n"
        "Send the whole answer again as one JSON object of the given schema, without code fences or text around it."
    )


# ---------------------------------------------------------------- sections
def _incident(request: RepairRequest) -> str:
    seconds = request.trip_tick / request.control_hz
    robustness = excerpt.number(request.robustness)
    lines = [
        f"robot: {request.robot}",
        f"controller: {request.controller}",
        f"violated: {request.assertion}",
        f"clause: {request.clause}",
        f"in words: {request.english}",
        f"when: tick {request.trip_tick} (t = {seconds:.3f} s), robustness {robustness} (negative: violated)",
    ]
    if math.isnan(request.robustness):
        lines.append("The margin is not a number: something the assertion reads became NaN.")
    return "\n".join(lines)


def _signals(signals: SignalTable | None) -> str:
    if signals is None:
        return ""
    parts = (
        ("obs (sensed), besides dt_s:", signals.observed),
        ("action (commanded; clamped to the limits):", signals.action),
        ("true signals (only assertions read these; control never sees them):", signals.true),
    )
    return "\n".join(f"{title}\n{_layout(layout)}" for title, layout in parts)


def _layout(layout: Layout) -> str:
    return "\n".join(_signal(s) for s in layout)


def _signal(signal: Signal) -> str:
    shape = f"shape {signal.shape}" if signal.shape else "scalar"
    parts = [f"- {signal.key}: {shape}"]
    if signal.components:
        parts.append("components " + " ".join(signal.components))
    if signal.unit:
        parts.append(f"unit {signal.unit}")
    if math.isfinite(signal.low) or math.isfinite(signal.high):
        parts.append(f"limits [{excerpt.number(signal.low)}, {excerpt.number(signal.high)}]")
    if math.isfinite(signal.rate_per_s):
        parts.append(f"at most {excerpt.number(signal.rate_per_s)} per second")
    if signal.description:
        parts.append(signal.description)
    return ", ".join(parts)


def _setting(request: RepairRequest) -> str:
    end_s = request.duration_ticks / request.control_hz
    return "\n".join(
        [
            f"control rate {request.control_hz} Hz, physics {request.physics_hz} Hz, "
            f"flight of {request.duration_ticks} ticks ({end_s:.4g} s), numbers are {request.dtype}",
            f"initial:\n{excerpt.mapping(request.initial)}",
            f"environment:\n{excerpt.mapping(request.environment)}",
            f"reference:\n{excerpt.mapping(request.reference)}",
        ]
    )


def _assertions(files: Sequence[AssertionFile]) -> str:
    return "\n\n".join(_assertion_file(file) for file in files)


def _assertion_file(file: AssertionFile) -> str:
    lines = [f"{name} = {value}" for name, value in file.constants.items()]
    lines += [f"{head} := {body}" for head, body in file.definitions.items()]
    for assertion in file.assertions:
        kind = "mission" if assertion.mission else "assertion"
        kind += " (warning only)" if assertion.severity is Severity.WARNING else ""
        lines.append(f"- {kind} {assertion.id}: {' '.join(assertion.formula.split())}")
        lines += [f"  {' '.join(text.split())}" for text in (assertion.requirement, assertion.rationale) if text]
    return "\n".join(lines)


def _flight(request: RepairRequest) -> str:
    columns = dict(request.log)
    text = excerpt.table(request.log_ticks, columns, request.control_hz)
    history = request.margin_history
    if history:
        first = request.trip_tick - len(history) + 1
        ticks = range(first, request.trip_tick + 1)
        text += "\n\nRobustness of the violated assertion:\n"
        text += excerpt.table(ticks, {"robustness": history}, request.control_hz)
    return text


def _localisation(request: RepairRequest) -> str:
    if not request.localisation:
        return ""
    source = request.source.splitlines()
    rows = [
        f"- {s.name} = {excerpt.number(s.value)}: d robustness / d value = {excerpt.number(s.gradient)}"
        f" (line {s.line}: {_line(source, s.line)})"
        for s in request.localisation
    ]
    return "A positive slope means that a larger value would have helped, to first order.\n" + "\n".join(rows)


def _task(request: RepairRequest) -> str:
    tried = " None of the earlier attempts was accepted: do not send them again." if request.attempts else ""
    mission = f" and accomplish the mission `{request.mission}`" if request.mission else ""
    return (
        f"Find the cause and answer with a controller that keeps every assertion{mission}, with a robustness of at "
        f"least {excerpt.number(request.min_robustness)} of each assertion's scale.{tried}"
    )


# ---------------------------------------------------------------- attempts
def _attempts(request: RepairRequest) -> str:
    older = len(request.attempts) - FULL_ATTEMPTS
    return "\n\n".join(
        _attempt(i, attempt, request, full=i > older) for i, attempt in enumerate(request.attempts, start=1)
    )


def _attempt(index: int, attempt: Attempt, request: RepairRequest, *, full: bool) -> str:
    proposal = attempt.proposal
    lines = [f"### Attempt {index} ({attempt.brain}, edit_kind {proposal.edit_kind})"]
    passed = [str(s.stage) for s in attempt.stages if s.accepted]
    if passed:
        lines.append(f"passed: {', '.join(passed)}")
    for stage in attempt.stages:
        if not stage.accepted:
            lines += _refusal(stage, proposal.source, request.control_hz, full=full)
    if full:
        lines.append(f"its diagnosis: {_capped(proposal.diagnosis)}")
        lines += ["its change:", _diff(request.source, proposal.source)]
    return "\n".join(lines)


def _refusal(stage: StageResult, source: str, control_hz: int, *, full: bool) -> list[str]:
    lines = [f"refused at {stage.stage}: {_capped(stage.reason)}"]
    if stage.line:
        lines.append(f"at its line {stage.line}: {_line(source.splitlines(), stage.line)}")
    return lines + (_facts(stage, control_hz) if full else [])


def _diff(before: str, after: str) -> str:
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), "given", "proposed", lineterm="", n=1))
    if len(lines) > MAX_DIFF_LINES:
        lines = [*lines[:MAX_DIFF_LINES], f"... and {len(lines) - MAX_DIFF_LINES} more lines"]
    return "\n".join(lines) or "(nothing)"


def _line(source: Sequence[str], line: int) -> str:
    return f"`{source[line - 1].strip()}`" if 0 < line <= len(source) else "(not in the source)"


def _capped(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= MAX_REASON_CHARS else text[:MAX_REASON_CHARS] + " ..."


# ---------------------------------------------------------------- facts of a stage
def _facts(stage: StageResult, control_hz: int) -> list[str]:
    """Render what a stage found. Of flights: the counterexample where it may be told, counts where it may not."""
    facts = stage.facts
    if stage.stage not in _FLOWN:
        return [f"{name}: {_capped(str(value))}" for name, value in facts.items() if isinstance(value, _PLAIN)]
    told = facts.get("flight") in _TOLD_FLIGHTS
    lines = (
        [*_first_bad(facts.get("counterexample")), *_counterexample(facts.get("report"), control_hz)] if told else []
    )
    counts = {**_mapping(facts.get("neighbourhood")), **facts}
    counted = [f"{name} {counts[name]}" for name in _COUNTS if isinstance(counts.get(name), int)]
    return [*lines, f"counts: {', '.join(counted)}"] if counted else lines


def _first_bad(found: Any) -> list[str]:
    found = _mapping(found)
    if not isinstance(found.get("tick"), int):
        return []
    violated = ", ".join(map(str, found.get("violated") or ()))
    numbers = {
        **_mapping(found.get("values")),
        **{f"command.{k}": v for k, v in _mapping(found.get("command")).items()},
    }
    values = ", ".join(f"{name} {excerpt.number(value)}" for name, value in numbers.items() if value is not None)
    return [f"first bad tick {found['tick']}{violated and f' ({violated})'}: {_capped(values)}"]


def _counterexample(report: Any, control_hz: int) -> list[str]:
    report = _mapping(report)
    log = _mapping(report.get("log"))
    about = [f"{name} {excerpt.number(report[name])}" for name in _REPORTED if report.get(name) is not None]
    lines = [f"that flight: {', '.join(about)}"] if about else []
    if log.get("ticks") and _mapping(log.get("signals")):
        lines += ["its last ticks:", excerpt.table(log["ticks"], log["signals"], control_hz)]
    return lines


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
