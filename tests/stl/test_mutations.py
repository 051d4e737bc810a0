"""Every operator, and what operators are built of, broken on purpose: the comparison with the definition finds it.

CI makes the operators' mistakes of `breakages.py`; `slow` are those in what operators are built of, and the sweep over
every small change of a module's source that `mutants.py` knows. What survives the
sweep is listed with the reason why it computes the same.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import signal

import jax
import numpy as np
import pytest
from breakages import BREAKAGES, FORMULAS, SOFT_FORMULAS

from healing_runtime import stl
from healing_runtime.core.errors import AssertionSyntaxError
from healing_runtime.core.status import Status
from healing_runtime.stl import operators
from healing_runtime.stl.ticks import check_online

LENGTH, ROWS, TEMPERATURE = 10, 16, 0.5
OPERATORS = [name for _, name, _ in pkgutil.iter_modules(operators.__path__) if not name.startswith("_")]
BUILT_OF = ["windows", "safety", "lattice", "margin", "vacuity"]
# Both schemes of `windows.least` in windows as short as these.
OPTIONS = {"windows": {"ring_up_to": 3}}


def module(name):
    folder = "operators." if name in OPERATORS else ""
    return importlib.import_module(f"healing_runtime.stl.{folder}{name}")


class Judge:
    """Formulas, traces, and what the definition says of each, worked out once."""

    def __init__(self, brute, comparing, formulas, soft, options):
        self.brute, self.comparing, self.options = brute, comparing, options
        self.traces = comparing.traces(brute.Formulas(seed=9), ROWS, LENGTH, nans=0.35)
        self.whole = np.array([not any(np.isnan(v) for values in d.values() for v in values) for d in self.traces])
        self.offline = [(f, self._offline(f)) for f in formulas]
        self.online = [(f, self._online(f)) for f in formulas if self._monitored(f)]
        self.soft = soft

    def sides(self):
        return ("online", "offline", "soft") if self.soft else ("online", "offline")

    def wrong(self, side):
        """The formulas that come out otherwise, one after the other."""
        return {"online": self._wrong_online, "offline": self._wrong_offline, "soft": self._wrong_soft}[side]()

    def _wrong_soft(self):
        whole = [d for d, good in zip(self.traces, self.whole, strict=True) if good]
        for f in self.soft:
            formula = stl.parse(self.brute.text(f))
            judged = jax.vmap(lambda data, formula=formula: stl.robustness(formula, data, 1.0, soft=TEMPERATURE))
            found = np.asarray(judged(self.comparing.arrays(whole)))
            if not np.allclose(found, [softened(f, data) for data in whole], rtol=1e-5, atol=1e-5):
                yield self.brute.text(f)

    def _wrong_online(self):
        for f, said in self.online:
            now, ended, _ = self.comparing.online([self._resolved(f)], self.traces, **self.options)
            for verdict, expected in zip((now, ended), said, strict=True):
                ours = np.stack([verdict.status, verdict.rho_lo, verdict.rho_hi])[..., 0]
                if self._differs(ours, expected, self.whole[None, :]):
                    yield self.brute.text(f)
                    break

    def _wrong_offline(self):
        for f, said in self.offline:
            for end, expected in said.items():
                status, _, lo, hi = self.comparing.offline(self.brute, f, self.traces, end)
                if self._differs(np.stack([status, lo, hi]), expected, self.whole[:, None]):
                    yield self.brute.text(f)
                    break

    def _differs(self, ours, expected, whole):
        """Of a trace with NaN the words alone are compared."""
        said = np.moveaxis(np.array(expected), -1, 0)
        return bool(np.any(ours[0] != said[0]) or np.any((ours[1:] != said[1:]) & whole))

    def _resolved(self, f):
        return self.comparing.resolved(self.brute, f)

    def _monitored(self, f):
        try:
            check_online(self._resolved(f))
        except AssertionSyntaxError:
            return False
        return True

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


def softened(f, data):
    """Robustness at every sample with log-sum-exp for min and max, as `lattice` defines it, sample by sample."""

    def least(values):
        values = np.array([v for v in values if v < np.inf])
        if not values.size or np.isneginf(values.min()):
            return values.min(initial=np.inf)
        return values.min() - TEMPERATURE * np.log(np.exp((values.min() - values) / TEMPERATURE).sum())

    n = len(data["x"])
    if f[0] == "pred":
        return [f[3] - x if "<" in f[2] else x - f[3] for x in data[f[1]]]
    p = softened(f[2], data)
    if f[0] == "until":
        q, out = softened(f[3], data), [-np.inf]
        for t in reversed(range(n)):
            out.insert(0, -least([-q[t], -least([p[t], out[0]])]))
        return out[:n]
    low, high = f[1] or (0, n)
    if f[0] == "always":
        return [least(p[t + low : t + high + 1]) for t in range(n)]
    return [-least([-v for v in p[t + low : t + high + 1]]) for t in range(n)]


def judge(brute, comparing, name):
    """A judge that finds nothing wrong with the module as it is."""
    soft = SOFT_FORMULAS if name == "lattice" else []
    found = Judge(brute, comparing, FORMULAS[name], soft, OPTIONS.get(name, {}))
    assert [wrong for side in found.sides() for wrong in found.wrong(side)] == []
    return found


# ---------------------------------------------------------------- mistakes that a person would make
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", [*OPERATORS, *(pytest.param(n, marks=pytest.mark.slow) for n in BUILT_OF)])
def test_a_mistake_in_it_is_caught(brute, comparing, mutating, name):
    assert name in BREAKAGES and name in FORMULAS, f"'{name}' has no entry in breakages.py; write its mistakes down."
    broken, judging, missed = module(name), judge(brute, comparing, name), []
    for piece, other, side in BREAKAGES[name]:
        mutant = mutating.broken(broken, piece, other)
        for each in ("online", "offline") if side == "both" else (side,):
            # It has to say something else, not to raise.
            with mutating.planted(broken, mutant):
                if not next(judging.wrong(each), None):
                    missed.append((each, mutant.name))
    assert missed == []


def test_what_was_broken_is_whole_again(mutating):
    broken = module("lattice")
    before = {name: (value, getattr(value, "__code__", None)) for name, value in vars(broken).items()}
    with mutating.planted(broken, mutating.broken(broken, "rest = width - span", "rest = width")):
        assert broken._sliding.__code__ != before["_sliding"][1]
    assert {name: (value, getattr(value, "__code__", None)) for name, value in vars(broken).items()} == before


def test_a_piece_of_source_that_is_no_longer_there_is_no_mistake(mutating):
    with pytest.raises(LookupError, match="0 times"):
        mutating.broken(module("always"), "no such thing", "nothing")
    with pytest.raises(LookupError, match="not once: low"):
        mutating.broken(module("always"), "low", "high")


# ---------------------------------------------------------------- every small change
PAST = "historically|once|since|prev|rise|fall|held_for"
EQUIVALENT = {
    # Pattern of "module: mutant" -> why nothing can tell it from the original.
    r"since: .*: True: other truth.*": "'strict' of a zip over spans, which have two bounds each",
    r"held_for: reference: p\.lo: hi": "of the lower bound only the shape is read",
    r"since: (reference: .*inf: (minus dropped|other infinity)|stream: .*inf: (minus dropped|other infinity) #[23])": (
        "before the first sample `once[a, b] q` is -inf as well, and an older p is vouched for by it"
    ),
    r"since: stream: 0: one more #2": "`once` does not read the horizon that it is given",
    rf"({PAST}): (stream|_recursion|_least_so_far): .*\.lo: hi.*": "a past operator online is given spans with lo = hi",
    r"lattice: _sliding: 2 \* span <= width: other comparison": (
        "where 2 span is the width, two windows that do not overlap make up the rest: the same two"
    ),
    r"lattice: _recursion: 1: one more #2|lattice: smooth: 1: one more #5": (
        "`shape[2:]` for `shape[1:]`: a span has the axis of its samples alone, so both are ()"
    ),
    r"lattice: smooth: Array \| float: other sign": "an annotation, which is never evaluated",
    r"safety: promise: (fold|pending\[0\])\.lo: hi": "without a future operator lo = hi",
    r"safety: (_fold: True|_fold_into: True): other truth( #2)?": (
        "the clause is judged start by start instead, or as well: slower, and the same by the identity of the module"
    ),
    r"safety: _keep: all: any": "what is split there is an `or`, hence one clause",
    r"safety: _window: True: other truth( #2)?": "of a window that has its ticks nobody reads the unit",
}


def equivalent(name, mutant):
    return any(re.fullmatch(pattern, f"{name}: {mutant.name}") for pattern in EQUIVALENT)


# Some small changes of these are neither caught nor shown to be harmless yet; CI makes their mistakes all the same.
UNSWEPT = ("always", "until", "windows")
SWEPT = [name for name in OPERATORS + BUILT_OF if name not in UNSWEPT]


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", SWEPT)
def test_any_change_of_it_is_caught(brute, comparing, mutating, name):
    judging, alive = judge(brute, comparing, name), []
    for mutant in mutating.mutants(module(name)):
        if not equivalent(name, mutant) and not convicted(judging, mutating, module(name), mutant):
            alive.append(mutant.name)
    assert alive == []


def convicted(judging, mutating, module, mutant):
    """Whether something comes out otherwise, raises, or does not come to an end."""
    with mutating.planted(module, mutant):
        signal.signal(signal.SIGVTALRM, _too_long)
        signal.setitimer(signal.ITIMER_VIRTUAL, 20)
        try:
            return any(next(judging.wrong(side), None) for side in judging.sides())
        except Exception:
            return True
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _too_long(*_):
    raise TimeoutError("the mutant does not come to an end")
