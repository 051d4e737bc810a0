"""The pass `finite`: unguarded operations are told and guarded ones are not."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from healing_runtime.language.passes import Budget
from healing_runtime.language.passes.finite import check

HELPER = "def helper(x):\n    y = x * 2.0\n    return 1.0 / y\n"
BODY = """
h = obs["altitude_m"]
v = obs["velocity_mps"]
q = jnp.array([h, v[0], v[1], v[2]])
return {{"thrust_n": {}}}, {{}}
"""
GUARDED = [
    "tl.while_loop(lambda c: c > 2.0, lambda c: 1.0 / c, h, max_trips=4)",
    "lax.cond(h > 0.0, lambda x: 1.0 / x, lambda x: x, h)",
    "h / (jnp.linalg.norm(v) + 1e-9)",
    "jnp.where(h > 1e-6, v[0] / jnp.where(h > 1e-6, h, 1.0), 0.0)",
    "1.0 / jnp.where(h > 1e-6, h, 1.0)",
    "1.0 / jnp.where(jnp.abs(h) < 1e-6, 1e-6, h)",
    "jnp.where(h == 0.0, 0.0, v[0] / h)",
    "1.0 / jnp.maximum(jnp.abs(h), 1e-6)",
    "jnp.arccos(jnp.clip(h, -1.0, 1.0))",
    "jnp.arccos(jnp.clip(v[0] * v[1], -1.0, 1.0))",
    "(q / jnp.maximum(jnp.linalg.norm(q), 1e-6))[0]",
    "(q / jnp.sqrt(jnp.sum(q * q) + 1e-12))[0]",
    "(q * lax.rsqrt(jnp.sum(q * q) + 1e-12))[0]",
    "(q / (jnp.sqrt(q @ q) + 1e-6))[0]",
    "(q / jnp.sqrt(jnp.dot(q, q) + 1e-12))[0]",
    "(q / jnp.sqrt(jnp.vdot(q, q) + 1e-12))[0]",
    "jnp.log(1.0 + h * h)",
    "jnp.log1p(jnp.exp(h))",
    "jnp.log1p(jnp.abs(h))",
    "nn.softplus(h)",
    "nn.sigmoid(h)",
    "nn.softmax(v)[0]",
    "nn.gelu(h)",
    "nn.silu(h)",
    "nn.elu(h)",
    "jnp.logaddexp(h, 0.0)",
    "jnp.hypot(h, v[0])",
    "jnp.arctan2(h, v[0])",
    "h / (1.0 + jnp.abs(h))",
    "h % 3.0",
    "jnp.mod(h + 3.14, 6.28) - 3.14",
    "jnp.mean(v)",
    "jnp.std(v)",
    "jnp.var(v)",
    "jnp.sqrt(1.0 - jnp.clip(h, -1.0, 1.0) ** 2)",
    "jnp.sqrt(jnp.square(h))",
    "1.0 / jnp.cosh(h)",
    "h / params['kp']",
    "h / obs['dt_s']",
    "h / math.pi",
    "jnp.sinc(h)",
    "jnp.sign(h) * jnp.sqrt(jnp.abs(h))",
    "jnp.sqrt(v @ v)",
    "jnp.sqrt(jnp.sum(v ** 2))",
    "jnp.exp(-h * h)",
    "1.0 / (jnp.exp(h) + 1.0)",
    "1.0 / (2.0 + jnp.tanh(h))",
    "1.0 / (1.0 + jnp.exp(-h))",
    "jnp.arcsin(jnp.sin(h))",
    "jnp.arccos(jnp.tanh(h))",
    "jnp.power(jnp.abs(h), 0.5)",
    "jnp.abs(h) ** 1.5",
    "2.0 ** h",
    "(h * h + 1.0) ** -0.5",
    "1.0 / (h ** 2 + 0.1)",
    "1.0 / (h ** 4 + 0.1)",
    "lax.fori_loop(0, 3, lambda i, c: c / jnp.maximum(jnp.abs(c), 0.1), h)",
    "lax.cond(h > 0.1, lambda x: 1.0 / jnp.maximum(x, 0.1), lambda x: x, h)",
    "jnp.interp(h, jnp.array([0.0, 1.0]), jnp.array([2.0, 3.0]))",
    "jnp.linalg.norm(v)",
    "jnp.nan_to_num(h / v[0])",
    "jnp.where(jnp.isfinite(h / v[0]), h / v[0], 0.0)",
    "1.0 / jnp.clip(h, 0.1, 5.0)",
    "1.0 / jnp.clip(h, 0.1, None)",
    "jnp.sqrt(jnp.maximum(h, 0.0))",
    "jnp.sqrt(h * h + v[0] * v[0])",
    "jnp.maximum(h, 0.0) ** 0.5",
    "jnp.float_power(jnp.maximum(h,0.1), 0.3)",
    "h / (v[0] ** 2 + v[1] ** 2 + 1e-6)",
    "h / jnp.sum(jnp.exp(v - jnp.max(v)))",
    "h / (jnp.abs(v[0]) + 1e-6)",
    "1.0 / (3.0 - jnp.cos(h))",
    "jnp.deg2rad(h)",
    "nn.relu(h) / (nn.relu(h) + 1.0)",
    "h / (1 + nn.relu(v[0]))",
    "jnp.log(jnp.maximum(h, 1e-12))",
    "jnp.log(nn.sigmoid(h) + 1e-6)",
    "jnp.arctanh(jnp.clip(h, -0.99, 0.99))",
    "jnp.arccosh(jnp.maximum(h, 1.0))",
    "jnp.fmod(h, 2.0)",
    "jnp.remainder(h, 2.0)",
    "jnp.floor_divide(h, 0.5)",
    "h // 0.5",
    "jnp.cbrt(h)",
    "jnp.reciprocal(jnp.maximum(h, 0.1))",
    "jnp.linspace(0.0, h, 5)[2]",
    "h / 3.0",
    "h / jnp.array([2.0, 4.0])[0]",
    "lax.cond(h > 0.0, lambda x: x + 1.0, lambda x: 2.0, h) / 7.0",
    "1.0 / (jnp.abs(h) + 1e-3)",
    "lax.fori_loop(0, 5, lambda i, c: c + h / (i + 1.0), 0.0)",
    "lax.fori_loop(0, 5, lambda i, c: jnp.clip(c + h, 0.5, 2.0), 1.0) ** -1",
    "v[0] / jnp.where(0.5 < h, h, 0.5)",
    "v[0] / jnp.where(h != 0.0, h, 1.0)",
    "jnp.log(jnp.where(h >= 0.1, h, 0.1))",
]
# Guarded on paper, and infinite or NaN in the arithmetic that flies.
ROUNDED = [
    "1.0 / (jnp.exp2(jnp.clip(h, 5.0, 7.0)) - 32.0)",
    "1.0 / jnp.maximum(h, 1e-12) ** 4",
    "1.0 / (jnp.maximum(h, 1e-15) * jnp.maximum(v[0], 1e-15) * jnp.maximum(v[1], 1e-15))",
    "1.0 / jnp.maximum(h, 1e-42)",
    "1.0 / (jnp.maximum(h, -1.0) + 1.000000001)",
    "1.0 / ((jnp.maximum(h, -1.0) + jnp.maximum(v[0], 1e-9)) + 1.0)",
    "1.0 / (jnp.maximum(h, 1.0) / 1e30 / 1e30)",
    "1.0 / jnp.astype(jnp.clip(h, 0.5, 0.9), jnp.int32)",
    "1.0 / (jnp.astype(jnp.clip(h, 1.0, 2.0), jnp.int32) // 3)",
    "jnp.sqrt(jnp.maximum(h, 41.0) / 41.0 - 1.0)",
    "jnp.arccos(jnp.clip(lax.clamp(0.5, h, -2.0), -3.0, 1.0))",
]
UNGUARDED = [
    "lax.cond(h > 0.0, lambda x: x, lambda x: 1.0 / x, h)",
    "lax.cond(h > -1.0, lambda x: 1.0 / x, lambda x: x, h)",
    "tl.while_loop(lambda c: c < 2.0, lambda c: 1.0 / c, h, max_trips=4)",
    "1.0 / (h - 1.0)",
    "1.0 / jnp.maximum(h, -1.0)",
    "1.0 / jnp.maximum(h, 0.0)",
    "jnp.sqrt(h - 1.0)",
    "jnp.sqrt(1.0 - h * h)",
    "jnp.log(jnp.abs(h))",
    "jnp.log1p(h)",
    "jnp.arccos(v[0] * v[1])",
    "jnp.arccos(1.5 * jnp.tanh(h))",
    "jnp.arcsin(h)",
    "(v / jnp.linalg.norm(v))[0]",
    "(q / jnp.sqrt(q @ q))[0]",
    "lax.rsqrt(h * h)",
    "h ** -1.0",
    "h ** -1",
    "1.0 / h ** 2",
    "jnp.power(h, 0.3)",
    "h % v[0]",
    "jnp.mod(h, v[0])",
    "1.0 / jnp.sum(v)",
    "1.0 / jnp.abs(h)",
    "jnp.arctanh(h)",
    "jnp.arccosh(h)",
    "1.0 / (1.0 + jnp.sin(h))",
    "1.0 / jnp.tanh(h)",
    "1.0 / jnp.where(h > 0.0, h, v[0])",
    "jnp.where(h > 0.0, v[0], 1.0) / jnp.where(h > 0.0, h, 0.0)",
    "helper(h)",
    "lax.scan(lambda c, x: (c / x, x), 1.0, v)[0]",
    "jnp.reciprocal(h)",
    "jnp.exp(h) / jnp.exp(h)",
    "jnp.sum(v / v)",
    "jnp.where(1.0 / h > 3.0, 1.0, 0.0)",
    "lax.fori_loop(0, 3, lambda i, c: 1.0 / (c - 1.0), 2.0)",
    "lax.fori_loop(0, 40, lambda i, c: c * 0.5, 1.0) / lax.fori_loop(0, 400, lambda i, c: c * 0.5, 1.0)",
    "jnp.array([1.0, 2.0]).at[1].set(h)[0] / jnp.array([1.0, 2.0]).at[1].set(h)[1]",
    "v[0] / jnp.prod(v)",
    "1.0 / jnp.dot(v, v)",
    "jnp.divide(h, v[0])",
    "jnp.true_divide(1.0, h)",
    "tl.linalg.solve(jnp.outer(v, v), v)[0]",
    "tl.linalg.inv(jnp.outer(v, v))[0, 0]",
    "tl.linalg.cholesky(jnp.outer(v, v))[0, 0]",
    "1.0 / jnp.where(h > -1.0, h, 1.0)",
    "1.0 / jnp.where(h > 1e-6, 1.0, h)",
    "1.0 / jnp.where(h >= 0.0, h, 1.0)",
    "1.0 / jnp.where(v[0] > 1e-6, h, 1.0)",
    "1.0 / jnp.where(jnp.abs(h) > 1e-6, 1.0, h)",
    "1.0 / (params['kp'] - 2.0)",
    "jnp.log(jnp.where(h > 1e-6, 1.0, h))",
    "h / jnp.sum(jnp.exp(v) - 1.0)",
    "lax.fori_loop(0, 5, lambda i, c: c + h / (3.0 - i), 0.0)",
    "1.0 / lax.fori_loop(0, 3, lambda i, c: c - 1.0, 3.0)",
    "1.0 / (v @ v[::-1])",
    *ROUNDED,
]
# Guarded, or never zero, in ways that intervals do not see; told nevertheless.
SUSPECTED = [
    "(v / jnp.linalg.norm(v + 1e-9))[0]",  # which is zero at -1e-9: a sum is no guard
    "lax.fori_loop(0, 3, lambda i, c: 0.5 * (c + 2.0 / c), 1.0)",
    "tl.linalg.solve(jnp.eye(3), v)[0]",
    "v[0] / jnp.max(jnp.array([h, 0.1]))",
    "1.0 / (nn.softplus(h) + 0.1)",
    "1.0 / jnp.where(h < 0.0, -1.0, h + 1.0)",  # what is tested is not what is divided by
]
AWKWARD = [0.0, 1.0, -1.0, 0.5, -2.0, 1e-6, -1e-6, 1e-9, 3.0, 30.0, -30.0]


def judged(traced, expression):
    program = traced(BODY.format(expression), more=HELPER if "helper" in expression else "")
    return program, list(check(program, Budget()))


def values(program):
    """The action at awkward observations: all of one size, and of mixed ones."""
    rng = np.random.default_rng(0)
    rows = [(a, [a, a, a]) for a in AWKWARD] + [(rng.choice(AWKWARD), rng.choice(AWKWARD, 3)) for _ in range(60)]
    step = jax.jit(lambda obs: program.step(program.params, {}, obs)[0]["thrust_n"])
    return [
        float(step({"altitude_m": np.float32(h), "velocity_mps": np.asarray(v, np.float32), "dt_s": np.float32(0.02)}))
        for h, v in rows
    ]


@pytest.mark.parametrize("expression", GUARDED)
def test_a_guarded_operation_is_not_told_and_is_finite(traced, expression):
    program, found = judged(traced, expression)
    assert found == []
    assert np.isfinite(values(program)).all()


@pytest.mark.parametrize("expression", [*UNGUARDED, *SUSPECTED])
def test_an_unguarded_operation_is_told_at_its_line(traced, expression):
    _, found = judged(traced, expression)
    assert found and all(f.severity == "warning" and f.message.endswith(".") and f.column > 0 for f in found)
    assert {f.line for f in found} == ({19} if "helper" in expression else {15})


@pytest.mark.parametrize("expression", [e for e in UNGUARDED if "linalg.inv" not in e])
def test_what_is_told_can_happen(traced, expression):
    program, _ = judged(traced, expression)
    assert not np.isfinite(values(program)).all() or expression in RARE


RARE = {
    "jnp.exp(h) / jnp.exp(h)",  # zero only far below any observation here
    "1.0 / (1.0 + jnp.sin(h))",
    "jnp.where(1.0 / h > 3.0, 1.0, 0.0)",  # infinite, and compared
    "lax.fori_loop(0, 3, lambda i, c: 1.0 / (c - 1.0), 2.0)",
}


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("1.0 / h", "division by something that can be zero reaches the action; guard it, as in jnp.where(jnp.abs"),
        ("1.0 / jnp.abs(h)", "by something that can be zero reaches the action; guard it, as in x / jnp.maximum"),
        ("jnp.sqrt(h)", "square root"),
        ("jnp.log(h)", "logarithm"),
        ("jnp.arccos(h)", "arc cosine"),
        ("h ** 0.5", "power"),
        ("h ** -2", "negative power"),
        ("h % v[0]", "remainder"),
        ("lax.rsqrt(h)", "inverse square root"),
    ],
)
def test_the_words(traced, expression, text):
    _, found = judged(traced, expression)
    assert text in found[0].message


def test_finite_looks_only_at_the_action(traced):
    body = 'x = 1.0 / obs["altitude_m"]\nassert x < 5.0, "ratio"\nreturn {"thrust_n": 1.0}, {"x": x + state["x"]}'
    assert list(check(traced(body, init='return {"x": 0.0}'), Budget())) == []


def test_deeply_nested_loops_are_not_evaluated_for_ever(traced, monkeypatch):
    """A fixpoint a loop, each over the fixpoints inside it, would take for ever."""
    from healing_runtime.language.passes import finite

    runs = 0
    run = finite._Walk.run

    def counted(*args):
        nonlocal runs
        runs += 1
        return run(*args)

    monkeypatch.setattr(finite._Walk, "run", counted)
    functions = "".join(
        f"def f{d}(i, c):\n    return c * 0.5 + lax.fori_loop(0, 2, f{d + 1}, 1.0)\n" for d in range(10)
    )
    more = functions + "def f10(i, c):\n    return 1.0 / c\n"
    body = 'return {"thrust_n": lax.fori_loop(0, 2, f0, 1.0)}, {}'
    found = list(check(traced(body, more=more), Budget()))
    assert runs < 300
    # In doubt it says so: up to where carries are tried, the divisor is known to be positive.
    assert [f.message.split(" reaches")[0] for f in found] == ["a division by something that can be zero"]
