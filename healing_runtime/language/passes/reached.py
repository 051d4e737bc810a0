"""`reached`: warnings about asserts that nothing ever evaluates: in a branch, loop or function that is not taken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from healing_runtime.language.findings import Finding
from healing_runtime.language.passes.program import Budget

if TYPE_CHECKING:
    from healing_runtime.language.trace import Traced


def check(traced: Traced, budget: Budget) -> Iterator[Finding]:
    """Diagnostic asserts of the source that the traced program does not hold; a contract is always evaluated."""
    for statement in traced.controller.parsed.diagnostics:
        if statement.label not in traced.diagnostic_labels:
            message = f'the assert "{statement.label}" is never evaluated: nothing gets there; call it or remove it.'
            yield Finding("reached", "warning", message, statement.line, statement.column)
