"""Horizon, memory and steps of a formula, and the refusal of what a run cannot afford."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

from healing_runtime import stl
from healing_runtime.core.errors import AssertionSyntaxError, Location
from healing_runtime.core.records import AssertionFile, AssertionText
from healing_runtime.core.signals import Layout, Signal, SignalTable
from healing_runtime.stl.budget import MAX_BYTES, MAX_PENDING, MAX_WINDOWS
from healing_runtime.stl.cost import operations
from healing_runtime.stl.program import Program
from healing_runtime.stl.ticks import exact_period, in_ticks
from healing_runtime.stl.windows import RING_ALONE

HZ = 10
SIGNALS = Layout((Signal("x"), Signal("y"), Signal("p"), Signal("q"), Signal("v", "", (3,))))
TABLE = SignalTable(SIGNALS, Layout(()), SIGNALS)


def resolved(text, **options):
    return in_ticks(stl.parse(text, **options), exact_period(1 / HZ))


def cost(text, **options):
    return stl.cost(resolved(text, **options))


def bind(*formulas, **definitions):
    texts = tuple(AssertionText(f"a{i}", text, Location("big.yaml", i + 5, 14)) for i, text in enumerate(formulas))
    return stl.bind([AssertionFile("big", "big.yaml", "", "box", texts, {}, definitions, {})], TABLE, HZ)


def refused(*formulas, **definitions):
    with pytest.raises(AssertionSyntaxError) as caught:
        bind(*formulas, **definitions)
    return caught.value


# ---------------------------------------------------------------- figures
@pytest.mark.parametrize(
    ("text", "ticks"),
    [
        ("x < 1", 0),
        ("always (x < 1)", 0),
        ("always (p implies eventually[0 s, 2 s] q)", 20),
        ("always (p implies eventually[1 s, 2 s] (always[0 s, 0.5 s] q))", 25),
        ("always[0 s, 3 s] p", 30),
        ("(eventually[0 s, 1 s] p) until[0 s, 2 s] q", 30),
        ("eventually p", None),
        ("p and always q", None),
    ],
)
def test_the_horizon_is_how_long_a_start_stays_undecided(text, ticks):
    assert cost(text).horizon_ticks == ticks


def test_memory_is_what_the_state_holds():
    for text in ("always (x < 1)", "always (once[0 s, 60 s] p)", "always (p until[0 s, 9 s] q)", "p since[1 s, 4 s] q"):
        state = Program([resolved(text)]).init(jnp.float32)
        assert cost(text).memory_bytes == sum(leaf.nbytes for leaf in jax.tree.leaves(state))


def test_a_comparison_more_is_as_many_steps_more():
    one, two, three = (cost(f"always ({' and '.join(f'(x < {n})' for n in range(count))})") for count in (1, 2, 3))
    more = three.steps_per_tick - two.steps_per_tick
    assert more == two.steps_per_tick - one.steps_per_tick > 3


def test_what_counts_as_a_step():
    """Elements written, of a reduction those read, of a ring those changed; nothing for a new shape or type."""

    def count(function):
        return operations(jax.make_jaxpr(function)(jnp.zeros(70)).jaxpr)

    assert count(lambda x: x + x * x) == 140
    assert count(lambda x: jnp.min(x) + 1.0) == 71
    assert count(lambda x: jax.jit(jnp.negative)(x).reshape(7, 10)) == 70
    assert count(lambda x: jax.lax.dynamic_update_slice(x, x[:3], (4,))) == 3 + 3


def test_every_operator_has_a_cost():
    for operator in stl.OPERATORS.values():
        window = {"none": "", "optional": "[1 s, 2 s]", "duration": "[2 s]"}[operator.window]
        text = f"{operator.name}{window} (p)" if operator.arity == 1 else f"(p) {operator.name}{window} (q)"
        wrapped = cost(text), cost(f"always ({text})")
        assert all(found.steps_per_tick > 0 for found in wrapped)
    scan = jax.make_jaxpr(lambda x: jax.lax.scan(lambda s, y: (s + y, s * y), 0.0, x))(jnp.zeros(7)).jaxpr
    assert operations(scan) == 7 * 2
    with pytest.raises(NotImplementedError, match="'cond'"):
        operations(jax.make_jaxpr(lambda x: jax.lax.cond(x > 0, jnp.sin, jnp.cos, x))(1.0).jaxpr)


def test_steps_do_not_grow_with_a_window_of_the_past_and_do_with_pending_starts():
    def steps(text):
        return [cost(text.format(n)).steps_per_tick for n in (100, 1000, 10000)]

    for flat in ("always (once[0 ticks, {} ticks] p)", "always (p implies eventually[0 ticks, {} ticks] q)"):
        assert len(set(steps(flat))) == 1
    small, middle, large = steps("always (p until[0 ticks, {} ticks] q)")
    assert (large - middle) == 10 * (middle - small) > 0


def test_figures_are_the_same_every_time_and_vectors_count_their_entries():
    text = "always ((once[0 s, 3 s] p) implies norm(v) < 1)"
    options = {"signals": {"p": "", "v": SIGNALS.by_name["v"]}}
    assert cost(text, **options) == cost(text, **options)
    apart = cost("always (norm(v) < 1)", **options).steps_per_tick - cost("always (x < 1)").steps_per_tick
    assert apart == 3 + 3 + 1 + 3  # squares, their sum, the root, and what keeps the root's gradient finite at zero


def test_the_tick_s_own_program_is_what_is_counted():
    """A short window is a ring whose least is taken whole in the tick: all its entries are steps."""
    width = RING_ALONE
    ring, short = (cost(f"always (once[0 ticks, {n - 1} ticks] p)").steps_per_tick for n in (width, width - 10))
    assert ring - short == 10


# ---------------------------------------------------------------- budget
def test_one_window_over_the_budget_is_refused_at_its_bound():
    text = "always ((once[0 s, 2 s] p) and (once[0 ticks, 600000 ticks] q))"
    error = refused("x < 1", text)
    assert str(error.where) == f"big.yaml:6:{14 + text.index('600000')}"
    assert "judging this formula remembers 5.7 MiB" in error.message
    assert "budget of a run is 4 MiB" in error.message and "first of all '600000 ticks'" in error.message
    bind(f"always (once[0 ticks, {MAX_BYTES // 16} ticks] q)")


def test_windows_that_are_small_alone_add_up():
    half = f"always (once[0 ticks, {MAX_BYTES // 16} ticks] {{}})"
    bind(half.format("p"), half.format("p"))  # the same sub-formula is remembered once
    error = refused(half.format("p"), half.format("q"))
    assert error.where.line == 6 and "judging this formula and the 1 before it remembers 5.0 MiB" in error.message
    small = [f"always (x < {n})" for n in range(3)]
    assert refused(*small, half.format("p"), *small, half.format("q"), *small).where.line == 5 + 7


def test_too_many_pending_starts_are_refused():
    bind(f"always (p until[0 ticks, {MAX_PENDING} ticks] q)")
    error = refused(f"always (p until[0 ticks, {MAX_PENDING + 1} ticks] q)")
    assert f"keeps {MAX_PENDING + 1} starts of sub-formulas undecided" in error.message
    nested = refused("always ((p until[0 s, 500 s] q) until[0 s, 600 s] (q until[0 s, 500 s] p))")
    assert "starts of sub-formulas undecided at once" in nested.message and "first of all '600 s'" in nested.message


def test_a_window_at_the_root_costs_nothing():
    (bound,) = bind("always[0 ticks, 1000000 ticks] (x < 1)")
    assert stl.cost(bound.formula).memory_bytes < 20


def test_the_longest_windows_are_refused_before_anything_is_built(monkeypatch):
    built = []
    monkeypatch.setattr("healing_runtime.stl.budget.Program", lambda formulas: built.append(formulas))
    long = " and ".join(f"(p until[0 ticks, 1000000 ticks] (q or x < {n}))" for n in range(12))
    assert f"windows of 12000000 ticks in all; there may be {MAX_WINDOWS}" in refused(f"always ({long})").message
    assert not built


def test_a_definition_s_window_is_blamed_where_the_definition_is_used():
    error = refused("always (x < 1 or late)", late="once[0 ticks, 900000 ticks] q")
    assert str(error.where) == "big.yaml:5:31"


def test_many_nodes_have_a_cost_too():
    parts = {f"d{k}": " and ".join(f"(x < {i} or once[0 ticks, {i} ticks] p)" for i in range(20)) for k in range(12)}
    formula = resolved("always (" + " and ".join(parts) + ")", definitions=parts)
    found = stl.cost(formula)
    assert found.steps_per_tick > 100 and found.memory_bytes < 10_000
    assert stl.zero_delay(formula) == "exact"
