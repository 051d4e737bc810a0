"""PARAMS: what they may hold, and numbers written back into the text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healing_runtime.core.errors import InputError, SubsetError
from healing_runtime.language import source

RETURN = 'return {"thrust_n": 1.0}, {}'


def refusal(text):
    with pytest.raises(SubsetError) as caught:
        source.parse(text, path="c.py")
    return caught.value


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ("PARAMS = 3.0", "is a dictionary"),
        ('PARAMS = {"a": True}', "plain numbers"),
        ('PARAMS = {"a": 2.0 * 3.0}', "plain numbers"),
        ('PARAMS = {"a": [1.0, [2.0]]}', "rows of equal length"),
        ('PARAMS = {"a": []}', "cannot be empty"),
        ('PARAMS = {"a": 1.0, "a": 2.0}', "twice"),
        ("PARAMS = {1: 2.0}", "a word in quotes"),
        ('PARAMS = {"a": 1e999}', "not finite"),
    ],
)
def test_params_are_plain_finite_numbers(write, params, text):
    assert text in refusal(write(RETURN, head=params + "\n")).message


# ---------------------------------------------------------------- parameters back into the text
NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=64)


@settings(max_examples=60, deadline=None)
@given(NUMBERS, NUMBERS, st.lists(NUMBERS, min_size=2, max_size=2))
def test_with_params_reads_back(a, b, rows):
    text = 'PARAMS = {\n    "a": 1.0,  # first\n    "deep": {"b": -2.5},\n    "rows": [1, 2e0],\n}  # end\n'
    text += "def init(params):\n    return {}\ndef control(obs, state, params):\n    return {}, {}\n"
    before = source.parse(text)
    wanted = {"a": a, "deep": {"b": b}, "rows": rows}
    after = source.parse(source.with_params(before, wanted))
    assert after.params == wanted
    assert [line.partition("#")[2] for line in after.source.text.split("\n")] == [
        line.partition("#")[2] for line in text.split("\n")
    ]


def test_with_params_keeps_every_other_character(write):
    before = source.parse(write(RETURN))
    assert source.with_params(before, before.params) == before.source.text
    changed = source.with_params(before, {"kp": np.float32(0.1), "gains": np.array([1.0, 2.0, 4.5])})
    assert changed == before.source.text.replace('"kp": 2.0', '"kp": 0.1').replace("3.0]", "4.5]")


@pytest.mark.parametrize("params", [{}, {"kp": 1.0, "gains": [1.0]}, {"kp": np.nan, "gains": [1.0, 2.0, 3.0]}])
def test_with_params_refuses_another_structure(write, params):
    with pytest.raises(InputError):
        source.with_params(source.parse(write(RETURN)), params)
