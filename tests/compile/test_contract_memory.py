"""A patch cannot take the ground from under a contract assert: what it reads keeps its shape and dtype."""

import pytest

from healing_runtime.compile import export
from healing_runtime.core.errors import SubsetError
from tests.compile.line import HZ, traced

ORIGINAL = """
import jax.numpy as jnp

def init(params):
    return {"last_m": jnp.zeros(2), "deep": {"n": 0}}

def control(obs, state, params):
    x = obs["position_m"]
    assert next_state["last_m"] < 1.5, "remembered position is low"
    assert next_state["deep"]["n"] < 100, "not for ever"
    action = {"velocity_mps": -x + 0.0 * jnp.sum(state["last_m"])}
    return action, {"last_m": state["last_m"] + x, "deep": {"n": state["deep"]["n"] + 1}}
"""
CHANGES = {
    "empty": ("jnp.zeros(2)", "jnp.zeros(0)"),
    "shorter": ("jnp.zeros(2)", "jnp.zeros(1)"),
    "another dtype": ('{"n": 0}', '{"n": 0.0}'),
    "another structure": ('{"n": 0}', '{"n": 0, "m": 1}'),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_patch_that_reshapes_what_the_contract_reads_is_refused(name):
    patch = ORIGINAL.replace(*CHANGES[name])
    if name == "another structure":
        patch = patch.replace('{"n": state["deep"]["n"] + 1}', '{"n": state["deep"]["n"] + 1, "m": state["deep"]["m"]}')
    with pytest.raises(SubsetError, match="changes the shape or dtype of state"):
        export.export_controller(traced(patch), traced(ORIGINAL), HZ)


def test_memory_that_no_contract_reads_may_change():
    patch = ORIGINAL.replace('"deep": {"n": 0}}', '"deep": {"n": 0}, "extra": jnp.zeros(5)}').replace(
        "+ 1}}", '+ 1}, "extra": state["extra"] + x}'
    )
    export.export_controller(traced(patch), traced(ORIGINAL), HZ)
