"""`p or q`: the larger margin."""

from __future__ import annotations

import jax.numpy as jnp

from healing_runtime.stl.margin import Span
from healing_runtime.stl.operator import boolean


def connect(p: Span, q: Span) -> Span:
    """Bound by bound, because max never decreases in either argument."""
    return Span(jnp.maximum(p.lo, q.lo), jnp.maximum(p.hi, q.hi))


OPERATOR = boolean("or", 2, "{0} or {1}", connect)
