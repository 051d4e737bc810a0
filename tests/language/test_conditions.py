"""What `tl.assert_` takes for a condition and for a label."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from healing_runtime.core.errors import InputError
from healing_runtime.core.margins import Margin
from healing_runtime.core.status import Status
from healing_runtime.language.harvest import harvest
from healing_runtime.language.primitive import assert_


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        (True, Status.TRUE),
        (False, Status.FALSE),
        (np.bool_(False), Status.FALSE),
        (np.array(True), Status.TRUE),
        (3, Status.TRUE),
        (-3, Status.FALSE),
        (0, Status.FALSE),
        (np.array(2), Status.TRUE),
        (np.float64(-1.0), Status.FALSE),
        (np.nan, Status.INVALID),
        (np.int8(-1), Status.FALSE),
        (jnp.array([3, -1]), Status.FALSE),
        (jnp.float16(0.5), Status.TRUE),
        (jnp.zeros(0), Status.TRUE),
        (np.zeros((0, 3), bool), Status.TRUE),
        (Margin(1.0, True), Status.TRUE),  # type: ignore[arg-type]
        (Margin(jnp.ones(2), jnp.array([True, False])), Status.FALSE),
        ([1.0, -1.0], Status.FALSE),
    ],
    ids=repr,
)
def test_conditions_of_every_kind(condition, status):
    """Also with no tracer at all inside a compiled function: a constant is not folded away."""

    def function(x):
        assert_(condition, "kept")
        return x

    for ours in (function, jax.jit(function), lambda x: lax.fori_loop(0, 2, lambda i, c: function(c), x)):
        assert Status(int(harvest(ours)(1.0)[1]["kept"].status)) is status
    with pytest.raises(InputError, match="harvest first"):
        jax.jit(function).lower(1.0)
    if status.violated:
        with pytest.raises(AssertionError, match=r'^"kept" is '):
            function(1.0)
    else:
        function(1.0)


@pytest.mark.parametrize(
    ("condition", "what"),
    [
        ("high", "a str"),
        (None, "a NoneType"),
        ({"a": 1.0}, "a dict"),
        (object(), "a object"),
        (1j, "an array of complex64"),
        (2**70, "a int"),
        (jax.random.key(0), r"an array of key<\w+>"),
        (np.array(["a"]), "a ndarray"),
    ],
)
def test_a_condition_that_is_none_is_refused(condition, what):
    with pytest.raises(InputError, match=rf'^the assert "kept" stands on {what}; assert a Boolean or a real margin\.$'):
        assert_(condition, "kept")


@pytest.mark.parametrize("label", [3, None, ["a"], "", "  "])
def test_a_label_that_names_nothing_is_refused(label):
    with pytest.raises(InputError, match="give it a text that names it"):
        assert_(1.0, label)
