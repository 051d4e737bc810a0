"""Generated programs: the traced, harvested, compiled tick against the eager reference interpreter."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healing_runtime.core.status import Status
from healing_runtime.language import controller, passes, source, trace
from healing_runtime.language.harvest import first_violation
from healing_runtime.language.records import NEVER

ORACLES = Path(__file__).parent.parent / "oracles"


def oracle(name):
    spec = importlib.util.spec_from_file_location(name, ORACLES / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


reference, programs = oracle("tensorlang_reference"), oracle("tensorlang_programs")
TOLERANCE = 2e-4
F = np.float32


def tick_of(text, table):
    traced = trace.trace(controller.load(source.parse(text, path="c.py")), table, 0.02)
    assert [f for f in passes.run(traced) if f.severity == "error" and f.pass_name != "linearity"] == []

    @jax.jit
    def tick(obs, state):
        action, following, diagnostics = traced.step(traced.params, state, obs)
        return action, following, diagnostics, traced.contract(obs, state, action, following, traced.params)

    return traced, tick


def inputs(seed, nan):
    rng = np.random.default_rng(seed)
    altitude = F(np.nan) if nan else F(rng.normal())
    obs = {"altitude_m": altitude, "velocity_mps": rng.normal(size=3).astype(F), "dt_s": F(0.02)}
    return obs, {"a": F(rng.uniform(-1, 1)), "v": rng.uniform(-2, 2, 3).astype(F)}


def compare(text, contract, traced, tick, obs, state):
    """None if a decision of the program itself is too close to call; else what `stops_where_python_stops` says."""
    action, following, log = reference.run(text, frozenset(contract), obs, state, traced.params)
    if any(gap < TOLERANCE for gap in log.decisions):
        return None
    ours = tick(obs, state)
    for wanted, got in ((action, ours[0]), (following, ours[1])):
        for key in wanted:
            np.testing.assert_allclose(got[key], wanted[key], rtol=1e-4, atol=TOLERANCE, err_msg=key)
    seen: dict[str, list] = {}
    for entry in log.seen:
        seen.setdefault(entry.label, []).append(entry)
    for label in contract:
        (wanted,) = seen.pop(label)
        judge(label, wanted, float(ours[3][label].rho), bool(ours[3][label].ok))
    assert set(seen) <= set(ours[2])
    for label, got in ours[2].items():
        status = Status(int(got.status))
        if label not in seen:
            assert status is Status.VACUOUS, f"{label}: no branch that was taken reaches it"
            continue
        entries = seen[label]
        invalid = [e for e in entries if np.isnan(e.rho)]
        worst = invalid[0] if invalid else min(entries, key=lambda e: e.rho)
        truth = all(e.truth for e in entries)
        judge(label, worst._replace(truth=truth), float(got.rho), bool(got.ok))
        assert (status is Status.INVALID) == bool(invalid), label
        if not invalid:
            close = {e.iteration for e in entries if e.rho == worst.rho or e.rho - worst.rho < TOLERANCE}
            assert int(got.at_index) in close, (label, worst)
            if abs(worst.rho) > TOLERANCE:
                assert status is (Status.TRUE if truth else Status.FALSE), label
        else:
            assert int(got.at_index) == worst.iteration, label
    return stops_where_python_stops(ours[2], [e for e in log.seen if e.label not in contract])


def stops_where_python_stops(asserts, entries):
    """The first violation of each label and of all: a list of their iterations; True where none can be told."""
    if any(abs(e.rho) <= TOLERANCE for e in entries):
        return True  # a verdict, and so an order, is too close to call
    firsts: dict[str, int] = {}
    for e in entries:
        if np.isnan(e.rho) or not e.truth:
            firsts.setdefault(e.label, e.iteration)
    for label, got in asserts.items():
        assert int(got.violated_at) == firsts.get(label, -1), label
        assert (int(got.order) == NEVER) == (label not in firsts) == (not Status(int(got.status)).violated), label
    ranked = sorted(firsts, key=lambda label: int(asserts[label].order))
    assert ranked == list(firsts)
    assert first_violation(asserts) == next(iter(firsts.items()), None)
    return [*firsts.values()]


def judge(label, wanted, rho, ok):
    np.testing.assert_allclose(rho, wanted.rho, rtol=1e-4, atol=TOLERANCE, err_msg=label)
    if not np.isnan(rho) and abs(rho) > TOLERANCE:
        assert ok == wanted.truth == (rho > 0), label


def check(seed, table):
    writer = programs.Writer(seed)
    text = writer.text()
    traced, tick = tick_of(text, table)
    return [compare(text, writer.contract, traced, tick, *inputs(1000 * seed + n, n == 3)) for n in range(5)]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**31))
def test_the_compiled_tick_agrees_with_numpy(table, seed):
    check(seed, table)


@pytest.mark.slow
def test_hundreds_of_programs_agree_with_numpy(table):
    results = [outcome for seed in range(300) for outcome in check(seed, table)]
    assert sum(outcome is not None for outcome in results) > 0.9 * len(results)
    compared = [outcome for outcome in results if isinstance(outcome, list)]
    assert len(compared) > 0.8 * len(results)
    assert sum(len(firsts) > 1 for firsts in compared) > 100 and sum(max(f, default=-1) > 0 for f in compared) > 30


def test_the_programs_reach_what_they_are_for(table):
    """Every construct; violations, satisfied margins, NaN, branches not taken, iterations inside loops."""
    texts, rhos, iterations, untaken = "", [], set(), 0
    for seed in range(40):
        writer = programs.Writer(seed)
        text = writer.text()
        texts += text
        for n in range(4):
            obs, state = inputs(seed + n, n == 3)
            params = {"kp": F(0.75), "gains": np.array([0.5, -1.0, 1.5], F)}
            _, _, log = reference.run(text, frozenset(writer.contract), obs, state, params)
            rhos += [entry.rho for entry in log.seen]
            iterations |= {entry.iteration for entry in log.seen}
            untaken += text.count("assert ") > len({entry.label for entry in log.seen})
    for word in ("lax.cond", "lax.switch", "lax.fori_loop", "lax.scan", "tl.while_loop", "for i", "helper(", "implies"):
        assert word in texts
    finite = np.array(rhos)[np.isfinite(rhos)]
    assert (finite < -TOLERANCE).sum() > 50 and (finite > TOLERANCE).sum() > 50
    assert np.isnan(rhos).any() and np.isinf(rhos).any() and untaken > 20 and {-1, 0, 1, 2} <= iterations
