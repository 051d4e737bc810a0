"""The online monitor, judged prefix by prefix by the definition."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from healing_runtime import stl
from healing_runtime.core.status import Status
from healing_runtime.stl.program import Program
from healing_runtime.stl.ticks import exact_period, in_ticks

LENGTH, RUNS, FORMULAS = 18, 5, 6


def resolved(text, hz=1):
    return in_ticks(stl.parse(text), exact_period(1 / hz))


def run(formulas, x, y, rewrite=True, **options):
    """(now, ended) at every tick of every run; arrays [runs, ticks, formulas]."""
    program = Program(formulas, rewrite=rewrite, **options)

    def step(state, sample):
        state, out = program.update(state, lambda r: sample["xy".index(r.signal)], sample[0])
        return state, (out.now, out.ended, program.ended(state, sample[0]))

    samples = jnp.stack([x, y], -1).astype(jnp.float32)
    return jax.jit(jax.vmap(lambda s: jax.lax.scan(step, program.init(jnp.float32), s)[1]))(samples)


def _shapes():
    """What people write most, and every branch of the rewriting."""
    p, q = ("pred", "x", "<", 2.0), ("pred", "y", ">=", 3.0)
    r = ("pred", "x", ">", 4.0)
    answer, keep = ("eventually", (0, 3), q), ("always", (1, 4), q)
    return [
        ("always", None, ("implies", r, answer)),
        ("always", None, ("implies", r, ("eventually", (2, 5), q))),
        ("always", None, ("implies", ("rise", r), keep)),
        ("always", None, ("and", ("or", p, ("always", (0, 2), q)), ("not", answer))),
        ("always", (2, 9), ("implies", r, ("and", answer, keep))),
        ("eventually", (1, 12), ("and", r, ("always", (0, 3), q))),
        ("eventually", None, ("not", ("implies", keep, answer))),
        ("always", None, ("implies", r, ("always", (0, 2), ("eventually", (0, 2), q)))),
        ("always", None, ("implies", r, ("eventually", (0, 4), ("always", (0, 2), q)))),
        ("until", None, p, ("always", (0, 2), q)),
    ]


@pytest.fixture(scope="module")
def case(brute):
    formulas = brute.Formulas(seed=7)
    tuples = [*_shapes(), *(formulas.online() for _ in range(FORMULAS))]
    traces = [formulas.trace(LENGTH) for _ in range(RUNS)]
    x, y = (np.array([t[name] for t in traces]) for name in "xy")
    parsed = [resolved(brute.text(f)) for f in tuples]
    return tuples, traces, run(parsed, x, y), run(parsed, x, y, rewrite=False, ring_up_to=80)


def test_every_prefix_against_the_definition(brute, case):
    tuples, traces, (now, ended, _), _ = case
    for r, trace in enumerate(traces):
        for t in range(LENGTH):
            prefix = {name: values[: t + 1] for name, values in trace.items()}
            for i, f in enumerate(tuples):
                for verdict, end in ((now, "running"), (ended, "ended")):
                    lo, hi = brute.bounds(f, prefix, 0, end)
                    status = Status.FALSE if hi < 0 else Status.TRUE if lo > 0 else Status.UNKNOWN
                    got = Status(int(verdict.status[r, t, i]))
                    where = (brute.text(f), prefix, end)
                    if got is Status.VACUOUS:
                        assert end == "ended" and status is Status.TRUE, where
                    else:
                        assert got is status, where
                    bounds = float(verdict.rho_lo[r, t, i]), float(verdict.rho_hi[r, t, i])
                    assert bounds == (brute.rounded(lo), brute.rounded(hi)), where


def test_promises_read_backwards_are_the_same_numbers(case):
    _, _, rewritten, start_by_start = case
    for one, other in zip(jax.tree.leaves(rewritten), jax.tree.leaves(start_by_start), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_end_can_be_read_off_the_state(case):
    _, _, (_, ended, from_state), _ = case
    for one, other in zip(ended, from_state, strict=True):
        np.testing.assert_array_equal(one, other)


def test_rho_lies_within_its_bounds(case):
    _, _, (now, ended, _), _ = case
    for verdict in (now, ended):
        assert bool(jnp.all((verdict.rho_lo <= verdict.rho) & (verdict.rho <= verdict.rho_hi)))


# ---------------------------------------------------------------- single stories
def story(text, hz=1, **signals):
    """Words of the running verdict, tick by tick, and the word at the end."""
    monitor = stl.online(stl.parse(text), 1 / hz)
    update = jax.jit(monitor.update)
    state, words = monitor.init(), []
    for values in zip(*signals.values(), strict=True):
        state, verdict = update(state, dict(zip(signals, values, strict=True)))
        words.append(Status(int(verdict.status)).word)
    return words, Status(int(monitor.ended(state).status)).word


def test_a_violation_trips_in_its_own_tick():
    words, end = story("always (p implies always[0 s, 3 s] (x < 1))", p=[0, 1, 0, 0, 0], x=[9, 0, 0, 2, 0])
    assert words == ["unknown", "unknown", "unknown", "false", "false"]
    assert end == "false"


def test_a_response_trips_when_its_time_is_up_and_not_later():
    words, _ = story("always (p implies eventually[0 s, 2 s] q)", p=[0, 1, 0, 0, 0], q=[0, 0, 0, 0, 1])
    assert words == ["unknown", "unknown", "unknown", "false", "false"]


def test_impossible_from_the_start_is_seen_late_but_never_passed():
    words, _ = story("(eventually[0 s, 2 s] (x > 0.5)) and (always[0 s, 2 s] (x < 0.5))", x=[0, 0, 0, 0])
    assert words == ["unknown", "unknown", "false", "false"]


def test_zero_is_decided_by_the_comparison():
    assert story("always (x < 3)", x=[3.0])[0] == ["false"]
    assert story("always (x <= 3)", x=[3.0]) == (["unknown"], "true")
    assert story("always (not (x < 3))", x=[3.0])[1] == "true"


def test_nan_is_invalid_and_stays_invalid():
    words, end = story("always ((x < 1) or (y > 0))", x=[0, np.nan, 0], y=[1, 1, 1])
    assert words == ["unknown", "invalid", "invalid"]
    assert end == "invalid"


def test_what_is_decided_stays_decided():
    words, end = story("eventually[0 s, 1 s] (x > 0)", x=[0, 1, np.nan])
    assert words == ["unknown", "true", "true"]
    assert end == "true"


def test_never_triggered_is_vacuous():
    assert story("always (p implies (x < 1))", p=[0, 0], x=[5, 5])[1] == "vacuous"
    assert story("always (p implies (x < 1))", p=[0, 1], x=[5, 0])[1] == "true"
    assert story("always (rise(p) implies eventually[0 s, 1 s] (x < 1))", p=[0, 0], x=[5, 5])[1] == "vacuous"


def test_a_window_past_the_end_is_unknown():
    assert story("always (p implies eventually[0 s, 3 s] q)", p=[0, 1, 0], q=[0, 0, 0])[1] == "unknown"
    assert story("always (p implies eventually[0 s, 3 s] q)", p=[0, 1, 0], q=[0, 0, 1])[1] == "true"
    assert story("eventually q", q=[0, 0])[1] == "false"


def test_held_for_counts_both_ends():
    words, _ = story("eventually held_for[0.2 s] p", hz=10, p=[1, 1, 0, 1, 1, 1])
    assert words == ["unknown"] * 5 + ["true"]


def test_equal_sub_formulas_share_a_node():
    one = [resolved("always ((once[0 ticks, 90 ticks] (x < 1)) implies (y < 1))")]
    two = [*one, resolved("always ((once[0 ticks, 90 ticks] (x < 1)) implies (y < 2))")]
    sizes = [
        sum(leaf.size for leaf in jax.tree.leaves(Program(fs).init(jnp.float32)) if leaf.size > 8) for fs in (one, two)
    ]
    assert sizes[0] == sizes[1] > 90


def test_memory_is_fixed_and_grows_with_the_window_only():
    def floats(width):
        program = Program([resolved(f"always (p implies eventually[0 ticks, {width} ticks] q)")])
        return sum(leaf.size for leaf in jax.tree.leaves(program.init(jnp.float32)))

    assert floats(1000) < 4 * 1000 + 20
    assert floats(100) < 4 * 100 + 20


def test_float64_is_kept():
    with jax.enable_x64(True):
        monitor = stl.online(stl.parse("always (x < 1)"), 0.1, jnp.float64)
        _, verdict = monitor.update(monitor.init(), {"x": 1 - 1e-12})
        assert verdict.rho.dtype == jnp.float64
        assert float(verdict.rho) == pytest.approx(1e-12, rel=1e-3)


def test_windows_of_every_width_slide():
    from healing_runtime.stl import windows

    x = jnp.asarray(np.random.default_rng(0).normal(size=300), jnp.float32)
    padded = np.concatenate([np.full(70, np.inf, np.float32), x])
    for width in (1, 2, 12, 13, 14, 15, 16, 31, 64, 70):
        window = windows.least(width)

        def step(carry, value, window=window):
            tick, state = carry
            state, out = window.step(state, tick, value)
            return (tick + 1, state), out

        _, out = jax.lax.scan(step, (jnp.int32(0), window.init(jnp.float32)), x)
        expected = [padded[70 + t - width + 1 : 70 + t + 1].min() for t in range(300)]
        np.testing.assert_array_equal(out, expected)


def test_delays_of_every_length():
    from healing_runtime.stl import windows

    for ticks in (0, 1, 2, 7):
        late = windows.delay(ticks)
        step = functools.partial(_step, late)
        _, out = jax.lax.scan(step, (jnp.int32(0), late.init(jnp.float32)), jnp.arange(20.0))
        expected = [t - ticks if t >= ticks else np.inf for t in range(20)]
        np.testing.assert_array_equal(out, expected)


def _step(filter_, carry, value):
    tick, state = carry
    state, out = filter_.step(state, tick, value)
    return (tick + 1, state), out


def test_vacuous_is_what_was_never_exercised_at_a_judged_start(brute):
    p, q, r = ("pred", "x", ">", 4.0), ("pred", "y", ">", 4.0), ("pred", "x", ">=", -9.0)
    chain, late = ("implies", p, ("implies", q, r)), ("implies", p, ("always", (1, 3), ("implies", q, r)))
    soon, two = ("implies", ("eventually", (0, 2), p), r), ("and", ("implies", p, r), ("implies", q, r))
    mixed, nested = ("implies", p, two), ("always", (1, 2), ("always", (0, 1), ("implies", p, r)))
    bodies = [("implies", p, r), chain, late, soon, two, mixed, nested, ("and", ("implies", p, r), r)]
    tuples = [f for body in bodies for f in (body, ("always", (2, 4), body), ("always", None, body))]
    tuples += [("and", tuples[0], tuples[2]), ("and", tuples[1], tuples[5]), ("implies", p, ("always", None, r))]
    formulas = brute.Formulas(seed=11)
    traces = [formulas.trace(8) for _ in range(40)]
    x, y = (np.array([trace[name] for trace in traces]) for name in "xy")
    _, ended, _ = run([resolved(brute.text(f)) for f in tuples], x, y)
    seen = {Status.TRUE: 0, Status.VACUOUS: 0}
    for i, f in enumerate(tuples):
        for row, trace in enumerate(traces):
            if brute.bounds(f, trace, 0, "ended")[0] > 0:
                expected = {"true": Status.TRUE, "vacuous": Status.VACUOUS}[brute.status(f, trace, 0, "ended")]
                assert Status(int(ended.status[row, -1, i])) is expected, (brute.text(f), trace)
                seen[expected] += 1
    assert min(seen.values()) > 50, seen


@pytest.mark.parametrize(
    ("text", "x", "y"),
    [
        ("(x < 0) until[1 ticks, 2 ticks] (y > 1)", [1, 2], [0, -2]),
        ("(x < 0) until[1 ticks, 2 ticks] (held_for[10 ticks] (y > 1))", [1, 2], [0, -2]),
        ("(not (y >= 0)) until (always[2 ticks, 5 ticks] (y < 3))", [1.5, -1, 1, 6], [2, 5.5, 6, 1.5]),
        ("((x >= 2) or (x <= 3)) until (eventually[2 ticks, 2 ticks] (x <= 3))", [2, -2, 3, 2.5], [1.5, -2, 0.5, 6]),
        ("not ((x < 0) until[1 ticks, 2 ticks] (y > 1))", [1, 2], [0, -2]),
    ],
)
def test_a_decided_until_has_the_robustness_of_the_offline_verdict(text, x, y):
    formula, monitor = stl.parse(text), stl.online(stl.parse(text), 1.0)
    state = monitor.init()
    for sample in zip(x, y, strict=True):
        state, _ = monitor.update(state, dict(zip("xy", sample, strict=True)))
    ended = monitor.ended(state)
    offline = stl.verdicts(formula, {"x": np.array(x, np.float32), "y": np.array(y, np.float32)}, 1.0)
    assert Status(int(ended.status)) in (Status.TRUE, Status.FALSE)
    assert [float(part) for part in ended] == [float(part[0]) for part in offline]
