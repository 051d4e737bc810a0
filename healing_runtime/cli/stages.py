"""What every stage of the gate said of an attempt, for people."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from healing_runtime.cli import output

Document = Mapping[str, Any]
INDENT = "  "


def fields(document: Document, skipped: Container[str]) -> Iterator[str]:
    """What is known of an incident or a patch, a line each; a null robustness is a margin that is not a number."""
    for key, value in document.items():
        known = value not in (None, "") or key == "robustness"
        if key not in skipped and known:
            said = ("no", "yes")[value] if isinstance(value, bool) else output.number(value, 6)
            yield f"{key}: {said}"


def of_attempt(number: int, attempt: Document) -> Iterator[str]:
    """An attempt: who wrote it, what became of it, why it was written, and each stage."""
    reason = f" at {attempt['stage']}: {attempt['reason']}" if attempt["verdict"] == "refused" else ""
    yield f"attempt {number}, {attempt['brain']}: {output.word(attempt['verdict'])}{reason}"
    if attempt.get("diagnosis"):
        yield f"{INDENT}{output.printable(attempt['diagnosis'])}"
    yield from lines(attempt.get("stages", ()), attempt.get("stage_s", {}))


def lines(stages: Sequence[Document], stage_s: Mapping[str, float]) -> Iterator[str]:
    """Each stage with its outcome, the time it took, its reason and line, and what it found."""
    for stage in stages:
        outcome = output.word("accepted" if stage["accepted"] else "refused")
        took = f", {_time(stage_s[stage['stage']])}" if stage["stage"] in stage_s else ""
        place = f" (line {stage['line']})" if stage.get("line") else ""
        yield f"{INDENT}{stage['stage']}: {outcome}{took}{place} {output.printable(stage['reason'])}".rstrip()
        yield from (2 * INDENT + fact for fact in _facts(stage.get("facts") or {}))


def _facts(facts: Document) -> Iterator[str]:
    report = facts.get("report")
    flown = {"report": [report] if isinstance(report, Mapping) else [], "incident": facts.get("incident") or []}
    flown["scenario"] = [facts["scenario"]] if isinstance(facts.get("scenario"), Mapping) else []
    flown["regressions"] = facts.get("regressions") or []
    for name, value in facts.items():
        if name in flown:
            what = facts.get("flight", "flight") if name == "report" else name.removesuffix("s")
            yield from (_flight(str(what), flight) for flight in flown[name])
        elif name == "counterexample":
            if value:
                yield _counterexample(value)
        elif name == "neighbourhood":
            yield f"held-out neighbours: {_pairs(value)}" if value else "held-out neighbours: none were asked for"
        elif isinstance(value, Mapping):
            yield f"{name}: {_pairs(value)}"
        elif isinstance(value, list):
            yield from (f"{name.removesuffix('s')}: {short(entry)}" for entry in value)
        else:
            yield f"{name}: {short(value)}"


def _flight(what: str, flight: Document) -> str:
    name = f" {flight['scenario']}" if flight.get("scenario") else ""
    first, last = flight.get("from_tick", flight.get("first_tick")), flight.get("last_tick")
    margin = f"robustness {output.number(flight.get('robustness'))}"
    margin += f" ({flight['weakest']})" if flight.get("weakest") else ""
    verdict = output.word("kept") if flight.get("kept") else output.printable(str(flight.get("fault", "not kept")))
    step = f"; action step {_pairs(flight['action_step'])}" if flight.get("action_step") else ""
    return f"{what}{name}, ticks {first} to {last}: {verdict}, {margin}{step}"


def _counterexample(found: Document) -> str:
    violated = ", ".join(found.get("violated") or ()) or "nothing by name"
    values = f"{_pairs(found.get('values') or {})}; command {_pairs(found.get('command') or {})}"
    return f"counterexample at tick {found.get('tick')}: violated {violated}; {values}"


def _pairs(values: Document) -> str:
    return ", ".join(f"{name} {short(value)}" for name, value in values.items())


def short(value: Any) -> str:
    """A value of a record in one line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        return _pairs(value)
    if isinstance(value, list):
        return ", ".join(map(short, value))
    text = output.printable(output.number(value))
    return text if len(text) <= 160 else f"{text[:157]}..."


def _time(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms" if seconds < 1.0 else f"{seconds:.3g} s"
