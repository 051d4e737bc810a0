"""Assert statements: which are contract, and what margin a condition has."""

from __future__ import annotations

import ast
import math

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healing_runtime.core.errors import SubsetError
from healing_runtime.core.margins import worst
from healing_runtime.language import ownership
from healing_runtime.language.execution.namespace import bindings
from healing_runtime.language.syntax import asserts

RETURN = 'return {"thrust_n": 1.0}, {}'


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('assert obs["altitude_m"] > 0.0, "a"', "contract"),
        ('assert jnp.all(action["thrust_n"] <= params["kp"]), "a"', "contract"),
        ('assert tl.implies(state["x"] > next_state["x"], abs(obs["dt_s"]) < 1.0), "a"', "contract"),
        ('x = 1.0\nassert x > 0.0, "a"', "diagnostic"),
        ('assert obs["altitude_m"] > LIMIT, "a"', "diagnostic"),
        ('assert helper(obs["altitude_m"]) > 0.0, "a"', "diagnostic"),
        ('if True:\n    assert obs["altitude_m"] > 0.0, "a"', "diagnostic"),
        ('for i in range(2):\n    assert obs["altitude_m"] > 0.0, "a"', "diagnostic"),
        ('def f(obs):\n    assert obs > 0.0, "a"\n    return obs', "diagnostic"),
        ('assert sum([obs["altitude_m"] for i in range(2)]) > 0.0, "a"', "diagnostic"),
    ],
)
def test_kind_is_syntax(parsed, body, kind):
    found = parsed(body + "\n" + RETURN, more="LIMIT = 1.0\ndef helper(x):\n    return x\n")
    (statement,) = (*found.contract, *found.diagnostics)
    assert statement.kind == kind and statement.slug == "a"
    remarks = ownership.remarks(found)
    assert len(remarks) == (kind == "diagnostic")
    assert all(r.severity == "warning" and r.line == statement.line for r in remarks)


@pytest.mark.parametrize(
    ("condition", "label"),
    [
        ('obs["altitude_m"] > -0.5', "altitude_m above -0.5"),
        ('jnp.all(jnp.abs(obs["velocity_mps"]) <= params["kp"])', "all size of velocity_mps at most kp"),
        ('0.0 <= action["thrust_n"] < 10.0', "thrust_n between 0.0 and 10.0"),
        ('obs["velocity_mps"][2] < 1.0 or not state["x"] >= 2', "velocity_mps 2 below 1.0 or not x at least 2"),
        ('tl.implies(obs["altitude_m"] < 1.0, obs["dt_s"] > 0.0)', "implies altitude_m below 1.0 dt_s above 0.0"),
        ('jnp.isfinite(obs["altitude_m"])', "altitude_m is finite"),
        ('~(obs["altitude_m"] == 1.0) & True', None),
        ("-obs['altitude_m'] ** 2 != params['gains'][0] @ params['gains']", None),
        ('jnp.all(jnp.array([obs["altitude_m"], obs["dt_s"], obs["altitude_m"]]) > jnp.zeros(3)) and True', None),
        (" and ".join(f'obs["altitude_m"] > {n}.0' for n in range(9)), "what must hold here"),
    ],
)
def test_an_assert_without_a_label_is_given_one_that_is_accepted(parsed, condition, label):
    with pytest.raises(SubsetError, match="needs a label in quotes") as caught:
        parsed(f"assert {condition}\n{RETURN}")
    assert caught.value.where.line == 12 and caught.value.where.column == 5
    suggested = caught.value.message.partition("; write ")[2].removesuffix(".")
    if "condition, " in suggested:  # too long to be repeated
        suggested = suggested.replace("condition", condition)
    found = parsed(f"{suggested}\n{RETURN}")
    (statement,) = (*found.contract, *found.diagnostics)
    assert statement.text == ast.unparse(ast.parse(condition, mode="eval"))
    assert label is None or statement.label == label


def test_asserts_in_init_are_diagnostics(parsed):
    found = parsed(RETURN, init='assert params["kp"] > 0.0, "gain"\n    return {}')
    assert [a.kind for a in found.diagnostics] == ["diagnostic"]


def evaluate(condition, **names):
    expression = ast.fix_missing_locations(ast.Expression(asserts.margin(ast.parse(condition, mode="eval").body)))
    return eval(compile(expression, "condition", "eval"), dict(bindings()) | names)


@pytest.mark.parametrize(
    ("condition", "rho", "ok"),
    [
        ("x < 3.0", 2.0, True),
        ("x > 3.0", -2.0, False),
        ("x <= 1.0", 0.0, True),
        ("x < 1.0", 0.0, False),
        ("x >= 1.5", -0.5, False),
        ("0.0 < x < 5.0", 1.0, True),
        ("x < 3.0 and y < 3.0", 1.0, True),
        ("x > 3.0 or y < 3.0", 1.0, True),
        ("not x < 3.0", -2.0, False),
        ("(x < 3.0) & (y > 0.5)", 1.5, True),
        ("~(x < 3.0) | (y > 0.5)", 1.5, True),
        ("tl.implies(x > 2.0, y < 0.0)", 1.0, True),
        ("jnp.logical_and(x < 3.0, jnp.logical_not(y < 0.0))", 2.0, True),
        ("jnp.less(x, 3.0)", 2.0, True),
        ("jnp.all(v < 3.0)", 0.0, False),
        ("jnp.any(v < 3.0)", 2.0, True),
        ("jnp.all(jnp.isfinite(v))", math.inf, True),
        ("x == 2.0", -math.inf, False),
        ("n > 1", 2.0, True),
        ("True", math.inf, True),
    ],
)
def test_margins(condition, rho, ok):
    names = {"x": jnp.float32(1), "y": jnp.float32(2), "v": jnp.array([1.0, 2.0, 3.0]), "n": jnp.int32(3)}
    found = worst(evaluate(condition, **names))
    assert float(found.rho) == rho and bool(found.ok) is ok


def test_arrays_take_the_worst_element():
    found = worst(evaluate("v < 2.5", v=jnp.array([1.0, 2.0, 3.0])))
    assert float(found.rho) == -0.5 and not bool(found.ok)


@pytest.mark.parametrize("condition", ["x < 1.0", "not x < 1.0", "x < 1.0 and y < 9.0", "x < 1.0 or y < 9.0"])
def test_nan_stays_nan(condition):
    found = evaluate(condition, x=jnp.float32(np.nan), y=jnp.float32(1))
    assert np.isnan(found.rho)


def test_limits_are_rounded_once_to_the_dtype_of_the_signal():
    clipped = jnp.clip(jnp.float32(1.0), 0.0, 0.1)
    assert float(clipped) > 0.1  # as a float64
    found = evaluate("x <= 0.1", x=clipped)
    assert float(found.rho) == 0.0 and bool(found.ok)


def test_a_number_is_not_a_condition():
    with pytest.raises(TypeError, match="not a comparison"):
        evaluate("x", x=jnp.float32(1))


# ---------------------------------------------------------------- the margin's Boolean is Python's, and its sign agrees
ATOMS = st.sampled_from(["x < y", "x <= y", "x > y", "x >= y", "y < z", "z >= x", "x < y <= z"])
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda p: f"(({p[0]}) and ({p[1]}))"),
        st.tuples(inner, inner).map(lambda p: f"(({p[0]}) or ({p[1]}))"),
        inner.map(lambda p: f"(not ({p}))"),
    ),
    max_leaves=6,
)
INTEGERS = st.integers(-3, 3)


@settings(max_examples=80, deadline=None)
@given(CONDITIONS, INTEGERS, INTEGERS, INTEGERS)
def test_the_boolean_track_is_python(condition, x, y, z):
    found = evaluate(condition, x=np.float32(x), y=np.float32(y), z=np.float32(z))
    truth = eval(condition, {"x": x, "y": y, "z": z})
    assert bool(found.ok) is truth
    assert found.rho >= 0 if truth else found.rho <= 0
