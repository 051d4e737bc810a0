"""The interval semantics of assertions.md, written out as slowly and plainly as possible; judges the monitors.

Formulas are the tuples of rtamt_oracle.py, with `iff`, `xor`, `('held_for', d, f)`, `('flag', name)` and `('true',)`
added. Values are multiples of one half; a strict comparison is lowered by EPS and a weak one raised, so that the sign
is the truth, also at zero. A NaN is a sample of which nothing is known; what that does to a verdict, `status` says.
"""

from __future__ import annotations

import math
import random

INF = math.inf
EPS = 2.0**-20
UNARY = ("always", "eventually", "historically", "once")
BINARY = ("until", "since")
KINDS = {*UNARY, *BINARY, "pred", "flag", "true", "not", "and", "or", "implies", "iff", "xor", "prev", "rise", "fall"}
KINDS |= {"held_for"}


def bounds(f, data, t, end, seen=None):
    """(lo, hi) of formula `f` at sample `t`; a sample not there yet is (-inf, inf) unless `end` says otherwise.

    end: 'truncate' leaves such samples out, 'ended' leaves them out of unbounded operators only, 'running' of none.
    """
    seen = {} if seen is None else seen
    key = (id(f), t)
    if key not in seen:
        seen[id(f)] = f  # kept alive, lest its id go to another formula
        seen[key] = _bounds(f, data, t, end, seen)
    return seen[key]


def _bounds(f, data, t, end, seen):
    n, kind = len(data["x"]), f[0]
    if t >= n:
        return -INF, INF

    def at(g, j):
        return bounds(g, data, j, end, seen)

    if kind == "pred":
        x, c = data[f[1]][t], f[3]
        if math.isnan(x):
            return -INF, INF
        margin = c - x if f[2] in ("<", "<=") else x - c
        margin += EPS if "=" in f[2] else -EPS
        return margin, margin
    if kind == "flag":
        x = data[f[1]][t]
        return (-INF, INF) if math.isnan(x) else (INF, INF) if x > 0.5 else (-INF, -INF)
    if kind == "true":
        return INF, INF
    if kind == "not":
        lo, hi = at(f[1], t)
        return -hi, -lo
    if kind in ("and", "or", "implies", "iff", "xor"):
        return _connect(kind, at(f[1], t), at(f[2], t))
    if kind == "prev":
        return at(f[1], t - 1) if t else (INF, INF)
    if kind in ("rise", "fall"):
        inner = f[1] if kind == "rise" else ("not", f[1])
        before = at(inner, t - 1) if t else (-INF, -INF)
        now = at(inner, t)
        return min(-before[1], now[0]), min(-before[0], now[1])
    if kind == "held_for":
        if t < f[1]:
            return -INF, -INF
        window = [at(f[2], j) for j in range(t - f[1], t + 1)]
        return min(w[0] for w in window), min(w[1] for w in window)
    return _temporal(f, n, t, end, at)


def _temporal(f, n, t, end, at):
    kind, window = f[0], f[1]
    if kind in ("historically", "once", "since"):
        low, high = window or (0, t)
        times = [j for j in range(t - high, t - low + 1) if j >= 0]
    elif window is None:
        # One sample beyond the last stands for all that may come.
        times = range(t, n + 1) if end == "running" else range(t, n)
    else:
        low, high = window
        times = [j for j in range(t + low, t + high + 1) if end != "truncate" or j < n]
    values = []
    for j in times:
        if kind in UNARY:
            values.append(at(f[2], j))
        else:
            held = range(t, j) if kind == "until" else range(j + 1, t + 1)
            parts = [at(f[3], j), *(at(f[2], i) for i in held)]
            values.append((min(p[0] for p in parts), min(p[1] for p in parts)))
    if kind in ("always", "historically"):
        return min((v[0] for v in values), default=INF), min((v[1] for v in values), default=INF)
    return max((v[0] for v in values), default=-INF), max((v[1] for v in values), default=-INF)


def _connect(kind, p, q):
    if kind == "and":
        return min(p[0], q[0]), min(p[1], q[1])
    if kind == "or":
        return max(p[0], q[0]), max(p[1], q[1])
    if kind == "implies":
        return max(-p[1], q[0]), max(-p[0], q[1])
    one = _connect("and", _connect("implies", p, q), _connect("implies", q, p))
    return one if kind == "iff" else (-one[1], -one[0])


def rounded(value):
    """Robustness without the trace of the strictness."""
    return value if math.isinf(value) else round(value * 2) / 2 + 0.0


# ---------------------------------------------------------------- verdicts
def status(f, data, t, end):
    """The word of the verdict of `f` judged from sample `t`; data may hold NaN."""
    names, spoilt = list(reads(f)), False
    first = first_nan(data, names)
    back, ahead = reach(f)
    for j in range(max(0, t - back), min(len(data["x"]) - 1, t + ahead) + 1):
        spoilt = spoilt or any(math.isnan(data[name][j]) for name in names)
    # A verdict that the samples before the first NaN decide was given before it came.
    lo, hi = bounds(f, cut(data, first), t, "running") if spoilt else bounds(f, data, t, end)
    if spoilt and not (lo > 0 or hi < 0):
        return "invalid"
    if hi < 0:
        return "false"
    if lo <= 0:
        return "unknown"
    if end == "running":
        return "true"
    return "true" if exercised(f, data, {t}, end, spoilt) else "vacuous"


def reads(f):
    """Names of the signals in `f`."""
    if f[0] in ("pred", "flag"):
        return {f[1]}
    return set().union(*(reads(part) for part in f[1:] if isinstance(part, tuple) and part and part[0] in KINDS))


def first_nan(data, names):
    """The first sample at which one of the signals is NaN; their number if there is none."""
    return min((j for name in names for j, x in enumerate(data[name]) if math.isnan(x)), default=len(data["x"]))


def cut(data, first):
    """The samples before `first`."""
    return {name: values[:first] for name, values in data.items()}


def reach(f):
    """Samples read before and after its own; infinite for an operator without bounds."""
    kind = f[0]
    inner = [reach(part) for part in f[1:] if isinstance(part, tuple) and part and part[0] in KINDS]
    back, ahead = (max((r[side] for r in inner), default=0) for side in (0, 1))
    if kind in ("prev", "rise", "fall"):
        back += 1
    elif kind == "held_for":
        back += f[1]
    elif kind in ("historically", "once", "since"):
        back += INF if f[1] is None else f[1][1]
    elif kind in ("always", "eventually", "until"):
        ahead += INF if f[1] is None else f[1][1]
    # Indices are whole numbers; no trace here is longer than this.
    return min(back, 10**6), min(ahead, 10**6)


def untestable(f, outermost=True):
    """Whether no implication stands where it could go untested: then a true formula is never vacuous."""
    if f[0] == "implies":
        return endless(f[1]) and untestable(f[2], False)
    if f[0] == "and":
        return untestable(f[1], outermost) or untestable(f[2], outermost)
    if f[0] == "always" and (f[1] is not None or outermost):
        return untestable(f[2], outermost)
    return True


def endless(f):
    """Whether only the end of the run decides some part of it."""
    ahead = f[0] in ("always", "eventually", "until") and f[1] is None
    return ahead or any(endless(part) for part in f[1:] if isinstance(part, tuple) and part and part[0] in KINDS)


def exercised(f, data, starts, end, spoilt):
    """Whether an implication that `f` promises was put to the test at one of the starts."""
    n = len(data["x"])
    if untestable(f):
        return True
    if f[0] == "always":
        low, high = f[1] or (0, n)
        later = {t + d for t in starts for d in range(low, high + 1) if t + d < n}
        return exercised(f[2], data, later, end, spoilt)
    if f[0] == "and":
        return any(exercised(part, data, starts, end, spoilt) for part in f[1:])
    if spoilt:
        data, end = cut(data, first_nan(data, asked(f))), "running"
    return any(put_to_the_test(f, data, t, end) for t in starts)


def put_to_the_test(f, data, t, end):
    """As `exercised`, at one start and below the outermost promise."""
    if t >= len(data["x"]):
        return False
    if untestable(f, False):
        return True
    if f[0] == "implies":
        fired = endless(f[1]) or bounds(f[1], data, t, end)[0] > 0
        return fired and put_to_the_test(f[2], data, t, end)
    if f[0] == "and":
        return any(put_to_the_test(part, data, t, end) for part in f[1:])
    low, high = f[1]
    return any(put_to_the_test(f[2], data, j, end) for j in range(t + low, min(t + high, len(data["x"]) - 1) + 1))


def asked(f):
    """Names of the signals that decide whether `f` is put to the test."""
    if untestable(f, False):
        return set()
    if f[0] == "implies":
        return (set() if endless(f[1]) else reads(f[1])) | asked(f[2])
    return asked(f[1]) | asked(f[2]) if f[0] == "and" else asked(f[2])


# ---------------------------------------------------------------- text and random formulas
def text(f):
    """The formula in our language, bounds in ticks, every operand in parentheses."""
    kind = f[0]
    if kind == "flag":
        return f[1]
    if kind == "true":
        return "true"
    if kind == "pred":
        return f"{f[1]} {f[2]} {f[3]:g}" if f[3] >= 0 else f"{f[1]} {f[2]} -{-f[3]:g}"
    if kind == "held_for":
        return f"held_for[{f[1]} ticks] ({text(f[2])})"
    if kind in UNARY:
        return f"{kind}{_window(f[1])} ({text(f[2])})"
    if kind in BINARY:
        return f"({text(f[2])}) {kind}{_window(f[1])} ({text(f[3])})"
    if len(f) == 3:
        return f"({text(f[1])}) {kind} ({text(f[2])})"
    return f"{kind} ({text(f[1])})"


def _window(window):
    return "" if window is None else f"[{window[0]} ticks, {window[1]} ticks]"


class Formulas:
    """Random formulas; `past`, `bounded` (a horizon) and `online` (what a monitor takes at its root)."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def predicate(self):
        relation = self.random.choice(["<", "<=", ">", ">="])
        return ("pred", self.random.choice("xy"), relation, float(self.random.randint(0, 4)))

    def window(self, widest=4):
        low = self.random.choice([0, 0, 1, 2])
        return (low, low + self.random.randint(0, widest))

    def boolean(self, make, depth):
        kind = self.random.choice(["not", "and", "or", "implies", "implies", "iff", "xor"])
        return (kind, make(depth - 1)) if kind == "not" else (kind, make(depth - 1), make(depth - 1))

    def past(self, depth):
        if depth == 0 or self.random.random() < 0.3:
            return self.predicate()
        kind = self.random.choice(["boolean", "historically", "once", "since", "prev", "rise", "fall", "held_for"])
        if kind == "boolean":
            return self.boolean(self.past, depth)
        if kind == "held_for":
            return (kind, self.random.randint(0, 3), self.past(depth - 1))
        if kind in ("prev", "rise", "fall"):
            return (kind, self.past(depth - 1))
        window = None if self.random.random() < 0.3 else self.window(16)
        inner = [self.past(depth - 1) for _ in range(2 if kind == "since" else 1)]
        return (kind, window, *inner)

    def bounded(self, depth):
        if depth == 0 or self.random.random() < 0.25:
            return self.past(min(depth, 1))
        kind = self.random.choice(["boolean", "boolean", "always", "eventually", "until"])
        if kind == "boolean":
            return self.boolean(self.bounded, depth)
        return (kind, self.window(), *(self.bounded(depth - 1) for _ in range(2 if kind == "until" else 1)))

    def online(self, depth=2):
        kind = self.random.choice(["always"] * 3 + ["eventually"] * 2 + ["until", "plain", "boolean"])
        if kind == "plain":
            return self.bounded(depth)
        if kind == "boolean":
            return (self.random.choice(["and", "or", "implies"]), self.online(1), self.online(1))
        window = None if self.random.random() < 0.6 else self.window(6)
        return (kind, window, *(self.bounded(depth) for _ in range(2 if kind == "until" else 1)))

    def anything(self, depth=3):
        if depth == 0 or self.random.random() < 0.2:
            return self.predicate()
        kind = self.random.choice(["boolean", "prev", "rise", "fall", *UNARY, *BINARY])
        if kind == "boolean":
            return self.boolean(self.anything, depth)
        if kind in ("prev", "rise", "fall"):
            return (kind, self.anything(depth - 1))
        window = None if self.random.random() < 0.25 else self.window()
        return (kind, window, *(self.anything(depth - 1) for _ in range(2 if kind in BINARY else 1)))

    def implied(self, depth=2):
        """A promise whose implications may go untested."""
        kind = self.random.choice(["implies", "implies", "and", "always", "always"])
        if depth == 0 or kind == "implies":
            trigger = self.random.choice([self.predicate, self.predicate, lambda: self.anything(1)])
            return (kind if depth else "implies", trigger(), self.implied(depth - 1) if depth > 0 else self.predicate())
        if kind == "and":
            return (kind, self.implied(depth - 1), self.implied(depth - 1))
        return (kind, None if self.random.random() < 0.4 else self.window(3), self.implied(depth - 1))

    def implied_online(self, depth=2):
        """The same as a monitor takes it."""
        body = self.implied(depth)
        while any(endless(part) for part in body[1:] if isinstance(part, tuple) and part and part[0] in KINDS):
            body = self.implied(depth)
        if endless(body):
            return body
        window = self.random.choice([None, self.window(4)])
        return self.random.choice([("always", window, body), body])

    def trace(self, length):
        def value():
            return self.random.randint(-2, 6) + self.random.choice([0.0, 0.0, 0.5])

        return {name: [value() for _ in range(length)] for name in "xy"}
