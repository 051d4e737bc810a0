"""What holds before anything has happened: triggers that the first sample makes true, and vacuous missions."""

from __future__ import annotations

from collections.abc import Iterator

from healing_runtime.stl.analysis.finding import Finding, place
from healing_runtime.stl.analysis.search import Claim, Search
from healing_runtime.stl.bind import Requirement
from healing_runtime.stl.formula import Apply, Formula, Literal, walk
from healing_runtime.stl.operators import OPERATORS
from healing_runtime.stl.ticks import ticks_of
from healing_runtime.stl.vacuity import triggers


def weak_triggers(requirement: Requirement, search: Search) -> Iterator[Finding]:
    """Warnings for triggers that are true at the first sample for want of a sample before it.

    Such a requirement is never vacuous, and says nothing. `rise` is left out: what it asks for there, p itself, holds.
    """
    name = requirement.id
    for trigger, (first, _) in triggers(requirement.formula):
        looking_back = [p for p in walk(trigger) if isinstance(p, Apply) and p.operator in ("prev", "fall")]
        if first or not looking_back:
            continue
        weak = _at_first(trigger, ())
        differs = [p for p in looking_back if _can_differ(search, weak, _at_first(trigger, (p,)))]
        if not differs and not _can_differ(search, weak, _at_first(trigger, tuple(looking_back))):
            continue
        part = (differs or looking_back)[0]
        text, inner = part.text, getattr(part.arguments[0], "text", "")
        strong = f"not prev(not ({inner}))" if part.operator == "prev" else f"({text} and not prev(not ({inner})))"
        why = f"'{text}' has no sample before it to look at"
        if not search.at_a_sample([Claim(weak, False)]):
            what = f"{why} at the first sample and is true there, so '{name}' counts as triggered in every run"
        else:
            what = f"{why} at the first sample, so '{name}' can count as triggered there though nothing has changed"
        yield Finding("warning", f"{what}; write '{strong}' for it.", place(requirement, part))


def vacuous_mission(requirement: Requirement, search: Search) -> Iterator[Finding]:
    """A warning for a mission that a run may leave vacuous."""
    found = triggers(requirement.formula)
    # One that is exercised whatever the run keeps the whole from being vacuous.
    if not requirement.mission or not found or any(not search.at_a_sample([Claim(t, False)]) for t, _ in found):
        return
    what = f"the mission '{requirement.id}' is vacuous in a run that never triggers it, and a vacuous mission is missed"
    yield Finding("warning", f"{what}; write what the flight must do, as in 'eventually (…)'.", place(requirement))


def _can_differ(search: Search, weak: Formula, strong: Formula) -> bool:
    return search.at_a_sample([Claim(weak, True), Claim(strong, False)])


def _at_first(formula: Formula, strong: tuple[Formula, ...]) -> Formula:
    """What a formula says at the first sample, as a formula about that sample; what lies ahead is left as it is.

    The parts in `strong` are taken for false there, as if they asked for a sample before.
    """
    if not isinstance(formula, Apply) or (OPERATORS[formula.operator].kind == "future"):
        return formula
    if formula in strong:
        return Literal(False)
    arguments = tuple(_at_first(argument, strong) for argument in formula.arguments)
    window = ticks_of(formula)
    # A window of the past that begins before the first sample is empty.
    empty = window is not None and window[0] > 0
    match formula.operator:
        case "prev":
            return Literal(True)
        case "fall":
            return Apply("not", arguments)
        case "rise":
            return arguments[0]
        case "historically":
            return Literal(True) if empty else arguments[0]
        case "once" | "since":
            return Literal(False) if empty else arguments[-1]
        case "held_for":
            return arguments[0] if window is not None and window[1] == 0 else Literal(False)
    return Apply(formula.operator, arguments)
