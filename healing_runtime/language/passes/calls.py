"""Equations that run one program on their operands, as it stands."""

from __future__ import annotations

from jax.extend.core import ClosedJaxpr, JaxprEqn

CALLS = frozenset({"closed_call", "custom_jvp_call", "custom_vjp_call", "jit"})


def called(eqn: JaxprEqn) -> ClosedJaxpr:
    """The program that one of `CALLS` runs."""
    return eqn.params["jaxpr" if eqn.primitive.name == "jit" else "call_jaxpr"]
