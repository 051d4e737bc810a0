"""`signature`: exact shapes and dtypes of action and state, nothing weakly typed, a state that stays itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import jax

from healing_runtime.language.findings import Finding
from healing_runtime.language.passes.program import Budget, Places

if TYPE_CHECKING:
    from healing_runtime.language.trace import Traced


def check(traced: Traced, budget: Budget) -> Iterator[Finding]:
    """Compare the traced program's results with the signal table and the initial state."""
    expected = [(f'action["{s.key}"]', s.shape, traced.dtype) for s in sorted(traced.table.action, key=lambda s: s.key)]
    for path, leaf in jax.tree_util.tree_leaves_with_path(traced.state0):
        expected.append((f"state{jax.tree_util.keystr(path)}".replace("'", '"'), leaf.shape, leaf.dtype))
    results, place = traced.jaxpr.jaxpr.outvars, Places(traced)
    if len(results) != len(expected):
        yield place.finding(
            "signature", None, f"control returns {len(results)} arrays; {len(expected)} are expected from it"
        )
        return
    for (name, shape, dtype), value in zip(expected, results, strict=True):
        aval: Any = value.aval
        if aval.shape != shape or aval.dtype != dtype:
            wanted = f"{dtype}{list(shape)}"
            yield place.finding("signature", value, f"{name} is {aval.dtype}{list(aval.shape)}; return {wanted}")
        elif aval.weak_type:
            yield place.finding("signature", value, f"{name} has a weak type; make it an array of {dtype}")
