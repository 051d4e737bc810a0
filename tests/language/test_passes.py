"""Each pass refuses what it is for, at its line, and lets ordinary controllers pass."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from healing_runtime.language import controller, passes, source
from healing_runtime.language.passes import Budget, Program, effects, loops, primitives, signature

ORDINARY = {
    "previous-error PID": (
        """
        error = 1.0 - obs["altitude_m"]
        integral = state["integral"] + error * obs["dt_s"]
        slope = (error - state["previous"]) / jnp.maximum(obs["dt_s"], 1e-6)
        thrust = params["kp"] * error + 0.1 * integral + 0.01 * slope
        return {"thrust_n": jnp.clip(thrust, 0.0, 10.0)}, {"integral": integral, "previous": error}
        """,
        'return {"integral": 0.0, "previous": 0.0}',
    ),
    "derivative on measurement": (
        """
        height = obs["altitude_m"]
        slope = (height - state["height"]) * 50.0
        return {"thrust_n": params["kp"] * (1.0 - height) - slope}, {"height": height}
        """,
        'return {"height": 0.0}',
    ),
    "filtered derivative with anti-wind-up": (
        """
        error = 1.0 - obs["altitude_m"]
        slope = 0.9 * state["slope"] + 0.1 * (error - state["previous"]) / 0.02
        wanted = params["kp"] * error + state["integral"] + 0.1 * slope
        thrust = jnp.clip(wanted, 0.0, 10.0)
        integral = state["integral"] + (error + (thrust - wanted)) * obs["dt_s"]
        return {"thrust_n": thrust}, {"integral": integral, "previous": error, "slope": slope}
        """,
        'return {"integral": 0.0, "previous": 0.0, "slope": 0.0}',
    ),
    "alpha-beta observer": (
        """
        predicted = state["height"] + state["speed"] * obs["dt_s"]
        residual = obs["altitude_m"] - predicted
        height, speed = predicted + 0.5 * residual, state["speed"] + 0.1 * residual / 0.02
        return {"thrust_n": -params["kp"] * speed}, {"height": height, "speed": speed}
        """,
        'return {"height": 0.0, "speed": 0.0}',
    ),
    "no memory": ('return {"thrust_n": 0.0}, {}', "return {}"),
    "kept for the contract": (
        'assert next_state["was"] < 99.0, "kept"\nreturn {"thrust_n": 0.0}, {"was": obs["altitude_m"]}',
        'return {"was": 0.0}',
    ),
    "marked on purpose": (
        'x = state["a"] + state["b"] + state["c"]\n'
        'return {"thrust_n": x}, {"a": x, "b": tl.copy(x), "c": tl.reset(1.0)}',
        'return {"a": 0.0, "b": 0.0, "c": 1.0}',
    ),
    "swapped with a copy": (
        'return {"thrust_n": state["a"]}, {"a": tl.copy(state["b"]), "b": obs["altitude_m"] + state["a"]}',
        'return {"a": 0.0, "b": 0.0}',
    ),
    "bounded loop": (
        'x = tl.while_loop(lambda v: v < 9.0, lambda v: v * 2.0, obs["altitude_m"], max_trips=20)\n'
        'return {"thrust_n": x}, {}',
        "return {}",
    ),
}


@pytest.mark.parametrize("name", sorted(ORDINARY))
def test_ordinary_controllers_pass(traced, name):
    body, init = ORDINARY[name]
    assert passes.run(traced(body, init=init)) == ()


REFUSED = [
    ("linearity", 'return {"thrust_n": 0.0}, {"a": 1.0}', 'return {"a": 0.0}', "same constant at every tick"),
    (
        "linearity",
        'x = obs["altitude_m"] + state["a"] + state["b"]\nreturn {"thrust_n": x}, {"a": x, "b": x}',
        'return {"a": 0.0, "b": 0.0}',
        "become the same value",
    ),
    (
        "linearity",
        'return {"thrust_n": 0.0}, {"a": state["b"], "b": state["b"] + state["a"]}',
        'return {"a": 0.0, "b": 0.0}',
        'becomes state["b"] itself',
    ),
    ("linearity", 'return {"thrust_n": 0.0}, {"a": obs["altitude_m"]}', 'return {"a": 0.0}', "written and never read"),
    (
        "cost",
        'm = jnp.zeros((3000, 3000)) + state["a"]\nx = jnp.sum(m @ m)\nreturn {"thrust_n": x}, {"a": x}',
        None,
        "operations",
    ),
    (
        "cost",
        'x = jnp.sum(jnp.zeros((9999, 9999)) + state["a"])\nreturn {"thrust_n": x}, {"a": x}',
        None,
        "alive at once",
    ),
    (
        "loops",
        'x = lax.fori_loop(0, 2000, lambda i, c: lax.fori_loop(0, 2000, lambda j, d: d * 0.5, c), state["a"])\n'
        'return {"thrust_n": x}, {"a": x}',
        None,
        "4000000 trips",
    ),
    (
        "loops",
        'n = jnp.astype(obs["altitude_m"], jnp.int32)\nx = lax.fori_loop(0, n, lambda i, c: c * 0.5, state["a"])\n'
        'return {"thrust_n": x}, {"a": x}',
        None,
        "the loop bound depends on data",
    ),
    (
        "primitives",
        'x = jnp.sum(jnp.diag(jnp.outer(obs["velocity_mps"], obs["velocity_mps"]))) + state["a"]\n'
        'return {"thrust_n": x}, {"a": x}',
        None,
        "is not part of TensorLang",
    ),
]


@pytest.mark.parametrize(("name", "body", "init", "text"), REFUSED)
def test_refused(traced, name, body, init, text):
    errors = [f for f in passes.run(traced(body, init=init or 'return {"a": 0.0}')) if f.severity == "error"]
    found = [f for f in errors if f.pass_name == name and text in f.message]
    assert found, errors
    assert all(f.line in (12, 13) and f.column > 0 and f.message.endswith(".") for f in found)


def test_constants_above_the_limit(traced):
    found = passes.run(
        traced('x = jnp.sum(jnp.array([0.5] * 300))\nreturn {"thrust_n": x}, {}'), Budget(constant_bytes=1e3)
    )
    assert [f.pass_name for f in found] == ["cost"] and "bytes of constants" in found[0].message


# ---------------------------------------------------------------- programs that no source can write
HOLLOW = "def init(params):\n    return {}\n\n\ndef control(obs, state, params):\n    return {}, {}\n"


def program(function, *args):
    return Program("control", jax.make_jaxpr(function)(*args), controller.load(source.parse(HOLLOW)))


def callback(x):
    return jax.pure_callback(lambda v: v, jax.ShapeDtypeStruct((), jnp.float32), x)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (callback, "pure_callback"),
        (lambda x: jax.lax.cond(x > 0, callback, lambda y: y, x), "pure_callback"),
        (lambda x: jax.lax.scan(lambda c, _: (callback(c), None), x, None, length=2)[0], "pure_callback"),
        (lambda x: jax.jit(jax.checkpoint(callback))(x), "pure_callback"),
        (lambda x: jax.ffi.ffi_call("some_target", jax.ShapeDtypeStruct((), jnp.float32))(x), "ffi_call"),
        (lambda x: jnp.linalg.cholesky(jnp.eye(2) * x)[0, 0], "cholesky"),
        (lambda x: jax.random.normal(jax.random.key(0)) + x, "random"),
    ],
)
def test_primitives_finds_it_wherever_it_hides(function, name):
    found = [f.message for f in primitives.of_program(program(function, jnp.float32(1)), Budget())]
    assert any(name in message for message in found), found


@pytest.mark.parametrize(
    ("function", "dtype"),
    [
        (lambda x: x.astype(jnp.float16) * 2, "float16"),
        (lambda x: jax.lax.cond(x > 0, lambda: x.astype(jnp.int8), lambda: jnp.int8(1)), "int8"),
        (lambda x: np.array([1, 2], np.int8), "int8"),  # a constant that is returned as it is
        (lambda x: x.astype(jnp.complex64), "complex64"),
    ],
)
def test_primitives_knows_every_dtype_however_it_gets_there(function, dtype):
    found = list(primitives.of_program(program(function, jnp.float32(1)), Budget()))
    assert any(f"dtype {dtype} is not part" in f.message for f in found)
    assert all((f.line, f.column) == (6, 5) for f in found)  # no place of its own: the return


def test_effects():
    def noisy(x):
        jax.debug.print("{}", x)
        return x

    def storing(x):
        ref = jax.new_ref(x)
        ref[...] = x + 1.0
        return ref[...]

    for function, name in (
        (noisy, "debug_"),
        (jax.jit(noisy), "debug_"),
        (storing, "swap"),
        (lambda x: jax.lax.scan(lambda c, _: (noisy(c), None), x, None, length=2)[0], "debug_"),
        (lambda x: jax.lax.cond(x > 0, noisy, lambda y: y, x), "debug_"),
    ):
        found = list(effects.of_program(program(function, 1.0), Budget()))
        assert any(f.message.startswith(name) for f in found), found
        assert found and all(f.pass_name == "effects" and (f.line, f.column) == (6, 5) for f in found)
    assert not list(effects.of_program(program(lambda x: x * 2, 1.0), Budget()))


def test_signature_sees_a_changed_program(traced):
    good = traced('return {"thrust_n": 1.0}, {"a": state["a"]}', init='return {"a": 0.0}')
    bad = dataclasses.replace(good, state0={"a": np.zeros(3, np.float32)})
    assert 'state["a"] is float32[]; return float32[3].' in [f.message for f in passes.run(bad)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"state0": {"a": np.zeros(3, np.float32)}}, 'state["a"] is float32[]; return float32[3].'),
        ({"state0": {"a": np.int32(0)}}, 'state["a"] is float32[]; return int32[].'),
        ({"state0": {"a": np.float32(0), "b": np.float32(0)}}, "control returns 2 arrays; 3 are expected from it."),
        ({"dtype": np.dtype(np.float64)}, 'action["thrust_n"] is float32[]; return float64[].'),
    ],
)
def test_signature_compares_every_result(traced, changes, message):
    good = traced('x = state["a"] * 0.5\nreturn {"thrust_n": x}, {"a": x + 1.0}', init='return {"a": 0.0}')
    assert list(signature.check(good, Budget())) == []
    found = list(signature.check(dataclasses.replace(good, **changes), Budget()))
    assert [f.message for f in found] == [message] and found[0].line in (12, 13) and found[0].column > 0


def test_signature_sees_a_weak_type(traced):
    good = traced('return {"thrust_n": 1.0}, {"a": state["a"]}', init='return {"a": 0.0}')
    weak = jax.make_jaxpr(lambda k, gains, a, h, dt, v: (jnp.asarray(2.0), a))(*(1.0,) * 6)
    found = list(signature.check(dataclasses.replace(good, jaxpr=weak), Budget()))
    assert 'action["thrust_n"] has a weak type; make it an array of float32.' in [f.message for f in found]


# ---------------------------------------------------------------- loops
LOOPY = """
def inner(i, c):
    return lax.fori_loop(0, 40, lambda j, d: d * 0.5 + i, c)
def outer(c, x):
    return lax.cond(x > 0.0, lambda y: lax.fori_loop(0, 30, inner, y), lambda y: y, c), None
y = lax.scan(outer, obs["altitude_m"], jnp.ones(50))[0]
return {"thrust_n": y}, {}
"""


@pytest.mark.parametrize(
    ("trips", "lines"), [(60_000, []), (59_999, [13]), (1_500, [13]), (1_499, [15, 13]), (49, [16, 15, 13])]
)
def test_nested_trips_multiply_through_branches(traced, trips, lines):
    found = list(loops.check(traced(LOOPY), Budget(trips=trips)))
    assert [f.line for f in found] == lines and all(f.column > 0 for f in found)
    assert not found or f"at most {trips} are allowed" in found[0].message


def test_a_loop_without_a_bound_is_found_wherever_it_stands():
    def unbounded(x):
        return jax.lax.while_loop(lambda c: c < 3.0, lambda c: c + 1.0, x)

    for function in (
        unbounded,
        jax.jit(unbounded),
        lambda x: jax.lax.cond(x > 0, unbounded, lambda y: y, x),
        lambda x: jax.lax.scan(lambda c, _: (unbounded(c), None), x, None, length=2)[0],
        lambda x: jax.lax.fori_loop(0, jnp.int32(x), lambda i, c: c + 1.0, x),
    ):
        (found,) = loops.of_program(program(function, 1.0), Budget())
        assert "the loop bound depends on data" in found.message and found.line == 6


def test_a_loop_of_negative_length_is_an_error():
    """And never makes up for the trips of another one."""
    length = -3

    def nested(x):
        inner = jax.lax.scan(lambda c, _: (c * 2.0, None), x, None, length=length)[0]
        return jax.lax.scan(lambda c, _: (c * 2.0, None), inner, None, length=100)[0]

    (found,) = loops.of_program(program(nested, 1.0), Budget())
    assert "a loop is -3 trips long" in found.message and (found.severity, found.line) == ("error", 6)
    assert all(site.trips >= 0 for site in program(nested, 1.0).sites())


def test_every_finding_has_a_place_also_in_helpers_and_init(traced):
    more = "def deep(x):\n    y = x * 2.0\n    return jnp.sum(jnp.diag(y))\n"
    body = 'm = jnp.outer(obs["velocity_mps"], obs["velocity_mps"])\nreturn {"thrust_n": deep(m)}, {}'
    found = [f for f in passes.run(traced(body, more=more)) if f.severity == "error"]
    assert found and all(f.line == 17 and f.column > 0 for f in found)
