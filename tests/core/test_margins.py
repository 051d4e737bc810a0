import math

import jax.numpy as jnp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_runtime.core import margins as m

NUMBERS = st.floats(-1e3, 1e3, allow_nan=False, width=32)


def test_zero_is_decided_by_the_boolean():
    assert float(m.less(1.0, 1.0).rho) == float(m.less_equal(1.0, 1.0).rho) == 0.0
    assert not bool(m.less(1.0, 1.0).ok) and bool(m.less_equal(1.0, 1.0).ok)


@given(NUMBERS, NUMBERS, NUMBERS)
def test_the_boolean_agrees_with_the_sign(a, b, c):
    formulas = [
        m.less(a, b),
        m.both(m.less(a, b), m.less_equal(b, c)),
        m.either(m.less(a, b), m.negation(m.less(b, c))),
        m.implies(m.less(a, b), m.less(c, b)),
        m.equal_within(a, b, 0.5),
    ]
    for margin in formulas:
        if float(margin.rho) != 0.0:
            assert bool(margin.ok) == (float(margin.rho) > 0.0)


@pytest.mark.parametrize("join", [m.both, m.either, m.implies, lambda a, b: m.implies(b, a)])
def test_nan_survives_everything(join):
    assert bool(m.invalid(join(m.less(math.nan, 1.0), m.less(0.0, 1.0))))
    assert bool(m.invalid(m.negation(m.less(math.nan, 1.0))))


def test_the_worst_element_counts():
    worst = m.worst(m.less(jnp.array([0.0, 2.0, -1.0]), 1.0))
    assert float(worst.rho) == -1.0 and not bool(worst.ok)
    assert bool(m.invalid(m.worst(m.less(jnp.array([0.0, jnp.nan]), 1.0))))
    assert float(m.worst(m.less(jnp.zeros(0), 1.0)).rho) == math.inf


def test_a_plain_boolean_is_infinite():
    assert float(m.boolean(True).rho) == math.inf and float(m.boolean(False).rho) == -math.inf
