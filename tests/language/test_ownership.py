"""What a patch may do to the asserts of the source it replaces."""

from __future__ import annotations

import pytest

from healing_runtime.language import ownership, source

ORIGINAL = """
assert obs["altitude_m"] > -0.5, "Altitude is sane"
assert next_state["sum"] < 9.0, "sum is bounded"
x = params["kp"] * obs["altitude_m"]
assert x < 9.0, "x is small"
return {"thrust_n": x}, {"sum": state["sum"] + x}
"""
INIT = 'return {"sum": 0.0}'


@pytest.fixture
def compare(parsed):
    before = parsed(ORIGINAL, init=INIT)

    def compare(old="", new="", **kw):
        assert old in before.source.text
        return ownership.check(before, source.parse(before.source.text.replace(old, new), path="c.py"))

    return compare


def test_the_same_source_is_fine(compare):
    assert compare() == ()


@pytest.mark.parametrize(
    ("old", "new", "text", "line"),
    [
        ("> -0.5", "> -5.0", "belongs to the contract and reads: obs['altitude_m'] > -0.5", 12),
        ('"Altitude is sane"', '"altitude is sane!"', "keep its words", 12),
    ],
)
def test_contract_asserts(compare, old, new, text, line):
    (found,) = compare(old, new)
    assert found.severity == "error" and text in found.message and found.line == line


def test_a_contract_assert_moved_into_a_block_is_refused(compare):
    found = compare(
        '    assert next_state["sum"] < 9.0, "sum is bounded"',
        '    if True:\n        assert next_state["sum"] < 9.0, "sum is bounded"\n    next_state = {}',
    )
    assert [f.severity for f in found] == ["error"] and "directly in control" in found[0].message


def test_left_out_is_carried_over(compare):
    (found,) = compare('    assert obs["altitude_m"] > -0.5, "Altitude is sane"\n', "")
    assert found.severity == "warning" and "carried over" in found.message


def test_a_state_key_it_reads_must_stay(parsed):
    before = parsed(ORIGINAL, init=INIT)
    after = parsed('return {"thrust_n": 1.0}, {"total": state["total"] + 1.0}', init='return {"total": 0.0}')
    errors = [f.message for f in ownership.check(before, after) if f.severity == "error"]
    assert errors == ['the contract assert "sum is bounded" reads state["sum"]; keep that key.']


def test_diagnostics_may_go_and_are_listed(compare):
    (dropped,) = compare('    assert x < 9.0, "x is small"\n', "")
    (changed,) = compare("x < 9.0", "x < 99.0")
    assert (dropped.severity, changed.severity) == ("warning", "warning")
    assert "dropped" in dropped.message and "changed" in changed.message


def test_new_asserts_are_welcome(compare):
    assert compare("    x = params", '    assert obs["dt_s"] > 0.0, "time moves"\n    x = params') == ()


@pytest.mark.parametrize(
    ("old", "new", "only"),
    [
        ('"kp": 2.0', '"kp": 7.5', True),
        ("[1.0, 2.0, 3.0]", "[1.0,  2.5, 3.0]", True),
        ("    x = params", "    # a remark\n    x = params", True),
        ("[1.0, 2.0, 3.0]", "[1.0, 2.0]", False),
        ('"kp": 2.0', '"kp": 2.0, "ki": 1.0', False),
        ('< 9.0, "x', '< 8.0, "x', False),
        ('"sum": 0.0', '"sum": 1.0', False),
        ("import math\n", "", False),
    ],
)
def test_edits_only_params(parsed, old, new, only):
    before = parsed(ORIGINAL, init=INIT)
    assert old in before.source.text
    after = source.parse(before.source.text.replace(old, new))
    assert ownership.edits_only_params(before, after) is only
