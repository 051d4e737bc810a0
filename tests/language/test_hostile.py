"""What a hostile or careless writer found: each was accepted once, and did something else than it said."""

from __future__ import annotations

import numpy as np
import pytest

from healing_runtime.core.errors import SubsetError
from healing_runtime.language import passes

RETURN = 'return {"thrust_n": 0.0}, state'
X = 'obs["altitude_m"]'
REFUSED = {
    "negative length": (
        f'z = lax.scan(lambda c, x: (c + 1.0, None), {X}, None, length=-3)[0]\nreturn {{"thrust_n": z}}, state',
        "no fewer than 0 trips",
    ),
    "negative trips": (
        f'z = tl.while_loop(lambda c: c < 9.0, lambda c: c + 1.0, {X}, max_trips=-1)\nreturn {{"thrust_n": z}}, state',
        "no fewer than 0 trips",
    ),
    "tuples by sum": (
        f"t = sum(((0.0, 1.0) for i in range(9)), ())\n{RETURN}",
        "sum adds numbers",
    ),
    "a list in itself": (f"d = [1.0]\nd[0] = d\nq = jnp.array(d)\n{RETURN}", "cannot hold itself"),
    "a list in itself, around": (f"d = [1.0]\ne = [d]\nd[0] = [2.0, e]\n{RETURN}", "cannot hold itself"),
    "a dictionary in itself": (f'd = {{"a": 1.0}}\nd["a"] = {{"b": d}}\n{RETURN}', "cannot hold itself"),
    "a dictionary in itself, by a tuple": (f'd = {{}}\nq, d["a"] = 1.0, d\n{RETURN}', "on a line of its own"),
    "a dictionary in itself, by a loop": (f'd = {{}}\nfor d["a"] in (d,):\n    pass\n{RETURN}', "on a line of its own"),
    "tuples by zip": (f"t = [1.0]\nfor i in range(60):\n    t = list(zip(t, t))\n{RETURN}", "grows beyond"),
    "tuples by zip, in a loop": (
        f"t = 1.0\nfor i in range(60):\n    for t in zip((t,), (t,)):\n        pass\n{RETURN}",
        "grows beyond",
    ),
    "tuples by enumerate": (
        f"t = 1.0\nfor i in range(60):\n    for q, t in enumerate([(t, t)]):\n        pass\n{RETURN}",
        "grows beyond",
    ),
    "a power of ten by round": (f"z = {X} + round(5, -1000000000)\n{RETURN}", "digits are more than a number has"),
    "a power of ten by jnp.round": (f"z = jnp.round({X}, 1000000000)\n{RETURN}", "digits are more than a number has"),
    "numbers as keys": (f"d = {{1.5: 0.0}}\n{RETURN}", "a key of a dictionary is a word in quotes"),
    "None as a key": (f"d = {{None: 0.0}}\n{RETURN}", "a key of a dictionary is a word in quotes"),
    "computed keys": (f"d = {{k: 0.0 for k in range(3)}}\n{RETURN}", "a key of a dictionary is a word in quotes"),
    "a complex power": ('z = jnp.abs(jnp.array([(-8.0) ** 0.5]))[0]\nreturn {"thrust_n": z}, state', "is complex"),
    "right to left": (f'assert {X} > 0.0, "ok \\u202e evil"\n{RETURN}', "not printable ASCII"),
    "a surrogate": (f'assert {X} > 0.0, "ok \\ud800"\n{RETURN}', "not printable ASCII"),
    "a named character": (f'assert {X} > 0.0, "\\N{{ZERO WIDTH SPACE}}x"\n{RETURN}', "not printable ASCII"),
    "Cyrillic": (f'assert {X} > 0.0, "\\u0430"\n{RETURN}', "not printable ASCII"),
    "a bell": (f'assert {X} > 0.0, "ring\\x07"\n{RETURN}', "not printable ASCII"),
    "a docstring": (f'"""Plain\\u202e."""\n{RETURN}', "not printable ASCII"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_at_its_line(traced, name):
    body, words = REFUSED[name]
    with pytest.raises(SubsetError, match=words) as caught:
        traced(body)
    assert caught.value.where.line >= 12 and ";" in caught.value.message


@pytest.mark.parametrize("init", ['assert params["kp"] > 9.0, "sane"\n    return {}', "return started(params)"])
def test_an_assert_that_init_meets_is_refused(traced, init):
    more = 'def started(p):\n    assert p["kp"] > 9.0, "sane too"\n    return {}\n'
    with pytest.raises(SubsetError, match="met by init, which nobody judges; write it in control"):
        traced(RETURN.replace("state", "{}"), init=init, more=more)


def test_text_may_be_what_can_be_printed(traced):
    traced(f'"""Two\nlines, 100 %."""\nassert {X} > -9.0, "it\'s (nearly) 5 % & more; ok?!"\n{RETURN}')


@pytest.mark.parametrize("start", ["0", "jnp.zeros((), jnp.int32)", "jnp.argmax(jnp.zeros(3))"])
def test_integers_of_the_memory_have_32_bits_in_a_tick_of_doubles_too(traced, start):
    """They are carried in 32 bits; with more, the executable would not do what was traced."""
    program = traced(
        'n = state["n"] * 2\nreturn {"thrust_n": obs["altitude_m"] + n}, {"n": n}',
        init=f'return {{"n": {start}}}',
        dtype=np.float64,
    )
    assert {str(aval.dtype) for aval in program.jaxpr.out_avals} == {"float64", "int32"}
    assert program.state0["n"].dtype == np.int32
    assert [f for f in passes.run(program) if f.severity == "error"] == []


def test_no_trips_at_all_are_fine(traced):
    traced(f'z = lax.scan(lambda c, x: (c + 1.0, None), {X}, None, length=0)[0]\nreturn {{"thrust_n": z}}, state')
