"""`effects`: a tick has none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from healing_runtime.language.findings import Finding
from healing_runtime.language.passes.program import Budget, Program, programs

if TYPE_CHECKING:
    from healing_runtime.language.trace import Traced


def check(traced: Traced, budget: Budget) -> Iterator[Finding]:
    """All three programs."""
    for program in programs(traced):
        yield from of_program(program, budget)


def of_program(program: Program, budget: Budget) -> Iterator[Finding]:
    """Every equation with an effect; and the program itself, should none of its equations own up to one."""
    found = False
    for site in program.sites():
        if site.eqn.effects:
            found = True
            yield Finding(
                "effects",
                "error",
                f"{site.eqn.primitive.name} acts on something outside the program; a tick only computes.",
                *site.position,
            )
    if program.jaxpr.effects and not found:
        message = f"{program.name} acts on something outside the program; a tick only computes."
        yield Finding("effects", "error", message, *program.position(()))
