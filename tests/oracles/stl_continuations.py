"""The first tick after which no continuation satisfies a formula, by trying all continuations; judges the trips.

Formulas are the tuples of stl_brute.py. A predicate's left side is any arithmetic in Python (`x + y`, `abs(x - 2)`), and
there are `('flag', name)` and `('literal', bool)`. A formula is unrolled into and/or/not over its atoms at each tick.
What a tick can hold is not a value but a *letter*: which atoms are true in it. The letters are found on a grid that is
much wider and finer than the thresholds are apart, so that every region of the reals is met. Then all words are tried,
with memory. Nothing of the package is used.

An operator without bounds stands outermost, and is unrolled as far as `spare` ticks after the last one asked about.
"""

from __future__ import annotations

import itertools
import random

GRID = [n / 4 for n in range(-24, 41)]
UNBOUNDED = ("always", "eventually", "until")


def atoms(f):
    """The distinct atoms, in the order of the text."""
    if f[0] in ("pred", "flag", "literal"):
        return [f]
    return list(dict.fromkeys(a for part in parts(f) for a in atoms(part)))


def parts(f):
    """Its direct sub-formulas."""
    return [part for part in f[1:] if isinstance(part, tuple) and isinstance(part[0], str)]


def letters(found):
    """Truth of the atoms -> a sample {x, y, p, q} that gives it, for every combination some sample gives."""
    text = " ".join(a[1] for a in found if a[0] == "pred")
    names = [n for n in "xy" if n in text.replace("max", "")]
    flags = [a[1] for a in found if a[0] == "flag"]
    out = {}
    for values in itertools.product(*(GRID for _ in names), *([0.0, 1.0] for _ in flags)):
        sample = {"x": 0.0, "y": 0.0, "p": 0.0, "q": 0.0} | dict(zip([*names, *flags], values))
        out.setdefault(tuple(truth(a, sample) for a in found), sample)
    return out


def truth(atom, sample):
    if atom[0] == "literal":
        return atom[1]
    if atom[0] == "flag":
        return sample[atom[1]] > 0.5
    left = eval(atom[1], {"abs": abs, "min": min, "max": max, **sample})
    return {"<": left < atom[3], "<=": left <= atom[3], ">": left > atom[3], ">=": left >= atom[3]}[atom[2]]


def reach(f):
    """How many ticks after its start a formula reads; None for no end."""
    inner = [reach(part) for part in parts(f)]
    if None in inner:
        return None
    far = max(inner, default=0)
    if f[0] not in UNBOUNDED:
        return far
    return None if f[1] is None else far + f[1][1]


class Circuit:
    """A formula at the first sample, unrolled. Nodes are interned: True, False, or an integer."""

    def __init__(self, f, last):
        self.atoms = atoms(f)
        self.letters = letters(self.atoms)
        self._nodes, self._ids = [], {}
        self._built, self._put, self._alive = {}, {}, {}
        self._last = last  # the last start of an operator without bounds
        self.root = self._at(f, 0)

    # ------------------------------------------------ unrolling
    def _make(self, *node):
        if node not in self._ids:
            self._ids[node] = len(self._nodes) + 2  # 0 and 1 are False and True
            self._nodes.append(node)
        return self._ids[node]

    def _any(self, parts):
        parts = {p for p in parts if p is not False}
        if True in parts:
            return True
        if len(parts) < 2:
            return parts.pop() if parts else False
        return self._make("or", frozenset(parts))

    def _not(self, part):
        if isinstance(part, bool):
            return not part
        node = self._nodes[part - 2]
        return node[1] if node[0] == "not" else self._make("not", part)

    def _all(self, parts):
        return self._not(self._any([self._not(p) for p in parts]))

    def _at(self, f, t):
        key = (id(f), t)
        if key not in self._built:
            self._built[key] = self._unroll(f, t)
        return self._built[key]

    def _unroll(self, f, t):
        kind = f[0]
        if kind in ("pred", "flag", "literal"):
            return self._make("atom", self.atoms.index(f), t)
        if kind == "not":
            return self._not(self._at(f[1], t))
        if kind in ("and", "or", "implies", "iff", "xor"):
            p, q = self._at(f[1], t), self._at(f[2], t)
            if kind == "and":
                return self._all([p, q])
            if kind == "or":
                return self._any([p, q])
            if kind == "implies":
                return self._any([self._not(p), q])
            same = self._all([self._any([self._not(p), q]), self._any([self._not(q), p])])
            return same if kind == "iff" else self._not(same)
        if kind == "prev":
            return self._at(f[1], t - 1) if t else True
        if kind in ("rise", "fall"):
            now, before = self._at(f[1], t), self._at(f[1], t - 1) if t else kind == "fall"
            return self._all([self._not(before), now] if kind == "rise" else [before, self._not(now)])
        if kind == "held_for":
            return self._all([self._at(f[2], j) for j in range(t - f[1], t + 1)]) if t >= f[1] else False
        return self._temporal(f, t)

    def _temporal(self, f, t):
        kind, past = f[0], f[0] in ("historically", "once", "since")
        if past:
            low, high = f[1] or (0, t)
            times = [j for j in range(t - high, t - low + 1) if j >= 0]
        else:
            times = range(t + f[1][0], t + f[1][1] + 1) if f[1] else range(t, self._last + 1)
        if kind in ("always", "historically"):
            return self._all([self._at(f[2], j) for j in times])
        if kind in ("eventually", "once"):
            return self._any([self._at(f[2], j) for j in times])
        held = {j: range(j + 1, t + 1) if past else range(t, j) for j in times}
        return self._any([self._all([self._at(f[3], j), *(self._at(f[2], i) for i in held[j])]) for j in times])

    # ------------------------------------------------ one letter after the other
    def after(self, node, t, letter):
        """The node once tick `t` is known to hold `letter`."""
        if isinstance(node, bool):
            return node
        key = (node, t, letter)
        if key not in self._put:
            kind, *parts = self._nodes[node - 2]
            if kind == "atom":
                out = letter[parts[0]] if parts[1] == t else node
            elif kind == "not":
                out = self._not(self.after(parts[0], t, letter))
            else:
                out = self._any([self.after(p, t, letter) for p in parts[0]])
            self._put[key] = out
        return self._put[key]

    def alive(self, node, t):
        """Whether some letters from tick `t` on make it true."""
        if isinstance(node, bool):
            return node
        if node not in self._alive:  # what is left tells how far one has come
            self._alive[node] = any(self.alive(self.after(node, t, letter), t + 1) for letter in self.letters)
        return self._alive[node]

    def doomed(self, word):
        """The first tick after which no continuation of the word satisfies the formula; None if there is none in it."""
        node = self.root
        for t, letter in enumerate(word):
            node = self.after(node, t, letter)
            if not self.alive(node, t + 1):
                return t
        return None


def circuit(f, ticks, spare=3):
    """Of a formula, to be asked about words of that many ticks."""
    far = reach(f)
    return Circuit(f, ticks + spare if far is None else 0)


# ---------------------------------------------------------------- text and random formulas
def text(f):
    """The formula in our language, bounds in ticks, every operand in parentheses."""
    kind = f[0]
    if kind == "literal":
        return str(f[1]).lower()
    if kind == "flag":
        return f[1]
    if kind == "pred":
        return f"{f[1]} {f[2]} {f[3]:g}"
    if kind == "held_for":
        return f"held_for[{f[1]} ticks] ({text(f[2])})"
    if kind in ("prev", "rise", "fall", "not"):
        return f"{kind} ({text(f[1])})"
    if kind in ("and", "or", "implies", "iff", "xor"):
        return f"({text(f[1])}) {kind} ({text(f[2])})"
    window = f"[{f[1][0]} ticks, {f[1][1]} ticks]" if f[1] else ""
    return f"({text(f[2])}) {kind}{window} ({text(f[3])})" if len(f) == 4 else f"{kind}{window} ({text(f[2])})"


class Formulas:
    """Random formulas that a monitor takes; few atoms each, so that all words can be tried."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def _atom(self):
        kind = self.random.random()
        if kind < 0.15:
            return ("flag", self.random.choice("pq"))
        if kind < 0.2:
            return ("literal", self.random.random() < 0.5)
        left = self.random.choice(["x"] * 5 + ["y"] * 4 + ["x + y", "x - y", "abs(x - 2)", "max(x, y)", "x * y"])
        return ("pred", left, self.random.choice(["<", "<=", ">", ">="]), self.random.choice([0.5, 1.0, 2.0, 3.5]))

    def _window(self):
        low = self.random.choice([0, 0, 0, 1])
        return (low, low + self.random.choice([0, 1, 1, 2]))

    def _past(self, depth):
        if depth == 0 or self.random.random() < 0.45:
            return self.random.choice(self.pool)
        kinds = ["not", "and", "or", "implies", "iff", "xor", "prev", "rise", "fall", "held_for"]
        kind = self.random.choice([*kinds, "historically", "once", "since"])
        inner = [self._past(depth - 1), self._past(depth - 1)]
        if kind == "held_for":
            return (kind, self.random.randint(0, 2), inner[0])
        if kind in ("not", "prev", "rise", "fall"):
            return (kind, inner[0])
        if kind in ("historically", "once", "since"):
            window = self._window() if self.random.random() < 0.75 else None
            return (kind, window, *inner) if kind == "since" else (kind, window, inner[0])
        return (kind, *inner)

    def _bounded(self, depth):
        if depth == 0 or self.random.random() < 0.2:
            return self._past(1 if self.random.random() < 0.5 else 0)
        kind = self.random.choice(["not", "and", "or", "implies", "iff", *["always", "eventually", "until"] * 2])
        inner = [self._bounded(depth - 1), self._bounded(depth - 1)]
        if kind in ("always", "eventually"):
            return (kind, self._window(), inner[0])
        if kind == "until":
            return (kind, self._window(), *inner)
        return (kind, inner[0]) if kind == "not" else (kind, *inner)

    def any(self):
        """The next formula."""
        self.pool = [self._atom() for _ in range(self.random.choice([1, 2, 2, 3]))]
        kind = self.random.choice(["always", "always", "always", "plain", "plain", "eventually", "until", "both"])
        if kind == "plain":
            return self._bounded(3)
        if kind == "both":
            kind = self.random.choice(["and", "or", "implies"])
            return (kind, ("always", None, self._bounded(1)), self._bounded(2))
        return (kind, None, *(self._bounded(2) for _ in range(2 if kind == "until" else 1)))
