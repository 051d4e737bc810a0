"""`p and q`: the smaller margin."""

from __future__ import annotations

import jax.numpy as jnp

from healing_runtime.stl.margin import Span
from healing_runtime.stl.operator import boolean


def connect(p: Span, q: Span) -> Span:
    """Bound by bound, because min never decreases in either argument."""
    return Span(jnp.minimum(p.lo, q.lo), jnp.minimum(p.hi, q.hi))


OPERATOR = boolean("and", 2, "{0} and {1}", connect)
