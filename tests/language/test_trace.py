"""Tracing against a signal table: what comes out, and every mistake told at the user's line."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import pytest

from healing_runtime.core.errors import SubsetError
from healing_runtime.language import controller, passes, source, trace
from healing_runtime.language.harvest import labels
from healing_runtime.language.passes.primitives import of_program
from healing_runtime.language.passes.program import Program

RETURN = 'return {"thrust_n": 1.0}, {}'


def test_a_step_is_plain_arithmetic(traced):
    found = traced(
        """
        assert obs["altitude_m"] > -0.5, "sane"
        error = params["gains"] * (0.0 - obs["velocity_mps"])
        assert jnp.all(jnp.abs(error) < 2.0), "small error"
        total = state["sum_m"] + error * obs["dt_s"]
        assert action["thrust_n"] <= 2.0, "thrust limit"
        next_state = {"sum_m": total, "ticks": state["ticks"] + 1, "old": state["sum_m"]}
        return {"thrust_n": params["kp"] + jnp.sum(total)}, next_state
        """,
        init='return {"sum_m": jnp.zeros(3), "ticks": 0, "old": jnp.ones(3) * params["kp"]}',
    )
    assert found.action_keys == ("thrust_n",)
    assert found.params["gains"].tolist() == [1.0, 2.0, 3.0] and found.params["kp"].dtype == np.float32
    assert {k: (v.dtype, v.tolist()) for k, v in found.state0.items()} == {
        "sum_m": (np.float32, [0.0] * 3),
        "ticks": (np.int32, 0),
        "old": (np.float32, [2.0] * 3),
    }
    obs = found.obs(np.array([1.0, 0.5, 1.0, -1.0]))
    action, state, diagnostics = jax.jit(found.step)(found.params, found.state0, obs)
    sums = np.float32([-0.5, -2.0, 3.0]) * np.float32(0.02)
    np.testing.assert_allclose(state["sum_m"], sums, rtol=1e-6)
    np.testing.assert_allclose(action["thrust_n"], 2.0 + sums.sum(), rtol=1e-6)
    assert int(state["ticks"]) == 1 and state["old"].tolist() == [0.0] * 3
    assert float(diagnostics["small error"].rho) == -1.0
    margins = found.contract(obs, found.state0, action, state, found.params)
    assert set(margins) == {"sane", "thrust limit"} == set(found.contract_labels)
    assert float(margins["sane"].rho) == 1.5
    assert float(margins["thrust limit"].rho) == pytest.approx(-float(sums.sum()), rel=1e-4)
    assert labels(found.jaxpr) == found.diagnostic_labels == ("small error",)
    assert jax.tree.structure((action, state)) == found.out_tree


def test_float64(traced):
    found = traced(
        'return {"thrust_n": params["kp"] * 0.1 + state["x"]}, {"x": state["x"] + 0.1}',
        init='return {"x": 0.1}',
        dtype=np.float64,
    )
    assert found.state0["x"] == 0.1 and found.params["kp"].dtype == np.float64
    assert {a.dtype for a in found.jaxpr.out_avals} == {np.dtype("float64")}
    with jax.enable_x64(True):
        action, state, _ = found.step(found.params, found.state0, found.obs(np.zeros(4)))
    assert float(action["thrust_n"]) == 2.0 * 0.1 + 0.1 and float(state["x"]) == 0.2


def test_python_numbers_take_the_dtype_they_replace(traced):
    found = traced(
        'return {"thrust_n": 3}, {"on": True, "count": 4, "sum_m": 0}',
        init='return {"on": False, "count": 0, "sum_m": 0.0}',
    )
    assert [str(a) for a in found.jaxpr.out_avals] == ["float32[]", "int32[]", "bool[]", "float32[]"]


def test_an_initial_state_that_needs_xla_is_the_same(traced):
    body = 'return {"thrust_n": 1.0}, state'
    found = traced(body, init='return {"x": jnp.sin(params["gains"]), "y": jnp.stack([1.0, params["kp"]]) / 3.0}')
    np.testing.assert_allclose(found.state0["x"], np.sin([1.0, 2.0, 3.0]), rtol=1e-6)
    assert found.state0["y"].tolist() == (np.float32([1.0, 2.0]) / np.float32(3.0)).tolist()


GROWTH = [
    ("t = (1.0, 2.0)\nfor i in range(40):\n    t = t + t\n", 14, "sequence grows"),
    ("n = 7\nfor i in range(40):\n    n = n * n\n", 14, "integer grows"),
    ("n = 7\nfor i in range(40):\n    n *= n\n", 14, "integer grows"),
    ("x = list(range(5000))\n", 12, "use lax.fori_loop"),
    ("x = [1.0, 2.0]\nfor i in range(40):\n    x = [x, x]\n", 14, "sequence grows"),
    (
        "x = [0.0, 0.0]\nfor i in range(40):\n    y = [0.0, 0.0]\n    y[0] = x\n    y[1] = x\n    x = y\n",
        15,
        "sequence grows",
    ),
    ('x = list({"nan": 0})[0]\n', 12, "never iterated"),
    ('x, y = {"nan": 0, "inf": 1}\n', 12, "never iterated"),
    ("for x, (y, z) in ((1.0, obs),):\n    pass\n", 12, "never iterated"),
    ("x = [y for y, z, u in (obs,)]\n", 12, "never iterated"),
    ("x = sum(obs)\n", 12, "never iterated"),
    ("x = int(obs)\n", 12, "never iterated"),
    ("x = list(jnp.zeros(5000))\n", 12, "taken apart"),
    ("x, y = jnp.zeros(5000)\n", 12, "taken apart"),
    ("x, _ = lax.scan(lambda c, y: (c, y), 0.0, jnp.zeros(9), None, False, 9)\n", 12, "wrong number of arguments"),
]


@pytest.mark.parametrize(("body", "line", "text"), GROWTH)
def test_python_values_stay_small_and_are_read_by_their_keys(traced, body, line, text):
    with pytest.raises(SubsetError) as caught:
        traced(body + RETURN)
    assert text in caught.value.message, caught.value.message
    assert (caught.value.where.path, caught.value.where.line) == ("c.py", line)


@pytest.mark.parametrize(
    ("init", "text"),
    [
        ('return {"x": 0.0 / params["kp"] * jnp.inf}', "starts as NaN"),
        ('return {"x": jnp.zeros(99999)}', "at most"),
        ('return {"x": lax.fori_loop(0, 2000000, lambda i, c: c + 1.0, 0.0)}', "trips"),
        ('return {"x": jnp.sum(jnp.ones((9999, 9999)))}', "init needs"),
    ],
)
def test_an_initial_state_is_finite_and_small(traced, init, text):
    with pytest.raises(SubsetError) as caught:
        traced('return {"thrust_n": 1.0}, state', init=init)
    assert text in caught.value.message, caught.value.message
    assert caught.value.where.line == 9


@pytest.mark.parametrize(
    ("body", "init", "text", "line"),
    [
        ('return {"thrust_n": [jnp.zeros(2), jnp.zeros(3)]}, {}', "return {}", "joins parts of one shape", 12),
        ('return {"thrust_n": [{"a": 1.0}]}, {}', "return {}", "a sequence of dictionaries", 12),
        ('n = 1\nfor k in range(40):\n    n = 2 * n\nreturn {"thrust_n": n}, {}', "return {}", "into 32 bits", 15),
        ('return {"thrust_n": 1.0}, state', 'return {"a": 0.0, 1: 0.0}', "a word in quotes", 9),
        ('return {"thrust_n": 1.0}, {"n": {1: 0.0}}', 'return {"n": 0.0}', "a word in quotes", 12),
    ],
)
def test_what_cannot_be_an_array_is_refused_at_the_return(traced, body, init, text, line):
    with pytest.raises(SubsetError, match=text) as caught:
        traced(body, init=init)
    assert caught.value.where.line == line


@pytest.mark.parametrize("name", ["memory", "step"])
def test_a_defect_of_the_runtime_comes_out_as_itself(traced, monkeypatch, name):
    def broken(*args):
        return args.no_such_attribute

    monkeypatch.setattr(trace.results, name, broken)
    with pytest.raises(AttributeError, match="no_such_attribute"):
        traced(RETURN)


def test_a_defect_before_the_source_runs_comes_out_as_itself(parsed, table):
    def broken(*args):
        raise AttributeError("planted")

    for function in ("init", "control", "contract"):
        loaded = dataclasses.replace(controller.load(parsed(RETURN)), **{function: broken})
        with pytest.raises(AttributeError, match="planted"):
            trace.trace(loaded, table, 0.02)


def test_a_refusal_keeps_its_cause(traced):
    with pytest.raises(SubsetError) as caught:
        traced('x = obs["velocity_mps"] + jnp.zeros(4)\n' + RETURN)
    assert isinstance(caught.value.__cause__, TypeError | ValueError)


def test_only_known_dtypes_are_values(parsed):
    jaxpr = jax.make_jaxpr(lambda x: x.astype(np.float16))(np.float32(1))
    (found,) = of_program(Program("control", jaxpr, controller.load(parsed(RETURN))), passes.Budget())
    assert "dtype float16" in found.message


def test_a_contract_assert_is_told_too(traced):
    with pytest.raises(SubsetError, match='"gone" is not a key of next_state') as caught:
        traced('assert next_state["gone"] > 0.0, "keeps"\n' + RETURN)
    assert caught.value.where.line == 12


def test_calls_cannot_talk_to_each_other(parsed):
    loaded = controller.load(
        parsed('box = TABLE\nbox += [1.0]\nreturn {"thrust_n": len(box)}, {}', more="TABLE = [0.0]\n")
    )
    first, second = (loaded.control({}, {}, {})[0]["thrust_n"] for _ in range(2))
    assert first == second == 2


def test_the_state_handed_in_is_not_changed(parsed):
    loaded = controller.load(parsed('s = {**state["a"]}\ns["b"] = 3.0\nt = state\nt |= {"a": s}\nreturn {}, t'))
    state = {"a": {"b": 1.0}}
    assert loaded.control({}, state, {})[1] == {"a": {"b": 3.0}} and state == {"a": {"b": 1.0}}


def test_contract_asserts_are_lifted_out_of_the_body(parsed):
    loaded = controller.load(parsed('assert action["thrust_n"] > 5.0, "much"\n' + RETURN))
    assert loaded.control({}, {}, {}) == ({"thrust_n": 1.0}, {})
    margins = loaded.contract({}, {}, {"thrust_n": 1.0}, {}, {})
    assert float(margins["much"].rho) == -4.0 and not bool(margins["much"].ok)


def test_diagnostics_raise_when_run_eagerly(parsed):
    loaded = controller.load(parsed('x = -1.0\nassert x > 0.0, "positive"\n' + RETURN))
    with pytest.raises(AssertionError, match='"positive" is violated: margin -1'):
        loaded.control({}, {}, {})


def test_nothing_runs_at_load(write):
    parsed = source.parse(write(RETURN, more="X = math.sqrt(-1.0)\n"), path="c.py")
    controller.load(parsed)


def test_traced_is_frozen(traced):
    with pytest.raises(dataclasses.FrozenInstanceError):
        traced(RETURN).dt_s = 1.0


def test_trace_needs_a_table(parsed, table):
    found = trace.trace(controller.load(parsed('return {"thrust_n": obs["dt_s"]}, {}')), table, 0.25)
    assert float(found.step(found.params, {}, found.obs(np.zeros(4)))[0]["thrust_n"]) == 0.25
