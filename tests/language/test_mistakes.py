"""Error messages that teach: every mistake of the table is told at its place, in words of its own, with a remedy."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mistake_table import MISTAKES

from healing_runtime.core.errors import SubsetError
from healing_runtime.language import controller, passes, source, trace, vocabulary
from healing_runtime.language.messages import wording
from healing_runtime.language.messages.meaning import meaning

RETURN = 'return {"thrust_n": 1.0}, state'
FOREIGN = re.compile(
    r"Tracer|tracer|pytree|ShapedArray|jaxpr|ArrayLike|ndarray|docs\.jax|<class|<lambda>|<locals>|dtype\(|0x|abstract"
    r"|NoneType|concrete|Traceback|got an? "
)
"""Words of JAX and Python that say nothing to a control engineer."""


def whole(mistake, write):
    """The mistake as a whole source: with a proper return, unless the mistake is there."""
    body = mistake.body if "return" in mistake.body.split("\n")[-1] else f"{mistake.body}\n{RETURN}"
    head = {"head": ""} if mistake.bare else {}
    return mistake.before + write(body, init=mistake.init, more=mistake.more, **head)


def told(text, table):
    """The message and its place, as `heal check` finds them: syntax, trace, then the first error of the passes."""
    try:
        traced = trace.trace(controller.load(source.parse(text, path="c.py")), table, 0.02)
    except SubsetError as error:
        return error.message, error.where.line, error.where.column
    errors = [f for f in passes.run(traced) if f.severity == "error"]
    return (errors[0].message, errors[0].line, errors[0].column) if errors else ("accepted", 0, 0)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda m: m.name)
def test_a_mistake_is_told_at_its_place_with_a_remedy(mistake, write, table):
    message, line, column = told(whole(mistake, write), table)
    assert message.rstrip(".?") == f"{mistake.problem}; {mistake.remedy}".rstrip(".?")
    assert (line, column) == (mistake.line, mistake.column)
    assert "\n" not in message and len(message) < 400
    assert not FOREIGN.search(message)


def test_no_two_mistakes_share_a_message():
    said = [f"{m.problem}; {m.remedy}" for m in MISTAKES]
    assert len(MISTAKES) >= 150
    assert len({m.name for m in MISTAKES}) == len(MISTAKES)
    for text in said:
        assert sum(text in other for other in said) == 1, text


# ---------------------------------------------------------------- JAX's own words do not come through
WRONG = (
    "",
    "obs",
    "None",
    "state, 1.0",
    "[1.0, 2.0]",
    'obs["velocity_mps"], jnp.ones(4), jnp.eye(5)',
    "1, 2, 3, 4, 5, 6, 7",
)
WRONG += ('obs["altitude_m"] > 0.0, -1, (3,)', "lambda x: x", "1e30, (2, 3), axis=7")
FUNCTIONS = sorted(f"{space}.{name}" for space, names in vocabulary.FUNCTIONS.items() for name in names)
OPERANDS = ("obs", "None", "[1.0]", "(1.0, 2.0)", "True", "2", 'obs["velocity_mps"]', "jnp.ones((2, 4))", "f()")
OPERATORS = ("+", "-", "*", "/", "//", "%", "**", "@", "&", "|", "^", "<", "==")


def assert_our_words(text, table):
    message, line, _ = told(text, table)
    if message != "accepted":
        assert "; " in message and not FOREIGN.search(message), message
        assert line, message


@pytest.mark.parametrize("path", FUNCTIONS)
def test_calls_with_wrong_arguments_are_refused_in_our_words(path, write, table):
    for arguments in WRONG:
        assert_our_words(write(f"x = {path}({arguments})\n{RETURN}"), table)


@pytest.mark.parametrize("operator", OPERATORS)
def test_operators_on_wrong_values_are_refused_in_our_words(operator, write, table):
    for left in OPERANDS:
        for right in OPERANDS:
            text = f"x = {left} {operator} {right}\n{RETURN}"
            assert_our_words(write(text, more="def f():\n    x = 1.0\n"), table)


@pytest.mark.parametrize(
    "index", ["obs", "None", "1.5", "True", "9", "(0, 1, 2)", "[0, 1]", '"a"', ":, 9", "2:1", "..., 7"]
)
def test_indices_of_wrong_values_are_refused_in_our_words(index, write, table):
    for value in OPERANDS:
        assert_our_words(write(f"x = ({value})[{index}]\n{RETURN}", more="def f():\n    x = 1.0\n"), table)


@pytest.mark.parametrize("error", [TypeError, ValueError, IndexError, AttributeError, RuntimeError])
@pytest.mark.parametrize("line", ["x = jnp.sin(y)", "x = y[0]", "x = -y", "x = y.T", "x, z = y", "for x in y: pass"])
def test_a_complaint_in_words_that_nobody_knows_is_told_with_a_remedy(error, line):
    statement = ast.parse(line).body[0]
    for path in (
        [],
        [statement],
        [statement, statement.value if isinstance(statement, ast.Assign) else statement.iter],
    ):
        message = meaning(error("flurb <class 'jaxlib.Tracer'> of another version"), path, {})
        assert message.endswith(f"does not take these values; {wording.LOOK_UP}")
        assert not FOREIGN.search(message)


# ---------------------------------------------------------------- and nothing else is ever raised
PIECES = re.compile(r"\w+|[^\w\s]|\s+")
SEEDS = [m for m in MISTAKES if not m.bare]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_mangled_mistake_is_accepted_or_refused_in_one_line(data, write, table):
    pieces = PIECES.findall(whole(data.draw(st.sampled_from(SEEDS)), write))
    other = PIECES.findall(whole(data.draw(st.sampled_from(SEEDS)), write))
    for _ in range(data.draw(st.integers(1, 3))):
        at, of = data.draw(st.integers(0, len(pieces) - 1)), data.draw(st.integers(0, len(other) - 1))
        length = data.draw(st.integers(0, 3))
        pieces[at : at + length] = other[of : of + data.draw(st.integers(0, 4))]
        if not pieces:
            return
    message, _, _ = told("".join(pieces), table)
    assert message == "accepted" or ("; " in message or message.startswith("this line has")), message
    assert message.isprintable() and len(message) < 600


# ---------------------------------------------------------------- the command says the same
SHOWN = (
    *("tab", "paren", "else if"),  # the text before it is a tree
    *("import np", "PARAMS", "while", "assert bare", "recursion"),  # the syntax check
    *("if", "math.sin", "infinite state", "state missing", "action bool"),  # the trace
    "state const",  # the passes
)
"""One row or more of each place at which mistakes are told; in all of them the lander's signals are enough."""


def test_heal_check_shows_them_the_same_way(tmp_path, write):
    folder = tmp_path / "controllers" / "lander"
    folder.mkdir(parents=True)
    names = {}
    for number, mistake in enumerate(m for m in MISTAKES if m.name in SHOWN):
        path = folder / f"mistake_{number}.py"
        path.write_text(whole(mistake, write))
        names[f"controllers/lander/{path.name}"] = mistake
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "healing_runtime", "check", "--json", *names]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr == "", done.stderr[-2000:]
    found = {}
    for finding in json.loads(done.stdout)["findings"]:
        if finding["severity"] == "error":
            found.setdefault(finding["path"], finding)
    assert set(found) == set(names) and len(names) == len(SHOWN)
    for path, mistake in names.items():
        finding = found[path]
        assert f"{mistake.problem}; {mistake.remedy}" in finding["message"], finding
        assert (finding["line"], finding["column"]) == (mistake.line, mistake.column), finding
