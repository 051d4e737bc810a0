"""`exact` and `bound`, judged by all continuations: never a trip too early, and where it says exact none too late."""

from __future__ import annotations

import itertools
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from healing_runtime import stl
from healing_runtime.core.signals import Layout, Signal, SignalTable
from healing_runtime.core.status import Status
from healing_runtime.stl.steady import search
from healing_runtime.stl.ticks import exact_period, in_ticks

TICKS, WORDS = 6, 128
NEVER = TICKS


def resolved(text):
    return in_ticks(stl.parse(text), exact_period(1))


def rule(text, table=None):
    return str(stl.zero_delay(resolved(text), table))


def trips(text, samples):
    """First tick at which the monitor says false, of every run; NEVER if in none. Arrays [runs, ticks] by signal."""
    monitor = stl.online(stl.parse(text), 1.0)
    runs = samples["x"].shape[0]
    state = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (runs, *leaf.shape)), monitor.init())
    update, first = jax.vmap(monitor.update), np.full(runs, NEVER)
    for t in range(TICKS):
        state, verdict = update(state, {name: values[:, t] for name, values in samples.items()})
        first = np.where((np.asarray(verdict.status) == Status.FALSE) & (first == NEVER), t, first)
    return first


def both(continuations, f, draw):
    """(tripped, doomed) of many words: all there are, or some of them."""
    circuit = continuations.circuit(f, TICKS)
    letters = list(circuit.letters)
    words = itertools.product(letters, repeat=TICKS)
    if len(letters) ** TICKS > WORDS:
        words = ([letters[i] for i in row] for row in draw.integers(0, len(letters), (WORDS, TICKS)))
    words = list(itertools.islice(itertools.cycle(list(words)), WORDS))  # one shape, one compilation
    ends = [circuit.doomed(word) for word in words]
    samples = {n: jnp.array([[circuit.letters[a][n] for a in w] for w in words], jnp.float32) for n in "xypq"}
    return trips(continuations.text(f), samples), np.array([NEVER if end is None else end for end in ends])


def judge(continuations, seed, count):
    """Hold formulas against the oracle; how many there were of each kind."""
    formulas, draw, seen = continuations.Formulas(seed), np.random.default_rng(seed), Counter()
    for _ in range(count):
        f = formulas.any()
        text = continuations.text(f)
        tripped, doomed = both(continuations, f, draw)
        assert not np.any(tripped < doomed), ("a continuation could have satisfied it", text)
        exact = rule(text) == "exact"
        assert not exact or np.array_equal(tripped, doomed), ("exact and late", text)
        kind = "exact" if exact else "bound"
        seen[kind] += 1
        seen[f"{kind}, doomed"] += bool(np.any(doomed < NEVER))
        seen[f"{kind}, late"] += bool(np.any(tripped > doomed))
    return seen


@pytest.mark.timeout(600)
def test_generated_formulas_against_all_continuations(continuations):
    seen = judge(continuations, 1, 36)
    # The judgement is worth something only if formulas of each kind go wrong, and some of the rest are late.
    assert min(seen["exact, doomed"], seen["bound, doomed"]) >= 5 and seen["bound, late"] >= 1, seen


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(10, 20))
def test_thousands_of_formulas_against_all_continuations(continuations, seed):
    judge(continuations, seed, 300)


# ---------------------------------------------------------------- the rule, case by case
@pytest.mark.parametrize(
    "text",
    [
        "always (x < 1)",
        "always ((x < 1) or (x < 3))",
        "always ((x > 1) and always[0 ticks, 3 ticks] (x < 3))",
        "always (p implies eventually[0 ticks, 3 ticks] q)",
        "always (rise(p) implies eventually[0 ticks, 3 ticks] q)",
        "always (fall(p) implies eventually[0 ticks, 3 ticks] q)",
        "always ((once[0 ticks, 3 ticks] p) implies (x < 1))",
        "always ((held_for[3 ticks] p) implies (x < 1))",
        "always (p iff q)",
        "always ((x + y < 1) and (x - y < 1))",
        "always (norm(x - a, y - b) < 0.5)",
        "always (abs(x - 7) < 1)",
        "always (x * y > 2)",
        "always (d * d < 25 + 4 * h)",
        "always (x - y > 100)",
        "always (x <= 1 and x >= 1)",
        "always ((x < 1 or y < 1) and (x > 2 or y > 2))",
        "eventually p",
        "(x < 1) until (y > 2)",
        "once p",  # rests on the first sample alone
        "p implies always q",
        "p and (always (x < 1 and not p))",
        "always ((not (eventually[0 ticks, 2 ticks] (x > 1))) and (x < 0))",
        "always (1 < 2)",
    ],
)
def test_a_steady_sample_is_found(text):
    assert rule(text) == "exact"


@pytest.mark.parametrize(
    "text",
    [
        "(eventually[0 ticks, 2 ticks] (x > 0.5)) and always[0 ticks, 2 ticks] (x < 0.5)",
        "always (prev(p))",
        "always[0 ticks, 3 ticks] (historically[0 ticks, 1 ticks] p)",
        "eventually[0 ticks, 3 ticks] (historically p)",
        "eventually[0 ticks, 3 ticks] (held_for[2 ticks] p)",
        "eventually[0 ticks, 3 ticks] (rise(p))",
        "always (not (once[0 ticks, 1 ticks] p))",
        "always[0 ticks, 3 ticks] (once[1 ticks, 2 ticks] p)",
        "always (p since[1 ticks, 2 ticks] q)",
        "always (p iff eventually[0 ticks, 2 ticks] q)",
        "always (p xor eventually[0 ticks, 2 ticks] q)",
        "eventually[0 ticks, 3 ticks] false",
        "always (2 < 1)",
        "always (abs(x) < 0)",
        "always (x * x < 0)",
        "always (p or prev(0 / (1 - 1) < 1))",  # never valid
        "always ((not (eventually[0 ticks, 2 ticks] (x > 1))) and (eventually[0 ticks, 2 ticks] (x > 2)))",
        "always (p and (eventually[0 ticks, 2 ticks] (not p)))",
        "eventually[0 ticks, 2 ticks] (p > 0.4 and p < 0.3)",
    ],
)
def test_no_steady_sample_is_claimed(text):
    assert rule(text) == "bound"


def test_a_boolean_signal_has_two_values():
    """As a number p could be 0.45 for ever; as a Boolean it cannot, and p alone settles it."""
    assert rule("always (p > 0.4 and p < 0.5)") == "exact"
    assert rule("always ((p or (x < 1)) and (not p))") == "exact"


def test_limits_bind_the_continuations():
    signals = (Signal("x", low=0.0, high=2.0),)
    table = SignalTable(Layout(signals), Layout(()), Layout(signals))
    assert rule("always (x > 5)") == "exact"
    assert rule("always (x > 5)", table) == "bound"
    assert rule("always (x > 1)", table) == "exact"


def test_what_is_found_holds_in_both_number_formats():
    """1 + 1e-9 is one in float32: there no sample lies between the two, and in float64 none lies beyond both."""
    assert rule("always (x >= 1.000000001 and x <= 1)") == "bound"
    assert rule("always (x > 1 and x < 1.000000001)") == "bound"
    assert rule("always (x > 1 and x < 1.001)") == "exact"


def test_the_sample_that_is_found_grants_the_wish():
    formula = resolved("always (x + 2 * y > 10 and y < 1)")
    predicate = formula.arguments[0]
    sample = search(formula, [(a, True) for a in predicate.arguments], lambda k: np.min(list(k.values()), 0) > 0)
    x, y = sample["x", False, 0], sample["y", False, 0]
    assert x + 2 * y > 10 and y < 1


def test_vectors_and_components_share_their_columns():
    signals = {"v": Signal("v", "m/s", (3,), ("x", "y", "z"))}

    def of(text):
        return str(stl.zero_delay(in_ticks(stl.parse(text, signals=signals), exact_period(1))))

    assert of("always (norm(v) < 5 m/s and v.z > 3 m/s)") == "exact"
    assert of("always (norm(v) < 2 m/s and v.z > 3 m/s)") == "bound"
    assert of("always (v.z < 3 m/s and observed(v.z) > 3 m/s)") == "exact"


# ---------------------------------------------------------------- how late a bound can be
def test_a_past_window_below_a_promise_is_found_out_late(continuations):
    """p was false: that p held over the last tick is already impossible in the next one, and is seen only then."""
    p = ("flag", "p")
    f = ("always", (1, 3), ("historically", (0, 1), p))
    tripped, doomed = both(continuations, f, np.random.default_rng(0))
    late = (tripped - doomed)[(doomed < NEVER)]
    assert rule(continuations.text(f)) == "bound"
    assert late.min() == 0 and late.max() == 1


def test_a_contradiction_is_found_out_when_its_time_is_up(continuations):
    low, high = ("pred", "x", ">", 0.5), ("pred", "x", "<", 0.5)
    f = ("and", ("eventually", (0, 2), low), ("always", (0, 2), high))
    tripped, doomed = both(continuations, f, np.random.default_rng(0))
    assert set(doomed) == {0} and set(tripped) == {0, 1, 2}
