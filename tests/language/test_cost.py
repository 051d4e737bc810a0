"""The pass `cost`: counts by hand, bounds on what XLA counts itself, and the line that is blamed."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from healing_runtime.language import linalg, passes
from healing_runtime.language.execution.functions import while_loop
from healing_runtime.language.harvest import harvest
from healing_runtime.language.passes import Budget, cost
from healing_runtime.language.primitive import assert_
from tests.language.test_passes import program


# ---------------------------------------------------------------- by hand
@pytest.mark.parametrize(
    ("function", "flops", "live"),
    [
        (lambda x: x * 2.0, 8, 64),
        (lambda x: jnp.dot(x, x), 16, 36),
        (lambda x: jax.lax.scan(lambda c, _: (c * 2.0, None), x, None, length=50)[0], 400, None),
        (lambda x: jax.lax.cond(x[0] > 0, lambda y: y * 2.0 + 1.0, lambda y: y, x), 18, None),
        (lambda x: jnp.sin(x), 128, 64),
        (lambda x: jnp.outer(x, x), 64, None),
    ],
)
def test_cost_counts_loops_out(function, flops, live):
    found = cost.estimate(jax.make_jaxpr(function)(np.zeros(8, np.float32)))
    assert found.flops == pytest.approx(flops, abs=2)
    assert live is None or found.live_bytes == live


def test_live_bytes_free_what_is_dead():
    def chain(x):
        for _ in range(20):
            x = x * 2.0
        return x

    found = cost.estimate(jax.make_jaxpr(chain)(np.zeros(100, np.float32)))
    assert found.live_bytes == 2 * 400 and found.traffic_bytes == pytest.approx(20 * 800, rel=0.02)


# ---------------------------------------------------------------- cost of nested loops, in closed form
def nested(outer, inner):
    def step(c, _):
        return jax.lax.scan(lambda d, _: (d * 0.5, None), c + 1.0, None, length=inner)[0], None

    return lambda x: jax.lax.scan(step, x, None, length=outer)[0]


@pytest.mark.parametrize(("outer", "inner", "size"), [(3, 7, 8), (10, 1, 5), (2, 100, 64)])
def test_nested_loops_multiply(outer, inner, size):
    found = cost.estimate(jax.make_jaxpr(nested(outer, inner))(np.zeros(size, np.float32)))
    # A trip of the outer loop adds once; each of the inner one multiplies once.
    assert found.flops == outer * (size + inner * size)
    # Each reads an array and a scalar, and writes an array; the trip is handed a carry and leaves one.
    assert found.traffic_bytes == outer * (1 + inner) * (2 * 4 * size + 4 + 2 * 4 * size)


def test_fori_and_bounded_while_cost_their_trips():
    x = np.zeros(16, np.float32)
    fori = cost.estimate(jax.make_jaxpr(lambda x: jax.lax.fori_loop(0, 9, lambda i, c: c * c, x))(x))
    assert 9 * 16 <= fori.flops <= 9 * (16 + 2)  # and the counter
    loop = jax.make_jaxpr(lambda x: while_loop(lambda c: c[0] < 9.0, lambda c: c * c, x, max_trips=30))(x)
    assert 30 * 16 <= cost.estimate(loop).flops <= 30 * (16 + 4)  # and the condition


def test_what_a_loop_only_moves_about_is_traffic():
    v = np.zeros(500_000, np.float32)

    def swap(trips):
        return lambda a, b: lax.fori_loop(0, trips, lambda i, c: (c[1], c[0]), (a, b))

    one, found = (cost.estimate(jax.make_jaxpr(swap(n))(v, v)) for n in (1, 300))
    assert 300 * 8e6 <= found.traffic_bytes <= 300 * 8.1e6 and found.traffic_bytes > Budget().traffic_bytes
    assert one.live_bytes == found.live_bytes
    (told,) = cost.of_program(program(swap(300), v, v), Budget(live_bytes=1e9))
    assert "memory traffic" in told.message


def test_what_is_scanned_and_stacked_is_traffic_too():
    xs = np.zeros((50, 1000), np.float32)
    found = cost.estimate(jax.make_jaxpr(lambda xs: lax.scan(lambda c, x: (c, x * 2.0), 0.0, xs)[1])(xs))
    assert found.traffic_bytes >= 50 * 4 * 4000

    def moving(x, n):
        return lax.while_loop(lambda c: c[0] < n, lambda c: (c[0] + 1, c[2], c[1]), (0, x, x))

    assert of(moving, xs, 3).traffic_bytes >= 4 * xs.nbytes
    swapped = jax.make_jaxpr(lambda p, x, y: lax.cond(p, lambda a, b: (b, a), lambda a, b: (a, b), x, y))
    assert cost.estimate(swapped(True, xs, xs)).traffic_bytes >= 4 * xs.nbytes


@pytest.mark.parametrize("length", [0, -1, -50])
def test_no_loop_makes_anything_cheaper(length):
    jaxpr = jax.make_jaxpr(lambda x: lax.scan(lambda c, _: (c * 2.0, None), x, None, length=50)[0])(np.zeros(8))
    (loop,) = jaxpr.jaxpr.eqns
    shorter = jaxpr.jaxpr.replace(eqns=[loop.replace(params={**loop.params, "length": length})])
    found = cost.estimate(shorter)
    assert found.flops == 0.0 and found.traffic_bytes >= 0.0 and found.live_bytes >= 64


def test_peak_memory_is_that_of_the_widest_moment():
    def wide(x):
        matrix = jnp.broadcast_to(x, (10, 100)) * 2.0  # 4000 bytes, and as much before the product
        y = jnp.sum(matrix, axis=0)
        return y + jnp.concatenate([y, y])[:100]

    found = cost.estimate(jax.make_jaxpr(wide)(np.zeros(100, np.float32)))
    assert 8000 <= found.live_bytes <= 8000 + 2 * 400
    inside = cost.estimate(
        jax.make_jaxpr(lambda x: jax.lax.scan(lambda c, _: (wide(c), None), x, None, length=50)[0])(
            np.zeros(100, np.float32)
        )
    )
    assert 8000 <= inside.live_bytes <= 8000 + 4 * 400  # not fifty times as much


# ---------------------------------------------------------------- single operations
M = np.zeros((32, 16), np.float32)
V = np.zeros(64, np.float32)


def of(function, *args):
    return cost.estimate(jax.make_jaxpr(function)(*args))


@pytest.mark.parametrize(
    ("function", "arg", "flops"),
    [
        (lambda m: m @ m.T, M, 2 * 32 * 32 * 16),
        (lambda m: lax.dot_general(m, m, (((1,), (1,)), ((0,), (0,)))), M, 2 * 32 * 16),  # batched: a product a row
        (lambda b: jnp.einsum("bij,bkj->bik", b, b), np.zeros((5, 8, 9), np.float32), 2 * 5 * 8 * 8 * 9),
        (lambda v: jnp.sum(v), V, 64),
        (lambda m: jnp.max(m, axis=1), M, 512),
        (lambda v: lax.cumsum(v), V, 64 * 64),  # a window as long as the axis
        (lambda m: lax.cumprod(m, axis=1), M, 512 * 16),
        (lambda v: lax.sort(v), V, 64 * math.log2(65)),
        (lambda v: jnp.argmax(v), V, 640),
        (lambda v: jnp.where(v > 0, v, -v), V, 3 * 64),
        (lambda v: v**3, V, 4 * 64),
        (lambda v: v[::2] + v[1::2], V, 32),
        (lambda v: v.at[jnp.arange(3)].add(2.0), V, 3),
        (lambda v: lax.dynamic_update_slice(v, v[:8], (4,)), V, 0),
    ],
)
def test_operations_by_hand(function, arg, flops):
    assert of(function, arg).flops == pytest.approx(flops, abs=12)  # and the arithmetic of indices


def test_a_matrix_product_in_a_scan_in_a_fori_loop():
    def inner(c, _):
        return c @ c, None

    def outer(i, c):
        return lax.scan(inner, c + 1.0, None, length=7)[0]

    m = np.zeros((16, 16), np.float32)
    found = of(lambda m: lax.fori_loop(0, 5, outer, m), m)
    assert found.flops == 5 * (256 + 7 * 2 * 16**3 + 1)  # and the counter
    # A product reads two matrices and writes one; an addition reads one and a number and writes one.
    # A trip is handed a carry and leaves one, the outer one's with the counter in it.
    assert found.traffic_bytes == 5 * (7 * (3 + 2) * 1024 + 2 * 1024 + 4 + 12 + 2 * (1024 + 4))


def test_a_branch_costs_what_the_dearest_does_in_every_respect():
    def busy(v):
        return jnp.tanh(v)

    def wide(v):
        return jnp.sum(jnp.outer(v, v), axis=0)

    found = of(lambda v: lax.cond(v[0] > 0, busy, wide, v), V)
    one, other = of(busy, V), of(wide, V)
    assert found.flops == pytest.approx(max(one.flops, other.flops), abs=2)
    assert found.live_bytes >= max(one.live_bytes, other.live_bytes)


def test_a_fan_out_holds_everything_until_it_is_used():
    def fan(v):
        parts = [jnp.sin(v + float(i)) for i in range(10)]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total

    found = of(fan, V)
    assert 11 * 256 <= found.live_bytes <= 13 * 256


def test_scatters_are_counted_by_their_size_in_loops_too():
    """What a scatter does to two elements is not its cost."""
    index, numbers = jnp.zeros((64, 1), jnp.int32), lax.ScatterDimensionNumbers((), (0,), (0,))

    def step(i, v):
        return lax.scatter_add(v, index, v, numbers)

    one = of(lambda v: step(0, v), V)
    assert one.flops == 64 and one.traffic_bytes == 4 * 256
    looped = of(lambda v: lax.fori_loop(0, 100, step, v), V)
    assert looped.flops >= 100 * 64 and looped.traffic_bytes >= 100 * 4 * 256


# ---------------------------------------------------------------- asserts, which fly harvested
def asserting(count, size=1, labels=1000):
    """A function that asserts so often, over so many numbers, under so many labels."""

    def step(x):
        for i in range(count):
            assert_(x[:size] - float(i), f"a{i % labels}")
        return x * 0.5

    return step


def repeated(step, *trips):
    if not trips:
        return step
    inside = repeated(step, *trips[1:])
    return lambda x: lax.scan(lambda c, _: (inside(c), None), x, None, length=trips[0])[0]


def derived(step):
    function = jax.custom_jvp(step)
    function.defjvp(lambda x, dx: (function(*x), dx[0]))
    return function


ASSERTING = {
    "one": asserting(1),
    "twenty": asserting(20),
    "of vectors": asserting(5, size=64),
    "of one label": asserting(20, labels=1),
    "in a loop": repeated(asserting(1), 100),
    "many in a loop": repeated(asserting(60), 100_000),
    "in nested loops": repeated(asserting(10), 10, 10),
    "in loops of one trip": repeated(asserting(10), 1, 1, 1, 1),
    "after a loop": lambda x: asserting(10)(repeated(asserting(10), 30)(x)),
    "in two loops": lambda x: repeated(asserting(10), 3)(repeated(asserting(10), 30)(x)),
    "in a branch": lambda x: lax.cond(x[0] > 0, asserting(10), lambda x: x, x),
    "in a branch in a loop": repeated(lambda x: lax.cond(x[0] > 0, asserting(10), lambda x: x, x), 100),
    "in a loop in a branch": lambda x: lax.cond(x[0] > 0, repeated(asserting(10), 9), asserting(3), x),
    "in a while": lambda x: lax.while_loop(lambda c: c[0] > 1.0, asserting(10), x),
    "bounded while": lambda x: while_loop(lambda c: c[0] > 1.0, asserting(10), x, max_trips=30),
    "jitted": jax.jit(asserting(10)),
    "recomputed": jax.checkpoint(asserting(10)),
    "with a rule": derived(lambda x: asserting(3)(jnp.sin(jnp.tanh(x)))),
}


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("name", ASSERTING)
def test_asserts_are_priced_at_what_their_harvest_costs(name, wide):
    function = ASSERTING[name]
    with jax.enable_x64(wide):
        x = np.zeros(64, np.float64 if wide else np.float32)
        priced = cost.estimate(jax.make_jaxpr(function)(x))
        flown = cost.estimate(jax.make_jaxpr(harvest(function))(x))
    for what, price, real in zip(priced._fields, priced, flown, strict=True):
        assert real <= price <= 3 * real, what


def test_asserts_in_a_long_loop_are_above_the_budget():
    """Sixty comparisons in each of 100,000 trips are inside of it, what harvest makes of them is not."""
    found = list(cost.of_program(program(ASSERTING["many in a loop"], np.zeros(64, np.float32)), Budget()))
    assert any("operations;" in told.message for told in found)


# ---------------------------------------------------------------- against XLA, where nothing loops
def cross(b):
    return jnp.cross(b[0, :, :3], b[1, :, :3])


LOOP_FREE = {
    "arithmetic": (lambda v: (v * 2.0 + 1.0) * v - 3.0, V, 1),
    "argmax": (lambda v: jnp.argmax(v), V, 1.2),
    "batched product": (lambda b: jnp.einsum("bij,bkj->bik", b, b), np.zeros((5, 8, 9), np.float32), 1),
    "cross": (cross, np.zeros((2, 6, 3), np.float32), 1),
    "cumulative": (lambda v: lax.cumsum(v), V, 1.1),
    "matrix product": (lambda m: m @ m.T, M, 1),
    "network": (lambda m: jnp.maximum(m @ m.T, 0.0) @ m, M, 1),
    "outer": (lambda v: jnp.outer(v, v), V, 1),
    "power": (lambda v: v**3, V, 2),
    "quadratic form": (lambda m: m[0] @ (m.T @ m) @ m[0], M, 1.01),
    "scan in parallel": (lambda v: lax.associative_scan(jnp.add, v), V, 1.1),
    "selection": (lambda v: jnp.where(v > 0, v, -v), V, 1),
    "sort": (lambda m: jnp.sort(m, axis=1), M, 1.01),
    "sum": (lambda m: jnp.sum(m, axis=0), M, 1.1),
}


@pytest.mark.parametrize("name", LOOP_FREE)
def test_never_less_than_xla_counts_and_no_more_than_a_factor(name):
    function, arg, factor = LOOP_FREE[name]
    lowered = jax.jit(function).lower(arg)
    counted, found = (lowered.cost_analysis() or {})["flops"], of(function, arg)
    assert counted <= found.flops * 1.001 <= factor * counted * 1.002
    memory = lowered.compile().memory_analysis()
    assert memory is not None
    needed = memory.argument_size_in_bytes + memory.output_size_in_bytes
    assert needed <= found.live_bytes + 64


@pytest.mark.parametrize("function", [jnp.tanh, jnp.sqrt, jnp.exp, lambda v: 1.0 / v, lambda v: v / (v + 1.0)])
def test_costly_functions_count_sixteen(function):
    counted = jax.jit(function).lower(V).cost_analysis() or {}
    calls = counted.get("flops", 0.0) + counted.get("transcendentals", 0.0)
    assert calls <= of(function, V).flops <= 16 * calls


def test_linear_algebra_has_a_cost():
    found = of(linalg.solve, np.zeros((8, 8), np.float32), np.zeros(8, np.float32))
    assert 8 * 8 * 9 * 2 < found.flops < 40_000


# ---------------------------------------------------------------- the line that is blamed
BLAMED = """
small = obs["velocity_mps"] * 2.0
inside = lax.fori_loop(0, 90, lambda i, c: c + jnp.sum(jnp.sin(
    jnp.outer(small, jnp.ones(500)))), 0.0)
wide = jnp.sum(jnp.ones((40, 500)) * small[0])
table = jnp.sum(jnp.array([0.25, 0.5] * 200) * small[1])
return {"thrust_n": inside + wide + table}, {}
"""


@pytest.mark.parametrize(
    ("budget", "what", "line"),
    [
        (Budget(flops=1e5), "operations;", (13, 14)),
        (Budget(traffic_bytes=4e5), "memory traffic", (13, 14)),
        (Budget(live_bytes=7e4), "alive at once", (15,)),
        (Budget(constant_bytes=1e3), "constants", (16,)),
    ],
)
def test_the_dearest_line_is_blamed(traced, budget, what, line):
    found = [f for f in passes.run(traced(BLAMED), budget) if f.pass_name == "cost"]
    assert len(found) == 1 and what in found[0].message and found[0].line in line and found[0].column > 0


def test_too_many_operations_are_told_with_a_line(traced):
    body = "x = obs['altitude_m']\n" + "x = x * 1.5 + 0.5\n" * 30 + "return {'thrust_n': x}, {}"
    found = [f for f in passes.run(traced(body), Budget(equations=40)) if f.pass_name == "cost"]
    assert "operations in the program" in found[0].message and found[0].line > 0
