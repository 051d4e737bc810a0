"""NaN is never a pass, whatever a condition is made of; and a promise looks at something."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from healing_runtime.core.errors import SubsetError
from healing_runtime.core.status import Status
from healing_runtime.language import passes

RETURN = 'return {"thrust_n": 0.0}, state'
X = 'obs["altitude_m"]'
BURIED = [
    f"({X} > 5.0) == False",
    f"({X} > 5.0) != True",
    f"({X} > 5.0) ^ True",
    f"jnp.logical_xor({X} > 5.0, True)",
    f"jnp.equal({X} > 5.0, False)",
    f"jnp.where({X} > 5.0, 1.0, -1.0) < 0.0",
    f"jnp.where({X} > 5.0, False, True)",
    f"2 * ({X} > 5.0) < 1",
    f"jnp.sum(jnp.array([{X}, 0.0]) > 5.0) == 0",
    f"jnp.all(jnp.array([{X} > 5.0, False]) == False)",
    f"jnp.isfinite(jnp.where(jnp.greater({X}, 5.0), 1.0, 2.0))",
]
HIDDEN = [
    f"jnp.astype({X}, jnp.int32) > -5",
    f"jnp.fmax({X}, 0.0) < 5.0",
    f"jnp.nanmax(jnp.array([{X}, 0.0])) < 5.0",
    f"jnp.nan_to_num({X}) < 5.0",
    f"not jnp.isclose({X}, 5.0)",
    f"not jnp.array_equal(jnp.array([{X}]), jnp.zeros(1))",
    f"jnp.argmax(jnp.array([0.0, {X}])) < 2",
]
CONSTANT = ["True", "1 < 2", "jnp.all(jnp.zeros(0) > 1.0)", "not math.pi > 4.0", "jnp.pi == jnp.pi"]
PLAIN = [
    f"{X} < 5.0",
    f"not {X} > 5.0",
    f"{X} != 5.0",
    f"not {X} == 5.0",
    f"jnp.not_equal({X}, 5.0)",
    f"-9.0 < {X} != 5.0",
    f"jnp.all(jnp.array([{X}, 1.0]) != 5.0)",
    f"jnp.any(jnp.array([{X}, {X}]) != 5.0)",
    f"tl.implies({X} == 5.0, {X} < 4.0)",
    f"{X} > 5.0 or {X} <= 5.0",
    f"~({X} > 5.0) & ({X} != 6.0)",
    f"abs({X}) < 5.0 and jnp.clip({X}, -1.0, 1.0) <= 1.0",
    f"jnp.maximum({X}, 0.0) < 5.0",
    f"jnp.where(jnp.isfinite({X}), {X}, 1e9) < 5.0",
]


@pytest.mark.parametrize(("conditions", "words"), [(BURIED, "inside of a value"), (HIDDEN, "hides NaN")])
def test_what_would_take_nan_for_an_answer_is_refused(parsed, conditions, words):
    for condition in conditions:
        with pytest.raises(SubsetError, match=words) as caught:
            parsed(f'assert {condition}, "held"\n{RETURN}')
        assert caught.value.where.line == 12 and caught.value.where.column > 7 and ";" in caught.value.message


@pytest.mark.parametrize("condition", CONSTANT)
def test_a_promise_looks_at_something(parsed, condition):
    with pytest.raises(SubsetError, match="looks at nothing"):
        parsed(f'assert {condition}, "held"\n{RETURN}')


@pytest.mark.parametrize("where", ["contract", "diagnostic"])
@pytest.mark.parametrize("condition", PLAIN)
def test_what_is_accepted_is_never_passed_by_nan(traced, condition, where):
    """As a contract assert, and as a diagnostic over a name of its own."""
    text = condition if where == "contract" else condition.replace(X, "x")
    program = traced(f'x = {X}\nassert {text}, "held"\nreturn {{"thrust_n": x * 0.0}}, state')
    for altitude, holds in ((2.0, True), (np.nan, False)):
        obs = {"altitude_m": jnp.float32(altitude), "velocity_mps": jnp.zeros(3), "dt_s": jnp.float32(0.02)}
        action, after, diagnostics = program.step(program.params, program.state0, obs)
        if where == "contract":
            margin = program.contract(obs, program.state0, action, after, program.params)["held"]
            ok = bool(margin.ok) and not np.isnan(margin.rho)
        else:
            ok = Status(int(diagnostics["held"].status)) is Status.TRUE
        assert ok is holds, f"{condition} at {altitude}"


def test_equality_has_no_margin_but_a_truth(traced):
    program = traced(f'assert {X} == 5.0, "five"\n{RETURN}')
    for altitude, rho in ((5.0, np.inf), (5.5, -np.inf)):
        obs = {"altitude_m": jnp.float32(altitude), "velocity_mps": jnp.zeros(3), "dt_s": jnp.float32(0.02)}
        assert program.contract(obs, {}, {"thrust_n": jnp.float32(0.0)}, {}, program.params)["five"].rho == rho


def test_a_label_of_an_assert_that_every_controller_has_is_refused(parsed):
    with pytest.raises(SubsetError, match="every controller has"):
        parsed(f'assert {X} > 50.0, "Finite: action"\n{RETURN}')


UNREACHED = {
    "branch": "if False:\n    assert x > 1.0, 'there'",
    "loop": "for i in range(0):\n    assert x > 1.0, 'there'",
    "function": "def unused(y):\n    assert y > 1.0, 'there'\n    return y",
}


@pytest.mark.parametrize("name", UNREACHED)
def test_an_assert_that_nothing_reaches_is_told(traced, name):
    found = passes.run(traced(f"x = {X} * 1.0\n{UNREACHED[name]}\n{RETURN}"))
    (one,) = (f for f in found if f.pass_name == "reached")
    assert one.severity == "warning" and one.line == 14 and "never evaluated" in one.message


def test_an_assert_on_a_branch_of_the_program_is_reached(traced):
    text = "def up(y):\n    assert y > 1.0, 'there'\n    return y\n"
    text += f"x = lax.cond({X} > 0.0, up, lambda y: y, {X})\nreturn {{'thrust_n': x}}, state".replace("'", '"')
    assert [f for f in passes.run(traced(text)) if f.pass_name == "reached"] == []
