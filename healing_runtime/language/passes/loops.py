"""`loops`: every trip count is a constant, and the product of nested ones is inside the budget."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from healing_runtime.language.findings import Finding
from healing_runtime.language.passes.program import Budget, Program, programs, trips

if TYPE_CHECKING:
    from healing_runtime.language.trace import Traced


def check(traced: Traced, budget: Budget) -> Iterator[Finding]:
    """All three programs."""
    for program in programs(traced):
        yield from of_program(program, budget)


def of_program(program: Program, budget: Budget) -> Iterator[Finding]:
    """Loops that depend on data, and loops that are too long or shorter than nothing."""
    for site in program.sites():
        match site.eqn.primitive.name:
            case "while":
                yield Finding(
                    "loops",
                    "error",
                    "the loop bound depends on data; use lax.fori_loop with a constant bound, or"
                    " tl.while_loop(cond, body, init, max_trips=N).",
                    *site.position,
                )
            case "scan":
                length, total = site.eqn.params["length"], site.trips * trips(site.eqn)
                if length < 0:
                    message = f"a loop is {length} trips long; give it a length of zero or more."
                    yield Finding("loops", "error", message, *site.position)
                if total > budget.trips:
                    message = f"loops multiply to {total} trips a tick; at most {budget.trips} are allowed."
                    yield Finding("loops", "error", message, *site.position)
