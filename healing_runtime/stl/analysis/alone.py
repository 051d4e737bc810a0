"""What can be said of one formula by itself: never true, never false, never exercised."""

from __future__ import annotations

from collections.abc import Iterator

from healing_runtime.core.signals import SignalTable
from healing_runtime.stl.analysis.beginning import vacuous_mission, weak_triggers
from healing_runtime.stl.analysis.finding import Finding, because, place
from healing_runtime.stl.analysis.search import Claim, Search
from healing_runtime.stl.bind import Requirement
from healing_runtime.stl.formula import Apply, Formula, references, walk


def alone(requirement: Requirement, table: SignalTable, search: Search) -> list[Finding]:
    """Errors for what can never hold; warnings for what can never trip and for implications that say nothing."""
    formula, name = requirement.formula, requirement.id
    if not search.in_a_run([Claim(formula, True)]):
        what = f"'{name}' can never hold, whatever the flight{because(search.evidence)}; correct it."
        return [Finding("error", what, place(requirement))]
    found = [finding for part in implications(formula) for finding in _implication(requirement, part, search)]
    if not found and not search.in_a_run([Claim(formula, False)]):
        texts = [f"'{text}'" for text in search.evidence]
        look = f" (look at {' and '.join(texts)})" if 0 < len(texts) <= 2 else ""
        what = f"'{name}' can never trip, whatever the flight{look}; correct it, or remove it."
        found.append(Finding("warning", what, place(requirement)))
    if not found:
        found += [*weak_triggers(requirement, search), *vacuous_mission(requirement, search)]
    return found + [finding for part in implications(formula) for finding in _sensed(requirement, part, table)]


def implications(formula: Formula) -> Iterator[Apply]:
    """Every implication in it, once."""
    seen: set[Formula] = set()
    for part in walk(formula):
        if isinstance(part, Apply) and part.operator == "implies" and part not in seen:
            seen.add(part)
            yield part


def _implication(requirement: Requirement, part: Apply, search: Search) -> Iterator[Finding]:
    trigger, promise = part.arguments
    name, when, then = requirement.id, shown(trigger), shown(promise)
    if not search.at_a_sample([Claim(trigger, True)]):
        why = because(search.evidence, text_of(trigger))
        what = f"the trigger '{when}' can never be true{why}, so '{name}' asks for nothing; correct the trigger."
        yield Finding("warning", what, place(requirement, trigger))
    elif not search.at_a_sample([Claim(promise, False)]):
        what = f"'{then}' can never be false, so '{name}' asks for nothing; correct what follows 'implies'."
        yield Finding("warning", what, place(requirement, promise))
    elif not search.at_a_sample([Claim(trigger, True), Claim(promise, True)]):
        why = because(search.evidence, text_of(trigger))
        what = f"'{then}' cannot hold together with '{when}'{why}, so '{name}' forbids '{when}'"
        yield Finding("warning", f"{what}; correct it, or write 'not ({when})'.", place(requirement, promise))


def _sensed(requirement: Requirement, part: Apply, table: SignalTable) -> Iterator[Finding]:
    """A stuck sensor can keep a trigger from ever coming true; the true signal cannot be stuck."""
    trigger = part.arguments[0]
    for reference in references(trigger):
        if reference.observed and reference.signal in table.true:
            true = reference.text.removeprefix("observed(").removesuffix(")")
            what = (
                f"the trigger '{shown(trigger)}' reads a sensor, which may be stuck: it never comes true, and "
                f"'{requirement.id}' is vacuous; write '{true}' for '{reference.text}'."
            )
            yield Finding("warning", what, place(requirement, trigger))
            return


def text_of(formula: Formula) -> str:
    """The part's text."""
    return getattr(formula, "text", "")


def shown(formula: Formula) -> str:
    """The part's text, short enough for a message."""
    text = text_of(formula)
    return text if len(text) <= 60 else text[:57] + "..."
