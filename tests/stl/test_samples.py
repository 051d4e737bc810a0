"""What the Python API takes, in which dtype it answers, and what it refuses in one clear line."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from healing_runtime import stl
from healing_runtime.core.errors import AssertionSyntaxError, InputError, UnitError, UnknownSignalError
from healing_runtime.core.signals import Signal
from healing_runtime.core.status import Status

INF, NAN = np.inf, np.nan
X = stl.parse("always (x < 1)")
XY = stl.parse("x < y")
WINDOW = stl.parse("always[0 s, 1 s] (x < 1)")
SIGNALS = {"v": Signal("v", "", (3,), ("a", "b", "c")), "x": ""}
NORM, ENTRY = (stl.parse(text, signals=SIGNALS) for text in ("norm(v) < 5", "v.c < 1"))


def words(formula, signals, dt_s=1.0, **options):
    return [Status(int(s)).word for s in np.atleast_1d(stl.verdicts(formula, signals, dt_s, **options).status)]


def fed(formula, sample, **options):
    monitor = stl.online(formula, 1.0, **options)
    return monitor.update(monitor.init(), sample)[1]


REFUSED = {
    "no samples": (lambda: words(X, {"x": []}), InputError, "no samples"),
    "no signals": (lambda: words(stl.parse("true"), {}), InputError, "no samples"),
    "lengths": (lambda: words(XY, {"x": [1], "y": [1, 2]}), InputError, "'x' has 1, 'y' has 2"),
    "one empty": (lambda: words(XY, {"x": [1], "y": []}), InputError, "'x' has 1, 'y' has 0"),
    "missing column": (lambda: words(XY, {"x": [1], "z": [1]}), UnknownSignalError, "no signal 'y'; it has x, z"),
    "a number for samples": (lambda: words(X, {"x": 1.0}), InputError, r"write \[value\]"),
    "a vector for a scalar": (lambda: words(X, {"x": [[1, 2]]}), InputError, r"shape \[2\].*scalar"),
    "a scalar for a vector": (lambda: words(NORM, {"v": [1, 2, 3]}), InputError, "one number.*reads 3"),
    "a shorter vector": (lambda: words(NORM, {"v": [[1, 2]]}), InputError, "2 components.*reads 3"),
    "a scalar for an entry": (lambda: words(ENTRY, {"v": [1, 2, 3]}), InputError, "no components.*entry 2"),
    "an entry that is not there": (lambda: words(ENTRY, {"v": [[1, 2]]}), InputError, "2 components.*entry 2"),
    "ragged": (lambda: words(X, {"x": [[1], [1, 2]]}), InputError, "different lengths"),
    "words": (lambda: words(X, {"x": ["high"]}), InputError, "give an array of numbers"),
    "nothing": (lambda: words(X, {"x": None}), InputError, "give an array of numbers"),
    "complex": (lambda: words(X, {"x": [1j]}), InputError, "give an array of numbers"),
    "dates": (lambda: words(X, {"x": np.array(["2020"], "M8[Y]")}), InputError, "give an array of numbers"),
    "no mapping": (lambda: words(X, [1, 2]), InputError, "mapping from names to samples"),
    "a text": (lambda: words("x < 1", {"x": [1]}), InputError, r"stl.parse\('…'\)"),
    "end": (lambda: words(X, {"x": [1]}, end="end"), InputError, "truncate, ended, running"),
    "a bound between samples": (lambda: words(WINDOW, {"x": [1]}, 0.3), AssertionSyntaxError, "whole number of ticks"),
    "a window too long": (lambda: words(WINDOW, {"x": [1]}, 1e-9), AssertionSyntaxError, "shorten"),
    **{f"dt {dt!r}": (lambda dt=dt: words(X, {"x": [1]}, dt), InputError, "positive number of seconds")
       for dt in (0, -0.1, NAN, INF, True, "0.1", None, [1])},
    **{f"soft {soft!r}": (lambda soft=soft: stl.robustness(X, {"x": [1]}, 1.0, soft=soft), InputError, "temperature")
       for soft in (0, -1, NAN, INF, "hot", [1])},
    "online: a text": (lambda: stl.online("x < 1", 1.0), InputError, r"stl.parse\('…'\)"),
    "online: dt": (lambda: stl.online(X, 0), InputError, "positive number of seconds"),
    "online: missing": (lambda: fed(X, {"y": 1}), UnknownSignalError, "no signal 'x'; it has y"),
    "online: a vector": (lambda: fed(X, {"x": [1, 2]}), InputError, "reads a scalar"),
    "online: a scalar": (lambda: fed(NORM, {"v": 1}), InputError, "reads 3"),
    "online: an entry": (lambda: fed(ENTRY, {"v": [1, 2]}), InputError, "entry 2"),
    "online: a word": (lambda: fed(X, {"x": "high"}), InputError, "give an array of numbers"),
    "online: no mapping": (lambda: fed(X, [1]), InputError, "mapping from names to values"),
    "online: integers": (lambda: fed(X, {"x": 1}, dtype=int), InputError, "floating dtype"),
    "online: no dtype": (lambda: fed(X, {"x": 1}, dtype="wide"), InputError, "floating dtype"),
    "online: doubles": (lambda: fed(X, {"x": 1}, dtype=jnp.float64), InputError, "jax_enable_x64"),
    "parse: nothing": (lambda: stl.parse(None), InputError, "give its text"),
    "parse: bytes": (lambda: stl.parse(b"x < 1"), InputError, "give its text"),
    "parse: empty": (lambda: stl.parse(""), AssertionSyntaxError, "there is no formula"),
    "parse: names alone": (lambda: stl.parse("x < 1", signals=["x"]), InputError, "mapping from names to units"),
    "parse: a unit": (lambda: stl.parse("x < 1", signals={"x": "furlong"}), UnitError, "not a unit"),
    "parse: a number for a unit": (lambda: stl.parse("x < 1", signals={"x": 1}), InputError, "as texts"),
    "parse: a constant": (lambda: stl.parse("x < c", constants={"c": 5}), InputError, "as texts"),
    "parse: constants": (lambda: stl.parse("x < c", constants=["c"]), InputError, "mapping"),
    "parse: a definition": (lambda: stl.parse("low", definitions={"low": None}), InputError, "as texts"),
    "parse: a tolerance": (lambda: stl.parse("x == 1", tolerance=1), InputError, "as a text"),
    "parse: a scale": (lambda: stl.parse("x < 1", scale={"m": "wide"}), InputError, "positive number"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_one_line(case):
    call, kind, message = REFUSED[case]
    with pytest.raises(InputError, match=message) as caught:
        call()
    assert type(caught.value) is kind
    # A formula is shown below the line, with a caret.
    assert len(str(caught.value).splitlines()) == (3 if kind is AssertionSyntaxError else 1)


JUDGED = {
    "one sample": (X, {"x": [0]}, ["true"]),
    "Booleans": (X, {"x": [True, False]}, ["false", "true"]),
    "a tuple": (X, {"x": (0, 2)}, ["false", "false"]),
    "a flag of integers": (stl.parse("always p"), {"p": [1, 1]}, ["true", "true"]),
    "other columns are not looked at": (X, {"x": [0], "note": ["words"], "y": [1, 2]}, ["true"]),
    "a large integer keeps its sign": (X, {"x": np.array([2**40, -(2**40)])}, ["false", "true"]),
    "a large double is infinite": (X, {"x": np.array([1e300, -1e300])}, ["false", "true"]),
    "nothing is divided by zero": (
        stl.parse("x / y > 1"),
        {"x": [1, 0, -1, 4], "y": [0, 0, 0, 2]},
        ["invalid", "invalid", "invalid", "true"],
    ),
    "infinities": (stl.parse("x < 1"), {"x": [INF, -INF]}, ["false", "true"]),
    "NaN": (stl.parse("x < 1"), {"x": [NAN, 0]}, ["invalid", "true"]),
    "a NaN flag": (stl.parse("p"), {"p": [NAN, 0]}, ["invalid", "false"]),
    "infinity less infinity": (XY, {"x": [INF, -INF, 0], "y": [INF, -INF, 1]}, ["invalid", "invalid", "true"]),
    "zero by zero": (stl.parse("x / y < 1"), {"x": [0, 0], "y": [0, 1]}, ["invalid", "true"]),
    "NaN beside what is larger": (stl.parse("max(x, y) > 1"), {"x": [NAN], "y": [5]}, ["invalid"]),
    "NaN beside what is true": (stl.parse("(x < 1) or (y < 1)"), {"x": [NAN], "y": [0]}, ["invalid"]),
    "a window beyond the trace": (WINDOW, {"x": [0]}, ["unknown"]),
    "a past beyond the trace": (stl.parse("once[5 s, 9 s] (x < 1)"), {"x": [0, 0]}, ["false", "false"]),
    "observed": (stl.parse("observed(x) < x"), {"x": [1], "observed(x)": [0]}, ["true"]),
    "observed as true": (stl.parse("observed(x) < x"), {"x": [1]}, ["false"]),
    "components": (ENTRY, {"v": [[9, 9, 0]]}, ["true"]),
}


@pytest.mark.parametrize("case", JUDGED)
def test_judged(case):
    formula, signals, expected = JUDGED[case]
    assert words(formula, signals) == expected


@pytest.mark.parametrize("case", [case for case in JUDGED if "window" not in case and "past" not in case])
def test_judged_online_as_well(case):
    formula, signals, _ = JUDGED[case]
    first = {name: values[0] for name, values in signals.items()}
    monitor = stl.online(formula, 1.0)
    state, _ = monitor.update(monitor.init(), first)
    alone = words(formula, {name: values[:1] for name, values in signals.items()})
    assert [Status(int(monitor.ended(state).status)).word] == alone


def test_the_dtype_is_the_widest_floating_one_that_is_read():
    def dtype(**signals):
        formula = XY if "y" in signals else X
        answers = {stl.robustness(formula, signals, 1.0).dtype, stl.verdicts(formula, signals, 1.0).rho_lo.dtype}
        return answers.pop().name if len(answers) == 1 else answers

    assert dtype(x=[1]) == dtype(x=[True]) == dtype(x=[1.5]) == dtype(x=np.array([1.5])) == "float32"
    assert dtype(x=np.array([1], np.float16)) == "float16"
    assert dtype(x=np.array([1], np.float16), y=np.array([1], np.float32)) == "float32"
    assert dtype(x=np.array([1], np.float32), y=np.array([1], np.float16)) == "float32"
    assert dtype(x=jnp.array([1]), y=jnp.array([1], jnp.bfloat16)) == "float32"
    with jax.enable_x64(True):
        assert dtype(x=np.array([1.5])) == "float64"
        assert dtype(x=np.array([1], np.float32), y=np.array([1.5])) == "float64"
        assert float(stl.robustness(X, {"x": np.array([1 - 1e-12])}, 1.0)[0]) == pytest.approx(1e-12, rel=1e-3)
