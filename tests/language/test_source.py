"""Syntax: what is accepted, what is refused and how it is said; parameters written back into the text."""

from __future__ import annotations

import ast
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healing_runtime.core.errors import SubsetError
from healing_runtime.language import source

RETURN = 'return {"thrust_n": 1.0}, {}'


def refusal(text):
    with pytest.raises(SubsetError) as caught:
        source.parse(text, path="c.py")
    return caught.value


# ---------------------------------------------------------------- accepted
def test_a_controller_with_everything(parsed):
    found = parsed(
        """
        \"\"\"Docstring.\"\"\"
        assert obs["altitude_m"] > -0.5, "altitude is sane"
        error = params["kp"] * (LIMIT - obs["altitude_m"])
        for i, gain in enumerate((1.0, 2.0)):
            error += gain * i
        parts = [error * k for k in range(3)]

        def body(carry, x):
            return carry + x, carry

        total, _ = lax.scan(body, 0.0, jnp.stack(parts))
        held = [0.0] * 3
        held[1] = total
        total = lax.cond(total > 1.0, lambda x: -x, jnp.abs, total)
        action = {"thrust_n": helper(total, 3.0) if len(parts) > 2 else 0.0}
        action["thrust_n"] = jnp.clip(action["thrust_n"], 0.0, 10.0)
        assert action["thrust_n"] <= total, "diagnostic"
        return action, {**state, "last_m": obs["velocity_mps"][..., -1].at[()].set(0.0)}
        """,
        more="LIMIT = 2.0 * math.pi\n\ndef helper(x, limit):\n    return jnp.clip(x, -limit, limit)\n",
    )
    assert found.params == {"kp": 2.0, "gains": [1.0, 2.0, 3.0]}
    assert [a.slug for a in found.contract] == ["altitude-is-sane"]
    assert [a.label for a in found.diagnostics] == ["diagnostic"]
    assert found.source.sha256.startswith("sha256:")


def test_params_and_docstring(write):
    text = write(RETURN, head='"""What it does."""\nPARAMS = {"a": {"b": -1}, "rows": [[1, 2], [3, 4.5]]}\n')
    found = source.parse(text)
    assert found.params == {"a": {"b": -1.0}, "rows": [[1.0, 2.0], [3.0, 4.5]]}
    assert found.doc == "What it does."


# ---------------------------------------------------------------- refused, each with line, column, construct, remedy
BODIES = [
    ("import os", 1, "imports stand at the top"),
    ("x = jnp.linalg.solve(1.0, 2.0)", 5, "tl.linalg.solve"),
    ("x = jnp.clp(1.0)", 5, "did you mean jnp.clip"),
    ("x = scipy.linalg.expm(1.0)", 5, "LAPACK"),
    ("x = jax.numpy.sin(1.0)", 5, "jax itself is not in scope"),
    ("x = lax.while_loop(1.0, 2.0, 3.0)", 5, "tl.while_loop(cond, body, init, max_trips=N)"),
    ("x = obs.keys()", 5, ".keys() is not part"),
    ("x = obs.__class__", 5, ".__class__ is not part"),
    ("x = jnp", 5, "is a namespace, not a value"),
    ("x = alttude", 5, "the name alttude is not known"),
    ("x = PARAMS", 5, 'params["x"]'),
    ("x = open(1.0)", 5, "the name open is not known"),
    ("x = 'text'", 5, "text is only"),
    ("x = f'{1}'", 5, "f-strings"),
    ("x = 1j", 5, "complex"),
    ("x = 2147483648", 5, "32 bits"),
    ("x = 9 ** 9 ** 9", 5, "overflows"),
    ("x = 1.0 if obs is None else 2.0", 12, "ever None"),
    ("x = {1.0, 2.0}", 5, "sets are not part"),
    ("x = (y := 1.0)", 6, "':='"),
    ("x = lambda y: y", 5, "write def"),
    ("x = jnp.stack(*obs)", 15, "starred"),
    ("x = jnp.sum(1.0, out=2.0)", 18, "keyword argument out"),
    ("x = control(obs, state, params)", 5, "calls itself"),
    ("x = control", 5, "the function control can be called"),
    ("x = state(1.0)", 5, "is a value, not a function"),
    ("x: float = 1.0", 1, "annotations"),
    ("state = {}", 1, "use next_state"),
    ("FIXED = 4000\nfor a in range(FIXED):\n    pass", 1, "FIXED is a module constant"),
    ("x = [FIXED for FIXED in range(3)]", 16, "FIXED is a module constant"),
    ("for FIXED in range(3):\n    pass", 5, "FIXED is a module constant"),
    ("x = lax.map(lambda FIXED: 1.0, obs)", 20, "FIXED is a module constant"),
    ("def FIXED(x):\n    return x", 1, "another meaning"),
    ("def f(FIXED):\n    return FIXED", 7, "FIXED is a module constant"),
    ("def f(f):\n    return f", 7, "f is a function of this source"),
    ("def f(x):\n    def f(y):\n        return y\n    return f(x)", 5, "f is defined twice"),
    ("def f(x):\n    def g(y):\n        return f(y)\n    return g(x)", 16, "f calls itself"),
    ("def h(x):\n    return h(h(x))", 12, "h calls itself"),
    ("break", 1, "outside loop"),
    ("def f(a, a):\n    return a", 10, "duplicate argument"),
    ("x = jnp.sum(1.0, axis=0, axis=1)", 26, "repeated"),
    ("x = lax.fori_loop(0, 9, jnp.sin, 1.0, unroll=9)", 39, "keyword argument unroll"),
    ('x = obs\nx["a"] = 1.0', 1, "only dictionaries made in this function"),
    ('x = {}\nx = obs\nx["a"] = 1.0', 1, "only dictionaries made in this function"),
    ('x = {"a": obs}\nx["a"]["b"] = 1.0', 1, "only dictionaries made in this function"),
    ('assert obs, "<b>"', 13, "without"),
    ('assert obs, "a`b"', 13, "without"),
    ('assert obs, "a\\x1bb"', 13, "printable ASCII"),
    ("x = " + "a" * 65, 5, "at most 64"),
    ('state["x"] = 1.0', 1, "cannot be changed"),
    ("jnp = 1.0", 1, "reserved name"),
    ("__x = 1.0", 1, "underscores"),
    ("y = jnp.zeros(3)\ny.x = 1.0", 1, "x.at[i].set(value)"),
    ("while True:\n    pass", 1, "tl.while_loop"),
    ("for i in range(state):\n    pass", 10, "range needs constant integers"),
    ("for i in obs:\n    pass", 10, "not looped over"),
    ("for i in obs[0]:\n    pass", 10, "not a constant"),
    ("for i in range(2000):\n    pass", 10, "too many"),
    ("for i in range(9):\n    pass\nelse:\n    pass", 5, "else after a for"),
    ("with obs:\n    pass", 1, "with blocks"),
    ("try:\n    pass\nfinally:\n    pass", 1, "try blocks"),
    ("raise obs", 1, "write assert"),
    ("global x", 1, "state dictionary"),
    ("del obs", 1, "del is not part"),
    ("class A:\n    pass", 1, "classes"),
    ("jnp.sum(1.0)", 1, "has no effect"),
    ("assert obs", 1, "needs a label"),
    ('assert obs, "..."', 13, "label is one line"),
    ("def f(x=1.0):\n    return x", 9, "default values"),
    ("def f(*x):\n    return x", 8, "plain positional"),
    ("def f(x):\n    return f(x)", 12, "f calls itself"),
    ('x = {"Key": 1.0}', 6, "lower-case letters"),
    ('x = obs["a b"]', 9, "lower-case letters"),
    ("x = [i for i in range(40) for j in range(40) for k in range(40) for l in range(40)]", 5, "multiply to more"),
]


@pytest.mark.parametrize(("body", "column", "text"), BODIES)
def test_refused_in_control(write, body, column, text):
    error = refusal(write(body + "\n" + RETURN, more="FIXED = 1\n"))
    assert text in error.message, error.message
    assert error.message.endswith((".", "?")) and ("\n" not in error.message)
    assert error.where.path == "c.py" and error.where.line >= 12
    assert error.where.column == column + 4


MODULES = [
    ("import os\n", "use one of these"),
    ("from jax import random\n", "draws nothing"),
    ("import jax\n", "write import jax.numpy as jnp"),
    ("print(1)\n", "the name print is not known"),
    ("X = 1.0\nX = 2.0\n", "bound twice"),
    ("def f(x):\n    return x\ndef f(x):\n    return x\n", "defined twice"),
    ("def f(x):\n    return g(x)\ndef g(x):\n    return f(x)\n", "calls itself"),
    ("@jnp.sin\ndef f(x):\n    return x\n", "decorators"),
    ("def f(x) -> float:\n    return x\n", "annotations"),
    ("Y = helper(1.0)\ndef helper(x):\n    return x\n", "without calling own functions"),
    ("class A:\n    pass\n", "classes"),
    ("for i in range(3):\n    pass\n", "at module level"),
]


@pytest.mark.parametrize(("module", "text"), MODULES)
def test_refused_at_module_level(write, module, text):
    assert text in refusal(write(RETURN, more=module)).message


def test_a_namespace_needs_its_import(write):
    assert "add the line: import jax.numpy as jnp" in refusal(write("x = jnp.pi\n" + RETURN, head="")).message


def test_signatures_are_exact(write):
    text = write(RETURN)
    assert (
        "def control(obs, state, params)" in refusal(text.replace("control(obs, state", "control(obs, memory")).message
    )
    assert "def init(params) is missing" in refusal(text.replace("def init(params)", "def start(params)")).message


def test_labels_are_unique(write):
    error = refusal(write('assert obs["a"] > 0.0, "One thing"\nassert obs["a"] > 1.0, "one, thing"\n' + RETURN))
    assert "line 12 already" in error.message and error.where.line == 13


# ---------------------------------------------------------------- caps: bounded time and stack, whatever comes
BOMBS = {
    "escapes": "x = '" + "\\'" * 32_000 + "\n",
    "escapes_in_lines": ("x = '" + "\\'" * 900 + "\n") * 30,
    "associative": "def f(x):\n    return lax.associative_scan(lambda a, b: "
    + "lax.associative_scan(lambda c, d: lax.associative_scan(lambda e, g: e + g, c), a), x)\n",
    "unary": "x = " + "-" * 60_000 + "1\n",
    "not": "x = " + "not " * 9_000 + "1\n",
    "lambda": "x = " + "lambda:" * 9_000 + "1\n",
    "brackets": "x = " + "(" * 5_000 + ")" * 5_000 + "\n",
    "power": "x = 1" + "**1" * 20_000 + "\n",
    "chain": "x = a" + ".a" * 30_000 + "\n",
    "sum": "x = 1" + "+1" * 700 + "\n",
    "ternary": "x = 1" + " if 1 else 1" * 4_000 + "\n",
    "elif": "if 1:\n    pass\n" + "elif 1:\n    pass\n" * 900,
    "indent": "".join(" " * i + "if 1:\n" for i in range(200)) + " " * 200 + "pass\n",
    "size": "# " + "a" * 70_000 + "\n",
    "lines": "x = 1\n" * 2_100,
    "tab": "def f():\n\treturn 1\n",
    "unicode": "x = 'é'\n",
    "null": "x = 1\0\n",
    "unclosed": "x = (((1\n",
    "unquoted": 'x = """abc\n',
    "dedent": "def f():\n        return 1\n    return 2\n",
    "syntax": "x = = 1\n",
    "constants": "".join(f"A{i} = A{i - 1} * A{i - 1}\n" if i else "A0 = 2\n" for i in range(300)),
    "call_chain": "".join(f"def f{i}(x):\n    return f{i + 1}(x)\n" for i in range(600))
    + "def f600(x):\n    return x\n",
    "fan_out": "".join(f"def f{i}(x):\n    return f{i + 1}(f{i + 1}(x))\n" for i in range(60))
    + "def f60(x):\n    return x\n",
}


@pytest.mark.parametrize("name", sorted(BOMBS))
def test_bombs_are_refused_in_bounded_time(write, name):
    started = time.perf_counter()
    error = refusal(write(RETURN, more=BOMBS[name]))
    assert time.perf_counter() - started < 1.0
    assert error.where is not None and len(error.message) < 400


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.sampled_from(list("()[]{}:,.=+-*xif 01\n'\"#\\@")), max_size=120))
def test_any_text_parses_or_is_refused(text):
    try:
        source.parse(text)
    except SubsetError as error:
        assert error.where is not None


def test_syntax_needs_no_jax():
    code = "import sys, healing_runtime.language.ownership as o; print('jax' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


def test_parse_leaves_the_tree_alone(parsed):
    found = parsed(RETURN)
    assert ast.dump(found.tree) == ast.dump(ast.parse(found.source.text))
