"""What JAX changes or takes for true without a word is refused."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from healing_runtime.core.errors import SubsetError

V = 'obs["altitude_m"]'
INTEGERS = 'return {"n": jnp.array([0, 0, 0]), "on": jnp.array([False, False])}'
RETURN = 'return {"thrust_n": 0.0}, {"n": n, "on": on}'
CUT = [
    f'n = state["n"].at[0].set({V})',
    'n = state["n"].at[0].set(2.7)',
    f'n = state["n"].at[0:2].add({V})',
    'n = jnp.roll(state["n"], 1).at[0].max(0.5)',
    f'n = state["n"].at[1].min({V})',
    'n = jnp.full_like(state["n"], 1.9)',
    'n, on = state["n"] + 0, state["on"].at[0].set(0.5)',
]
KEPT = [
    'n = state["n"].at[0].set(2)',
    'n = state["n"].at[0].set(jnp.astype(obs["altitude_m"], jnp.int32))',
    'n = state["n"].at[0].set(obs["altitude_m"] > 1.0)',
    'n, on = state["n"] + 1, state["on"].at[0].set(obs["altitude_m"] > 1.0)',
    'n = state["n"] + 1; h = jnp.zeros(3).at[0].set(1).at[1].set(obs["altitude_m"]).at[2].max(2)',
    'n = state["n"] + 1; h = jnp.full_like(obs["velocity_mps"], 1.9)',
]


def body(line):
    first = "" if "on =" in line or ", on" in line else 'on = jnp.logical_not(state["on"])\n'
    return first + line.replace("; ", "\n") + "\n" + RETURN


@pytest.mark.parametrize("line", CUT)
def test_a_float_is_not_cut_off_where_integers_are_held(traced, line):
    with pytest.raises(SubsetError, match="JAX would cut a float off in silence; make it of floats"):
        traced(body(line), init=INTEGERS)


@pytest.mark.parametrize("line", KEPT)
def test_what_fits_is_written(traced, line):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        traced(body(line), init=INTEGERS)


@pytest.mark.parametrize(
    "call",
    [
        f"jnp.where({V}, 1.0, 0.0)",
        f"jnp.where(jnp.logical_and({V}, True), 1.0, 0.0)",
        f"jnp.where(jnp.logical_or({V} > 0.0, {V}), 1.0, 0.0)",
        f"jnp.where(jnp.logical_not({V}), 1.0, 0.0)",
        f"jnp.where(jnp.logical_xor({V} > 0.0, 1), 1.0, 0.0)",
        "jnp.where(jnp.arange(3), 1.0, 0.0)[0]",
    ],
)
def test_a_number_is_no_truth(traced, call):
    with pytest.raises(SubsetError, match=r"not a comparison; write for example x > 0"):
        traced(f'return {{"thrust_n": {call}}}, state')


def test_truths_are_taken(traced):
    both = f"jnp.logical_and({V} > 0.0, jnp.logical_not({V} > 5.0))"
    traced(f'return {{"thrust_n": jnp.where({both}, 1.0, jnp.where(True, 2.0, 0.0))}}, state')


@pytest.mark.parametrize(("dtype", "refused"), [(np.float32, True), (np.float64, False)])
def test_a_parameter_that_the_tick_cannot_hold_is_refused_at_its_line(traced, dtype, refused):
    head = 'import jax.numpy as jnp\n\nPARAMS = {"deep": {"gain": 1e39}}\n\n'
    text = f'return {{"thrust_n": {V} * params["deep"]["gain"] * 0.0}}, state'
    if not refused:
        traced(text, head=head, dtype=dtype)
        return
    with pytest.raises(SubsetError, match=r'PARAMS\["deep"\]\["gain"\] is too large for float32') as caught:
        traced(text, head=head, dtype=dtype)
    assert (caught.value.where.line, caught.value.where.column) == (3, 1)
