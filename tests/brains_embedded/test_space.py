"""PARAMS as a search vector."""

import math

import numpy as np
import pytest

from healing_runtime.brains.embedded.space import Space, leaves, replaced

PARAMS = {"kp": 4.0, "gains": [[1.0, -2.0], [0.0, 3.0]], "inner": {"ki": 0.5}}


def test_leaves_have_readable_names_in_a_fixed_order():
    assert [leaf.name for leaf in leaves(PARAMS)] == [
        "gains[0][0]", "gains[0][1]", "gains[1][0]", "gains[1][1]", "inner.ki", "kp",
    ]  # fmt: skip


def test_origin_is_the_controller_as_it_stands():
    space = Space(tuple(leaves(PARAMS)))
    values = space.values(np.zeros(space.size), np.ones(space.size))
    assert space.params(PARAMS, values) == PARAMS


def test_signs_are_kept_and_zero_moves_linearly():
    space = Space(tuple(leaves({"a": -2.0, "b": 0.0, "c": 3.0})))
    a, b, c = space.values(np.array([1.0, 2.0, -1.0]), np.array([1.0, 1.0, -1.0]))
    assert a == pytest.approx(-2.0 * math.exp(0.5), rel=1e-2)
    assert b == pytest.approx(0.2)
    assert c == pytest.approx(-3.0 * math.exp(-0.5), rel=1e-2)


def test_replacing_leaves_the_original_alone():
    new = replaced(PARAMS, {("gains", 1, 0): 7.0})
    assert new["gains"] == [[1.0, -2.0], [7.0, 3.0]]
    assert PARAMS["gains"][1][0] == 0.0
