"""Batches: every lane as if it flew alone."""

from __future__ import annotations

from types import SimpleNamespace

import jax
import numpy as np
import pytest

from healing_runtime import tensorlang as tl
from healing_runtime.compile import batch, portable
from healing_runtime.core.errors import InputError
from healing_runtime.core.status import Status
from tests.compile.line import HZ, TABLE, requirements, traced

LANES, TICKS = 4, 30
TOLERANCE = 1e-5
"""Between a lane and the same flight alone, relative and absolute: XLA may order a sum of a few terms differently."""

SOURCE = '''"""Go home, in a way that depends on where one is."""
import jax.numpy as jnp
from jax import lax

PARAMS = {"gain": 0.5, "far_m": 1.0}


def init(params):
    return {"sum_m": jnp.zeros(3), "far_ticks": jnp.zeros((), jnp.int32), "trips": jnp.zeros(())}


def from_far(x):
    assert x < 4.0, "far is below four"
    return -jnp.sin(x)


def from_near(x):
    return -0.5 * x


def control(obs, state, params):
    x = obs["position_m"]
    push = lax.cond(x > params["far_m"], from_far, from_near, x)
    halved = lax.fori_loop(0, 4, lambda i, c: c * 0.5 + params["gain"] * push, push)
    total = lax.scan(lambda c, y: (c + y, c * y), halved, state["sum_m"])[0]
    far_ticks = state["far_ticks"] + jnp.where(x > params["far_m"], 1, 0)
    assert obs["position_m"] < 5.0, "not too far"
    action = {"velocity_mps": total}
    next_state = {
        "sum_m": 0.9 * jnp.roll(state["sum_m"], 1) + 0.1 * halved,
        "far_ticks": far_ticks,
        "trips": state["trips"] + 1.0,
    }
    return action, next_state
'''
LINE = SimpleNamespace(signals=TABLE)


@pytest.fixture(scope="module")
def lanes():
    return portable.compiled(batch.export_lanes(traced(SOURCE), requirements(), HZ, LANES))


@pytest.fixture(scope="module")
def alone():
    return portable.compiled(portable.export_tick(traced(SOURCE), requirements(), HZ))


def samples(seed=3):
    """(TICKS, LANES, …): the first lane stays near, the others come and go."""
    rng = np.random.default_rng(seed)
    position = rng.uniform(-0.5, 3.5, (TICKS, LANES, 1)).astype(np.float32)
    position[:, 0] = np.abs(position[:, 0]) / 5.0
    speed = rng.uniform(0.0, 1.9, (TICKS, LANES, 1)).astype(np.float32)
    return position, np.concatenate([position, speed], axis=-1)


def fly(program, observed, true):
    memory, rows = program.start().joined(), []
    for sample in np.concatenate([observed, true], axis=-1):
        memory, packed = program.tick(program.params, memory, sample)
        rows.append(np.asarray(packed))
    return np.stack(rows), program.carried(memory)


def test_a_lane_agrees_with_the_same_flight_alone(lanes, alone):
    observed, true = samples()
    rows, carry = fly(lanes, observed, true)
    assert rows.shape == (TICKS, LANES, alone.interface.packed_size)
    for lane in range(LANES):
        single, last = fly(alone, observed[:, lane], true[:, lane])
        np.testing.assert_allclose(rows[:, lane], single, rtol=TOLERANCE, atol=TOLERANCE)
        for mine, theirs in zip(carry, last, strict=True):
            np.testing.assert_allclose(mine[lane], theirs, rtol=TOLERANCE, atol=TOLERANCE)


def test_verdicts_and_integers_of_a_lane_are_those_of_the_flight_alone(lanes, alone):
    """What is true or false does not depend on rounding where the margins are larger."""
    observed, true = samples()
    true[10, 1, 1], true[12, 2, 0], observed[12, 2, 0] = 2.5, 6.0, 6.0
    rows, carry = fly(lanes, observed, true)
    words = set()
    for lane in range(LANES):
        single, last = fly(alone, observed[:, lane], true[:, lane])
        np.testing.assert_array_equal(carry[1][lane], last[1])
        for mine, theirs in zip(rows[:, lane], single, strict=True):
            read = [{k: v.status for k, v in alone.interface.verdicts(r).items()} for r in (mine, theirs)]
            assert read[0] == read[1] and alone.interface.violated(mine) == alone.interface.violated(theirs)
            words.add((lane, *alone.interface.violated(mine)))
    assert words == {(0,), (1,), (2,), (3,), (1, "slow"), (2, "controller/not-too-far")}


def test_a_batch_repeats_bit_for_bit(lanes):
    observed, true = samples()
    first, second = fly(lanes, observed, true), fly(lanes, observed, true)
    again = fly(portable.compiled(batch.export_lanes(traced(SOURCE), requirements(), HZ, LANES)), observed, true)
    for other in (second, again):
        np.testing.assert_array_equal(first[0], other[0])
        for a, b in zip(first[1], other[1], strict=True):
            np.testing.assert_array_equal(a, b)


def test_what_is_not_finite_in_one_lane_stays_there(lanes):
    observed, true = samples()
    rows, carry = fly(lanes, observed, true)
    observed[5, 2], true[5, 2] = np.nan, np.inf
    hurt, after = fly(lanes, observed, true)
    others = [0, 1, 3]
    np.testing.assert_array_equal(hurt[:, others], rows[:, others])
    for a, b in zip(after, carry, strict=True):
        np.testing.assert_array_equal(a[others], b[others])
    finite = hurt[:, :, lanes.interface.slices["finite"]][..., 0]
    assert finite[:, others].all() and not finite[5, 2]
    assert lanes.interface.verdicts(hurt[-1, 2])["controller/not-too-far"].status is Status.INVALID
    assert np.isnan(hurt[-1, 2, lanes.interface.slices["state_floats"]]).any()


def test_an_assert_is_vacuous_in_the_lanes_that_do_not_reach_it(lanes):
    assert lanes.interface.controller.diagnostics == ("far is below four",)
    observed, true = samples()
    margin = fly(lanes, observed, true)[0][:, :, lanes.interface.slices["diagnostics"]][..., 0]
    far = observed[..., 0] > 1.0
    assert not far[:, 0].any() and far[:, 1:].any(0).all() and not far[:, 1:].all()
    assert np.isposinf(margin[~far]).all(), "not taken: vacuous"
    np.testing.assert_allclose(margin[far], 4.0 - observed[..., 0][far], rtol=1e-5)


def test_lanes_start_alike_and_a_start_is_a_copy(lanes):
    start = lanes.start()
    assert start.floats.shape[0] == start.ints.shape[0] == LANES
    assert (start.floats == start.floats[0]).all()
    start.floats[:] = 7.0
    assert not (lanes.start().floats == 7.0).all()


def test_the_whole_carry_of_a_batch_is_reused(lanes, alone):
    memory = lanes.memory()
    assert memory.aliased == memory.carry == LANES * alone.memory().carry
    assert lanes.cost().flops > (LANES - 1) * alone.cost().flops / 2


@pytest.mark.parametrize("count", [0, -1, batch.MAX_LANES + 1])
def test_a_number_of_lanes_out_of_range_is_refused(count, tmp_path):
    (tmp_path / "home.py").write_text(SOURCE)
    with pytest.raises(InputError, match="lanes"):
        tl.compile(tl.load(tmp_path / "home.py"), LINE, lanes=count)


def test_one_lane_is_a_batch_too():
    one = portable.compiled(batch.export_lanes(traced(SOURCE), (), HZ, 1))
    observed, true = samples()
    assert fly(one, observed[:, :1], true[:, :1])[0].shape[:2] == (TICKS, 1)


def test_a_batch_is_told_to_run_in_the_calling_thread_before_its_export_starts_the_backend(monkeypatch):
    """Another thread costs each tick of all lanes some 30 µs."""
    other_thread, exporting = [], portable.lowered

    def watched(*given):
        other_thread.append(jax.config.read("jax_cpu_enable_async_dispatch"))
        return exporting(*given)

    monkeypatch.setattr(portable, "lowered", watched)
    jax.config.update("jax_cpu_enable_async_dispatch", True)
    try:
        batch.export_lanes(traced(SOURCE), (), HZ, 2)
    finally:
        jax.config.update("jax_cpu_enable_async_dispatch", False)
    assert other_thread == [False]
