"""Mistakes that a person would make in the operators and in what they are built of, and formulas that show them.

A breakage is a piece of a module's source, which must occur there exactly once, what stands in its place, and the side
that then comes out wrong: `online`, `offline`, or `both` where each of them must; `soft` is offline at a temperature.
"""

from __future__ import annotations

P, Q, R = ("pred", "x", "<", 2.0), ("pred", "y", ">=", 3.0), ("pred", "x", ">", 4.0)
SOON, KEEP = ("eventually", (0, 2), Q), ("always", (1, 2), Q)


def ever(f):
    return ("always", None, f)


def at(start, f):
    return ("always", (start, start), f)


# Per module: formulas, each judged offline, and online where the monitor takes it. `at` keeps a value from being
# swallowed by those before it.
FORMULAS = {
    "always": [
        ever(P),
        ("always", (1, 3), P),
        ("until", (0, 3), P, ("always", (1, 2), Q)),
        ever(("until", (0, 2), P, Q)),
        ("until", (0, 2), P, ("always", (1, 2), SOON)),
    ],
    "eventually": [("eventually", (1, 3), P), ("until", (0, 3), P, ("eventually", (1, 2), R)), ("eventually", None, R)],
    "until": [
        ("until", (0, 1), P, R),
        ("until", (1, 3), P, Q),
        at(2, ("until", (1, 2), P, Q)),
        ("until", (1, 3), KEEP, R),
        at(1, ("until", (0, 2), SOON, Q)),
    ],
    "historically": [at(5, ("historically", (1, 2), P)), ("eventually", None, ("historically", None, P))],
    "once": [at(5, ("once", (1, 2), P)), ("eventually", (1, 3), ("once", None, R)), ("once", (1, 2), SOON)],
    "since": [
        at(5, ("since", (1, 2), P, Q)),
        at(1, ("since", None, P, Q)),
        ("eventually", None, ("since", (2, 3), P, Q)),
    ],
    "prev": [ever(("prev", P)), ("eventually", (1, 3), ("prev", P))],
    "rise": [("eventually", (0, 3), ("rise", P)), ("rise", SOON)],
    "fall": [("eventually", (0, 3), ("fall", P)), ("fall", SOON)],
    "held_for": [("eventually", (1, 4), ("held_for", 2, P)), ever(("held_for", 1, P))],
    "not_": [ever(("not", P)), ("not", ("always", (0, 2), P))],
    "and_": [ever(("and", P, Q)), ("and", ("always", (0, 2), P), SOON), ("and", SOON, KEEP), ("and", KEEP, SOON)],
    "or_": [ever(("or", P, Q)), ("or", ("always", (0, 2), P), SOON), ("or", SOON, KEEP), ("or", KEEP, SOON)],
    "implies": [ever(("implies", R, Q))],
    "iff": [("always", (0, 2), ("iff", P, Q))],
    "xor": [("always", (0, 2), ("xor", P, Q)), ("xor", SOON, P)],
    "windows": [
        ("since", (1, 2), P, Q),
        ("since", None, P, Q),
        ("until", (1, 2), P, Q),
        at(1, ("historically", (0, 2), P)),
        at(1, ("historically", (1, 2), P)),
        at(4, ("historically", (1, 2), P)),
        at(6, ("historically", (2, 7), P)),
        at(9, ("historically", (0, 4), P)),
    ],
    "safety": [
        ever(("implies", R, KEEP)),
        ever(("implies", R, ("eventually", (1, 3), Q))),
        ever(("implies", R, ("eventually", (2, 4), Q))),
        ("always", (1, 3), ("implies", R, ("always", (0, 2), Q))),
        ever(("not", ("and", SOON, R))),
        ever(("always", (1, 1), Q)),
        ever(("implies", R, ("eventually", (0, 0), Q))),
        ever(("implies", R, ("eventually", (1, 1), Q))),
        ever(("implies", R, ("and", ("eventually", (2, 4), P), KEEP))),
        # No form of it folds.
        ever(("or", R, ("until", (0, 1), P, Q))),
    ],
    "lattice": [("until", (0, 3), P, ("until", (0, 2), R, Q)), ("until", (0, 1), P, ("always", (0, 4), SOON))],
    "margin": [ever(P), ever(("implies", R, Q)), at(5, ("flag", "x")), ("not", ("until", (0, 2), P, Q))],
    "vacuity": [
        ("always", (1, 2), ("implies", R, Q)),
        ("and", ever(("implies", R, SOON)), Q),
        ("and", ever(("implies", R, SOON)), ever(("implies", ("not", Q), ("not", R)))),
        ever(("implies", Q, ("implies", R, P))),
        ever(("implies", Q, ("and", ("implies", R, Q), ("implies", ("not", P), SOON)))),
        ever(("implies", Q, ("always", (0, 2), ("implies", R, Q)))),
        ("implies", ("eventually", None, R), Q),
    ],
}
# Of `lattice` also the smooth half, over what has no strictness.
SOFT_FORMULAS = [("always", (0, 2), P), ("eventually", (1, 4), P), ("always", None, P), ("until", None, P, Q)]

BREAKAGES = {
    "always": [
        # A run that goes on may yet break the promise.
        ('jnp.full_like(lo, -INFINITY) if end == "running" else lo', "lo", "offline"),
        # The unknown of a window that reaches past the end becomes true.
        ('pad = INFINITY if end == "truncate" else -INFINITY', "pad = INFINITY", "offline"),
        ("judged = [low <= age for", "judged = [low < age for", "online"),
        # Pending starts forgotten.
        ("return worst[:-1], Span(", "return jnp.full_like(worst[:-1], INFINITY), Span(", "online"),
        ("inside & (start <= high)", "inside & (start < high)", "online"),
        # Sure one tick late.
        ("jnp.where(tick >= high, lo, unseen)", "jnp.where(tick > high, lo, unseen)", "online"),
        # A trip where a goal may still come.
        ("jnp.where(asked[:-1], p.hi[:-1], INFINITY)", "jnp.where(asked[:-1], p.lo[:-1], INFINITY)", "online"),
        # A sample not yet seen counts as true.
        ("p.lo[::-1], low, high, -INFINITY", "p.lo[::-1], low, high, INFINITY", "online"),
    ],
    "eventually": [
        # Min for max.
        ("-always.reference(end, ticks, -p, lattice)", "always.reference(end, ticks, p, lattice)", "offline"),
        ("always.reference(end, ticks, -p,", "always.reference(end, ticks, p,", "offline"),
        ("always.reference(end, ticks,", 'always.reference("truncate", ticks,', "offline"),
        (
            "dual(always.stream(ticks, horizon, ring_up_to=ring_up_to))",
            "always.stream(ticks, horizon, ring_up_to=1)",
            "online",
        ),
        ("dual_root(always.root(ticks, horizon))", "always.root(ticks, horizon)", "online"),
    ],
    "until": [
        # An ended run's unknown becomes false.
        ('end == "running" or (end == "ended" and ticks is not None)', 'end == "running"', "offline"),
        # p demanded at t'.
        ("windows.least_ahead(hold, 0, low - 1, pad,", "windows.least_ahead(hold, 0, low, pad,", "offline"),
        ("windows.shifted(value[::-1], low, base)[::-1]", "windows.shifted(value, low, base)", "offline"),
        (
            "jnp.maximum(best, jnp.minimum(q.lo, kept))",
            "jnp.maximum(best, jnp.minimum(q.lo, jnp.minimum(kept, p.lo)))",
            "online",
        ),
        ("jnp.minimum(asked(start, q), kept)", "jnp.minimum(asked(start, q), jnp.minimum(kept, p))", "online"),
        # The hold of the pending starts forgotten.
        ("return (best[:-1], kept[:-1])", "return (best[:-1], jnp.full_like(kept[:-1], INFINITY))", "online"),
        # Tripped one tick late.
        ("jnp.where(tick >= high, hi, open_hi)", "jnp.where(tick > high, hi, open_hi)", "online"),
        ('reference("ended", ticks, hold, goal)', 'reference("truncate", ticks, hold, goal)', "online"),
        ("lo, hi, jnp.fmin(kept, kept_hi)", "lo, hi, kept", "online"),
    ],
    "historically": [
        (
            "windows.least_before(bound, *ticks, lattice)",
            "windows.least_ahead(bound, *ticks, jnp.inf, lattice)",
            "offline",
        ),
        ("lattice.so_far(bound)", "lattice.so_far(bound[::-1])[::-1]", "offline"),
        ("windows.least_behind(*ticks, ring_up_to)", "windows.least_behind(0, ticks[1], ring_up_to)", "online"),
        # False before the first sample.
        ("jnp.full((), jnp.inf, dtype)", "jnp.full((), -jnp.inf, dtype)", "online"),
        ("jnp.minimum(least, p.lo)", "jnp.maximum(least, p.lo)", "online"),
    ],
    "once": [
        (
            "-historically.reference(end, ticks, -p, lattice)",
            "historically.reference(end, ticks, p, lattice)",
            "offline",
        ),
        ("-historically.reference(", "historically.reference(", "offline"),
        # The bounds do not change places.
        (
            "return -historically.reference(end, ticks, -p, lattice)",
            "return Span(*(-bound for bound in historically.reference(end, ticks, -p, lattice)))",
            "offline",
        ),
        (
            "dual(historically.stream(ticks, horizon, ring_up_to=ring_up_to))",
            "historically.stream(ticks, horizon, ring_up_to=ring_up_to)",
            "online",
        ),
        ("dual(historically.stream(ticks,", "dual(historically.stream(None,", "online"),
    ],
    "since": [
        # p demanded at t', and not now.
        ("windows.least_before(hold, 0, low - 1,", "windows.least_before(hold, 1, low,", "offline"),
        ("windows.since(hold, goal, lattice)", "windows.since(goal, hold, lattice)", "offline"),
        # The high end of the window forgotten.
        ("out.append(lattice.lesser(held, near))", "out.append(held)", "offline"),
        ("windows.delay(low, before=-jnp.inf)", "windows.delay(max(low - 1, 0), before=-jnp.inf)", "online"),
        ("windows.least(low, ring_up_to)", "windows.least(low + 1, ring_up_to)", "online"),
        # True before the first sample.
        (
            "lambda dtype: jnp.full((), -jnp.inf, dtype), _recursion",
            "lambda dtype: jnp.full((), jnp.inf, dtype), _recursion",
            "online",
        ),
        ("jnp.maximum(q.lo, jnp.minimum(p.lo, last))", "jnp.minimum(p.lo, jnp.maximum(q.lo, last))", "online"),
        ("Span.exact(jnp.minimum(value, in_window.lo))", "Span.exact(value)", "online"),
    ],
    "prev": [
        ("windows.shifted(bound, 1, jnp.inf)", "windows.shifted(bound, 1, -jnp.inf)", "offline"),
        ("windows.shifted(bound, 1, jnp.inf)", "windows.shifted(bound, 2, jnp.inf)", "offline"),
        ("Span.exact(last)", "Span.exact(p.lo)", "online"),
        ("jnp.full((), jnp.inf, dtype)", "jnp.full((), -jnp.inf, dtype)", "online"),
    ],
    "rise": [
        ("before = -p", "before = p", "offline"),
        ("windows.shifted(before.lo, 1, jnp.inf)", "windows.shifted(before.lo, 1, -jnp.inf)", "offline"),
        ("windows.shifted(before.hi, 1, jnp.inf)", "windows.shifted(before.lo, 1, jnp.inf)", "offline"),
        ("return -p.lo, Span", "return p.lo, Span", "online"),
        ("jnp.minimum(last, p.lo)", "jnp.maximum(last, p.lo)", "online"),
        ("jnp.full((), jnp.inf, dtype)", "jnp.full((), -jnp.inf, dtype)", "online"),
    ],
    "fall": [
        ("rise.reference(end, ticks, -p, lattice)", "rise.reference(end, ticks, p, lattice)", "offline"),
        ("-p, lattice)", "Span(-p.lo, -p.hi), lattice)", "offline"),
        ("machine.step(last, tick, -p)", "machine.step(last, tick, p)", "online"),
        ("Machine(0, machine.init, step)", "Machine(0, lambda dtype: -machine.init(dtype), step)", "online"),
    ],
    "held_for": [
        (".shape[0]) >= high", ".shape[0]) > high", "offline"),
        # True until it has been seen in full.
        ("jnp.where(seen, bound, -jnp.inf)", "jnp.where(seen, bound, jnp.inf)", "offline"),
        ("jnp.where(tick >= high,", "jnp.where(tick > high,", "online"),
        ("historically.stream(ticks,", "historically.stream((0, ticks[1] - 1),", "online"),
    ],
    "not_": [
        ("return -p", "return p", "both"),
        ("return -p", "return Span(-p.lo, -p.hi)", "both"),
    ],
    "and_": [
        ("lattice.lesser(p.lo, q.lo)", "lattice.greater(p.lo, q.lo)", "both"),
        ("lattice.lesser(p.hi, q.hi)", "lattice.greater(p.hi, q.hi)", "both"),
        ("lattice.lesser(p.hi, q.hi)", "lattice.lesser(p.lo, q.hi)", "both"),
    ],
    "or_": [
        ("lattice.greater(p.lo, q.lo)", "lattice.lesser(p.lo, q.lo)", "both"),
        ("lattice.greater(p.hi, q.hi)", "lattice.lesser(p.hi, q.hi)", "both"),
        ("lattice.greater(p.lo, q.lo)", "lattice.greater(p.lo, q.hi)", "both"),
    ],
    "implies": [
        ("either(-p, q, lattice)", "either(p, q, lattice)", "both"),
        # The converse.
        ("either(-p, q, lattice)", "either(-q, p, lattice)", "both"),
    ],
    "iff": [
        ("both(implies(p, q, lattice), implies(q, p, lattice), lattice)", "implies(p, q, lattice)", "both"),
        ("implies(q, p, lattice)", "implies(-q, p, lattice)", "both"),
        ("both(implies", "implies(implies", "both"),
    ],
    "xor": [
        ("-iff(p, q, lattice)", "iff(p, q, lattice)", "both"),
        ("-iff(p, q, lattice)", "iff(-p, -q, lattice)", "both"),
        ("-iff(p, q, lattice)", "Span(*(-bound for bound in iff(p, q, lattice)))", "both"),
    ],
    "windows": [
        ("size = ticks + 1", "size = ticks", "online"),
        ("jnp.full((), before, dtype)", "jnp.full((), -before, dtype)", "online"),
        ("jnp.full((size,), before, dtype)", "jnp.full((size,), -before, dtype)", "online"),
        ("jnp.full((width,), jnp.inf, dtype)", "jnp.full((width,), -jnp.inf, dtype)", "online"),
        ("tick % width)", "tick % (width - 1))", "online"),
        ("least(high - low + 1, ring_up_to)", "least(high - low, ring_up_to)", "online"),
        # The scheme of blocks.
        ("(current + 1) % 2 * block + mirror", "current % 2 * block + mirror", "online"),
        ("left = width - 1 - offset", "left = width - offset", "online"),
        ("(current + 2 - whole) % 3", "(current + 1 - whole) % 3", "online"),
        ("jnp.where(whole == 2, two, infinity)", "two", "online"),
        ("suffix = jnp.where(first, edge, jnp.minimum(suffix, edge))", "suffix = jnp.minimum(suffix, edge)", "online"),
        # Whole arrays.
        ("lattice.sliding(padded, high - low + 1)", "lattice.sliding(padded, max(high - low, 1))", "offline"),
        ("[low : low + n]", "[:n]", "offline"),
        ("low, high, jnp.inf, lattice)", "low, high, -jnp.inf, lattice)", "offline"),
        ("values[: n - ticks]", "values[ticks:]", "offline"),
        ("lattice.recursion(hold, goal, -jnp.inf)", "lattice.recursion(hold, goal, jnp.inf)", "offline"),
        ("lattice.recursion(hold[::-1], goal[::-1], base)[::-1]", "lattice.recursion(hold, goal, base)", "offline"),
    ],
    "safety": [
        # The unknown of an ended run becomes true.
        ("pending[0].lo if pending else state[1]", "state[1]", "online"),
        ("jnp.where(tick >= high, sure, unseen)", "jnp.where(tick > high, sure, unseen)", "online"),
        ("_historically(low, high, sure)", "_historically(low - 1, high, sure)", "online"),
        ("undecided = _historically(0, high - 1, sure)", "undecided = _historically(0, high, sure)", "online"),
        # Negations lost on the way in.
        ("return _or(_negative(p), _positive(q))", "return _or(_positive(p), _positive(q))", "online"),
        ('dual = {"and": "or", "or": "and",', 'dual = {"and": "and", "or": "or",', "online"),
        # Tripped one tick late; then too lenient a window.
        ("_historically(high, high, sure)", "_historically(high + 1, high + 1, sure)", "online"),
        ("_window(0, high - low)", "_window(0, high)", "online"),
        # The start itself counts although its goal came at once.
        ('Apply("since", (missed, _and(unsure, missed)))', 'Apply("since", (missed, unsure))', "online"),
        ("pending.append(_historically(0, low - 1, sure))", "pass", "online"),
    ],
    "lattice": [
        (
            "values = jnp.minimum(values[:-span], values[span:])",
            "values = jnp.maximum(values[:-span], values[span:])",
            "both",
        ),
        ("jnp.minimum(values[:-rest], values[rest:])", "values[:-rest]", "both"),
        ("rest = width - span", "rest = width - span - 1", "both"),
        ("jnp.maximum(goal, jnp.minimum(hold, last))", "jnp.minimum(hold, jnp.maximum(goal, last))", "both"),
        ("lax.scan(_next, jnp.full(goal.shape[1:], base,", "lax.scan(_next, jnp.full(goal.shape[1:], -base,", "both"),
        # The smooth half.
        ("jnp.minimum(one, other) - temperature", "jnp.minimum(one, other) + temperature", "soft"),
        ("jnp.exp(-apart / temperature)", "jnp.exp(-apart * temperature)", "soft"),
        ("-lesser(-one, -other)", "lesser(one, other)", "soft"),
        ("jnp.where(one == other, 0.0, one - other)", "one - other", "soft"),
        # A value counts twice.
        ("start += span", "pass", "soft"),
        ("greater(here[1], lesser(here[0], last))", "lesser(here[0], greater(here[1], last))", "soft"),
    ],
    "margin": [
        # Strictness at zero: exchanged, forgotten, and left in what is told.
        ("xp.where(margin.ok, tiny, -tiny)", "xp.where(margin.ok, -tiny, tiny)", "both"),
        ("xp.where(margin.rho == 0, at_zero, margin.rho)", "margin.rho", "both"),
        ("jnp.where(jnp.abs(key) == jnp.finfo(key.dtype).tiny, jnp.zeros_like(key), key)", "key", "both"),
        ("value > 0.5", "value < 0.5", "both"),
        # NaN becomes false.
        (
            "xp.where(xp.isnan(value), value, xp.where(value > 0.5, infinity, -infinity))",
            "xp.where(value > 0.5, infinity, -infinity)",
            "both",
        ),
        ("Span(-self.hi, -self.lo)", "Span(-self.lo, -self.hi)", "offline"),
    ],
    "vacuity": [
        ("low + (window[0] if window else 0)", "low", "both"),
        ("else high + window[1]", "else high", "both"),
        ("if all(parts) else ()", "if any(parts) else ()", "both"),
        ('trigger if inner is None else Apply("and", (trigger, inner))', "trigger", "both"),
        ('Apply("or", (one, other))', 'Apply("and", (one, other))', "both"),
        ('Apply("eventually", (inner,), formula.window)', 'Apply("always", (inner,), formula.window)', "both"),
        # A trigger that only the end of the run decides counts as true.
        ("if _unbounded(trigger):", "if False:", "offline"),
    ],
}
