"""Every operator broken on purpose, online and offline, is caught by a small set of formulas and traces.

CI breaks each module in a few ways; the whole sweep is `slow`. What survives must be listed as equivalent, with the
reason: a mutant that computes the same, or one that only costs time.
"""

from __future__ import annotations

import importlib
import random
import re
import signal

import jax
import numpy as np
import pytest

from healing_runtime.core.status import Status

P, Q, R = ("pred", "x", "<", 2.0), ("pred", "y", ">=", 3.0), ("pred", "x", ">", 4.0)
SOON, KEEP = ("eventually", (0, 2), Q), ("always", (1, 2), Q)
LATER, HELD, NEXT = ("eventually", (0, 2), P), ("always", (0, 1), P), ("until", (0, 1), P, Q)
FORMULAS = {
    "always": [
        ("until", (0, 1), P, ("always", (1, 2), NEXT)),
        ("eventually", (0, 2), ("and", Q, ("always", (0, 2), ("until", (1, 2), P, Q)))),
        ("always", (1, 3), NEXT),
        ("not", ("always", (0, 2), ("iff", SOON, P))),
        ("always", None, P),
        ("always", (1, 3), P),
        ("always", (0, 2), ("until", (0, 1), P, Q)),
        ("always", None, ("or", R, ("until", (0, 1), P, Q))),
        ("always", (1, 2), ("always", (0, 2), P)),
        ("and", ("always", (0, 0), P), ("always", (2, 2), Q)),
    ],
    "eventually": [
        ("eventually", None, P),
        ("eventually", (1, 3), P),
        ("eventually", (0, 1), ("until", (0, 1), P, Q)),
        ("always", (0, 3), ("until", (0, 1), P, ("eventually", (1, 2), Q))),
    ],
    "until": [
        ("until", None, LATER, SOON),
        ("until", None, HELD, ("eventually", (1, 2), Q)),
        ("until", (1, 3), LATER, KEEP),
        ("until", (0, 3), HELD, ("always", (0, 1), Q)),
        ("until", (0, 2), P, ("until", (1, 2), R, Q)),
        ("not", ("until", (1, 2), HELD, SOON)),
        ("until", None, P, Q),
        ("until", (1, 3), P, Q),
        ("until", (0, 2), P, Q),
        ("until", (2, 2), P, Q),
        ("until", None, SOON, KEEP),
        ("until", (1, 2), SOON, KEEP),
        ("always", (0, 2), ("until", (1, 2), P, Q)),
        ("always", (0, 2), ("until", (0, 0), P, Q)),
        ("always", None, ("or", R, ("until", (1, 2), SOON, KEEP))),
    ],
    "historically": [
        ("always", None, ("historically", None, P)),
        ("always", (0, 3), ("historically", (1, 2), P)),
        ("eventually", None, ("historically", (0, 4), P)),
    ],
    "once": [
        ("always", None, ("once", None, P)),
        ("always", None, ("once", (1, 2), P)),
        ("eventually", None, ("once", (2, 4), P)),
    ],
    "since": [
        ("always", None, ("since", None, P, Q)),
        ("always", (1, 4), ("since", (0, 2), P, Q)),
        ("eventually", None, ("since", (1, 3), P, Q)),
        ("eventually", None, ("since", (2, 2), P, Q)),
    ],
    "prev": [("always", None, ("prev", P)), ("eventually", (1, 3), ("prev", P))],
    "rise": [
        ("eventually", None, ("rise", P)),
        ("always", (0, 2), ("rise", P)),
        ("always", None, ("not", ("rise", Q))),
    ],
    "fall": [
        ("eventually", None, ("fall", P)),
        ("always", (0, 2), ("fall", P)),
        ("always", None, ("not", ("fall", Q))),
    ],
    "held_for": [("eventually", None, ("held_for", 2, P)), ("always", (1, 3), ("held_for", 1, P))],
    "not_": [("not", ("always", None, P)), ("always", None, ("not", P)), ("not", ("until", (0, 2), P, Q))],
    "and_": [("and", ("always", None, P), Q), ("always", None, ("and", P, Q)), ("always", (0, 1), ("and", SOON, KEEP))],
    "or_": [("or", ("always", None, P), Q), ("always", None, ("or", P, Q)), ("always", (0, 1), ("or", SOON, KEEP))],
    "implies": [("implies", ("always", None, P), Q), ("always", None, ("implies", R, SOON))],
    "iff": [("iff", ("always", None, P), Q), ("always", None, ("iff", P, Q)), ("always", (0, 1), ("iff", SOON, KEEP))],
    "xor": [("xor", ("always", None, P), Q), ("always", None, ("xor", P, Q)), ("always", (0, 1), ("xor", SOON, KEEP))],
    "windows": [
        ("always", None, ("historically", (w, v), P)) for w, v in ((0, 1), (0, 2), (1, 4), (2, 7), (0, 5), (3, 3))
    ]
    + [
        ("eventually", (0, 3), P),
        ("until", (1, 3), P, Q),
        ("since", (1, 2), P, Q),
        ("prev", P),
        ("eventually", None, ("since", None, P, Q)),
        ("always", None, ("since", (2, 4), P, Q)),
    ],
    "lattice": [
        ("always", (0, 4), P),
        ("always", (0, 2), P),
        ("always", (1, 1), P),
        ("until", None, P, Q),
        ("until", (1, 3), P, Q),
    ],
    "margin": [
        ("always", None, P),
        ("always", None, ("not", P)),
        ("eventually", None, ("pred", "x", "<=", 2.0)),
        ("always", None, ("flag", "x")),
        ("until", (0, 2), P, Q),
    ],
    "safety": [
        ("always", None, ("implies", R, SOON)),
        ("always", None, ("implies", R, ("eventually", (2, 4), Q))),
        ("always", None, ("implies", R, ("eventually", (1, 1), Q))),
        ("always", None, ("implies", R, KEEP)),
        ("always", None, ("implies", R, ("always", (0, 2), Q))),
        ("always", None, ("and", ("or", P, KEEP), ("not", SOON))),
        ("always", (1, 4), ("implies", R, ("and", SOON, KEEP))),
        ("eventually", (1, 5), ("and", R, ("always", (0, 2), Q))),
        ("eventually", None, ("not", ("implies", KEEP, SOON))),
        ("always", None, ("implies", R, ("always", (0, 1), SOON))),
        ("always", None, ("implies", R, ("always", (0, 0), Q))),
        ("always", None, ("implies", R, ("eventually", (0, 0), Q))),
        ("always", None, ("implies", R, ("eventually", (0, 2), KEEP))),
        ("always", None, ("not", ("or", SOON, KEEP))),
        ("always", (2, 4), ("implies", R, KEEP)),
        ("always", (0, 3), ("or", KEEP, ("not", ("and", SOON, P)))),
    ],
}
# Over what is not known yet, where lower and upper bound are apart; for offline evaluation only.
UNSURE = {
    "historically": [("historically", None, SOON), ("historically", (1, 2), SOON)],
    "once": [("once", None, SOON), ("once", (1, 2), SOON)],
    "since": [("since", None, SOON, KEEP), ("since", (0, 2), SOON, KEEP), ("since", (2, 3), SOON, KEEP)],
    "prev": [("prev", SOON)],
    "rise": [("rise", SOON), ("rise", KEEP)],
    "fall": [("fall", SOON), ("fall", KEEP)],
    "held_for": [("held_for", 2, SOON)],
    "windows": [("historically", (1, 2), SOON), ("since", (2, 3), SOON, KEEP), ("until", (2, 30), SOON, KEEP)],
    "margin": [("until", (0, 2), SOON, ("not", KEEP))],
    "and_": [("and", SOON, KEEP), ("and", KEEP, SOON)],
    "or_": [("or", SOON, KEEP), ("or", KEEP, SOON)],
}
OPERATORS = [name for name in FORMULAS if name not in ("windows", "lattice", "margin", "safety")]
LENGTH, ROWS, IN_CI = 8, 10, 2


def module(name):
    folder = "operators." if name in OPERATORS else ""
    return importlib.import_module(f"healing_runtime.stl.{folder}{name}")


PAST = "historically|once|since|prev|rise|fall|held_for"
EQUIVALENT = {
    # Pattern of "module: mutant" -> why nothing can tell it from the original.
    r".*: True: other truth.*": "'strict' of a zip over spans, which have two bounds each",
    r"held_for: reference: p\.lo: hi": "of the lower bound only the shape is read",
    r"since: (reference: .*inf: (minus dropped|other infinity)|stream: .*inf: (minus dropped|other infinity) #[23])": (
        "before the first sample `once[a, b] q` is -inf as well, and an older p is vouched for by it"
    ),
    r"since: stream: 0: one more #2": "`once` does not read the horizon that it is given",
    rf"({PAST}): (stream|_recursion|_least_so_far): .*\.lo: hi.*": "a past operator online is given spans with lo = hi",
}


def equivalent(name, mutant):
    return any(re.fullmatch(pattern, f"{name}: {mutant.name}") for pattern in EQUIVALENT)


class Judge:
    """Formulas, traces, and what the definition says of each, worked out once."""

    def __init__(self, brute, comparing, formulas, unsure):
        self.brute, self.comparing = brute, comparing
        made = brute.Formulas(seed=9)
        self.traces = comparing.traces(made, ROWS, LENGTH, nans=0.2)
        self.cases = [(f, self._offline(f), self._online(f)) for f in formulas]
        self.cases += [(f, self._offline(f), None) for f in unsure]

    def _said(self, f, data, t, end):
        word = self.brute.status(f, data, t, end)
        broken = any(np.isnan(value) for values in data.values() for value in values)
        bounds = (0.0, 0.0) if broken else tuple(map(self.brute.rounded, self.brute.bounds(f, data, t, end)))
        return Status[word.upper()].value, *bounds

    def _offline(self, f):
        ends = ("truncate", "ended", "running")
        return {end: [[self._said(f, d, t, end) for t in range(LENGTH)] for d in self.traces] for end in ends}

    def _online(self, f):
        def prefix(data, tick):
            return {name: values[: tick + 1] for name, values in data.items()}

        return [
            [[self._said(f, prefix(d, tick), 0, end) for d in self.traces] for tick in range(LENGTH)]
            for end in ("running", "ended")
        ]

    def convicts(self):
        """Whether some formula comes out otherwise; an exception does."""
        whole = np.array([not any(np.isnan(v) for values in d.values() for v in values) for d in self.traces])
        for f, offline, online in self.cases:
            for options in ({}, {"rewrite": False, "ring_up_to": 1}) if online else ():
                found = self.comparing.online([self.comparing.resolved(self.brute, f)], self.traces, **options)
                for verdict, said in zip(found, online, strict=False):
                    ours = np.stack([verdict.status, verdict.rho_lo, verdict.rho_hi])[..., 0]
                    if self._differs(ours, np.moveaxis(np.array(said), -1, 0), whole[None, :]):
                        return True
            for end, said in offline.items():
                status, _, lo, hi = self.comparing.offline(self.brute, f, self.traces, end)
                if self._differs(np.stack([status, lo, hi]), np.moveaxis(np.array(said), -1, 0), whole[:, None]):
                    return True
        return False

    def _differs(self, ours, said, whole):
        return bool(np.any(ours[0] != said[0]) or np.any((ours[1:] != said[1:]) & whole))


# Judged by the sweep alone: many mutants, some of which still survive it.
SLOW_TO_CATCH = ("always", "until", "windows", "safety", "lattice")


def survivors(brute, comparing, mutating, name, chosen):
    judge, broken = Judge(brute, comparing, FORMULAS[name], UNSURE.get(name, ())), module(name)
    assert not judge.convicts(), "the unbroken module"
    alive = []
    for mutant in chosen(list(mutating.mutants(broken))):
        with mutating.planted(broken, mutant):
            if name == "lattice":
                jax.clear_caches()  # what a scan steps over is remembered by its function
            signal.signal(signal.SIGVTALRM, _too_long)
            signal.setitimer(signal.ITIMER_VIRTUAL, 60)
            try:
                killed = judge.convicts()
            except Exception:
                killed = True
            finally:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        if not killed:
            alive.append(mutant.name)
    if name == "lattice":
        jax.clear_caches()
    return alive


def _too_long(*_):
    raise TimeoutError("the mutant does not come to an end")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", [name for name in FORMULAS if name not in SLOW_TO_CATCH])
def test_broken_it_is_caught(brute, comparing, mutating, name):
    def few(found):
        # A mutant that is equivalent stays out of the draw.
        able = [mutant for mutant in found if not equivalent(name, mutant)]
        return random.Random(name).sample(able, min(IN_CI, len(able)))

    assert survivors(brute, comparing, mutating, name, few) == []


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", FORMULAS)
def test_broken_in_every_way_it_is_caught(brute, comparing, mutating, name):
    def able(found):
        return [mutant for mutant in found if not equivalent(name, mutant)]

    assert survivors(brute, comparing, mutating, name, able) == []
