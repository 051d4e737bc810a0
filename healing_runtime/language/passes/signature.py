"""`signature`: exact shapes and dtypes of action and state, nothing weakly typed, a state that stays itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import jax

from healing_runtime.language.findings import Finding
from healing_runtime.language.passes.program import Budget

if TYPE_CHECKING:
    from healing_runtime.language.trace import Traced


def check(traced: Traced, budget: Budget) -> Iterator[Finding]:
    """Compare the traced program's results with the signal table and the initial state."""
    expected = [(f'action["{s.key}"]', s.shape, traced.dtype) for s in sorted(traced.table.action, key=lambda s: s.key)]
    for path, leaf in jax.tree_util.tree_leaves_with_path(traced.state0):
        expected.append((f"state{jax.tree_util.keystr(path)}".replace("'", '"'), leaf.shape, leaf.dtype))
    results = traced.jaxpr.out_avals
    if len(results) != len(expected):
        yield Finding("signature", "error", f"control returns {len(results)} arrays; {len(expected)} are expected.")
        return
    for (name, shape, dtype), aval in zip(expected, results, strict=True):
        if aval.shape != shape or aval.dtype != dtype:
            yield Finding(
                "signature", "error", f"{name} is {aval.dtype}{list(aval.shape)}; return {dtype}{list(shape)}."
            )
        elif aval.weak_type:
            yield Finding("signature", "error", f"{name} has a weak type; make it an array of {dtype}.")
