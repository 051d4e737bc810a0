"""A scenario as a file: every value comes back as it was."""

import dataclasses
from pathlib import Path

import pytest

from healing_runtime.campaign.counterexample import _flow, write_scenario
from healing_runtime.supervisor.preparation import prepare
from healing_runtime.workspace.document import parse_document

VALUES = [
    *(
        "word",
        "lander/landing",
        "12 s",
        "-0.5 m/s2",
        "null",
        "True",
        "1e3",
        "12",
        "",
        "a: b",
        "# no",
        "[x]",
        "é",
        'a"b',
    ),
    *(0.1 + 0.2, 1e-7, 1.5e22, -0.0, 3.0, 7, True, None, [1, [2.5, "x"]], {"a": {"b c": [0.1]}}, {}, []),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_is_read_as_it_was_written(value):
    read = parse_document(f"key: {_flow(value)}\n", path="x").value["key"]
    assert read == value and type(read) is type(value)


def test_a_file_keeps_what_was_not_searched_and_drops_what_is_no_longer_known(home, vary):
    name = vary(
        "labelled", ("seed: 3", "seed: 3\nhealable: {label: yes, reason: it says}\nacceptance: {regressions: false}")
    )
    prepared = prepare(name)
    write_scenario(home / "out.yaml", prepared, prepared.scenario, ["why"])
    text = Path("out.yaml").read_text()
    assert text.startswith("# why\n") and "healable" not in text
    again = prepared.workspace.scenario("out.yaml").scenario
    kept = {"name": prepared.scenario.name, "healable": "yes", "healable_reason": "it says"}
    assert dataclasses.replace(again, **kept) == prepared.scenario


def test_a_file_that_would_fly_something_else_is_not_left_unsaid(home):
    prepared = prepare("lander/corner")
    longer = dataclasses.replace(prepared.scenario, duration_ticks=300)
    with pytest.raises(RuntimeError, match="does not resolve to the scenario that was flown"):
        write_scenario(home / "out.yaml", prepared, longer, [])
