"""What is said of assertions before anything flies: each rule on formulas that break it, and on some that do not."""

from __future__ import annotations

import dataclasses

import pytest

from healing_runtime import stl
from healing_runtime.core.errors import Location
from healing_runtime.core.records import AssertionFile, AssertionText
from healing_runtime.core.signals import Layout, Signal, SignalTable
from healing_runtime.stl import analysis

HEIGHT = Signal("altitude", "m")
TABLE = SignalTable(
    Layout((HEIGHT, Signal("contact"))),
    Layout(()),
    Layout(
        (
            HEIGHT,
            Signal("v", "m/s"),
            Signal("velocity", "m/s", (3,), ("x", "y", "z")),
            Signal("contact"),
            Signal("landed"),
            Signal("fuel", "kg", low=0.0, high=100.0),
        )
    ),
)


def file(formulas, mission=(), constants=None, definitions=None):
    texts = [AssertionText(f"a{i}", text, Location("f.yaml", i + 1, 5)) for i, text in enumerate(formulas)]
    texts += [AssertionText(f"m{i}", t, Location("f.yaml", i + 40, 5), mission=True) for i, t in enumerate(mission)]
    if definitions is None:
        definitions = {"near": "altitude < 30 cm"}
    return AssertionFile("f", "f.yaml", "", "box", tuple(texts), constants or {}, definitions)


def found(formulas, mission=()):
    """Severity, place and message of every finding."""
    bound = stl.bind([file(formulas, mission)], TABLE, 10)
    return [(f.severity, f"{f.where.line}:{f.where.column}", f.message) for f in analysis.examine(bound, TABLE)]


# ---------------------------------------------------------------- what cannot be
NEVER_TOGETHER = [
    ["always (altitude < 1 m)", "always (altitude > 2 m)"],
    ["altitude < 1 m", "altitude >= 1 m"],
    ["always (altitude <= 1 m)", "eventually[0 s, 1 s] (altitude > 1 m)"],
    ["always (near implies v < 1 m/s)", "always near", "always (v > 2 m/s)"],
    ["always (altitude + v * (1 s) < 1 m)", "always (altitude > 2 m)", "always (v > 0 m/s)"],
    ["always (2 * altitude - velocity.z * (1 s) < 1 m)", "always (altitude > 2 m and velocity.z < 1 m/s)"],
    ["always (abs(v) < 1 m/s)", "always (v < -2 m/s)"],
    ["always (max(v, velocity.z) < 1 m/s)", "always (velocity.z > 1 m/s)"],
    ["always (min(v, velocity.z) < 1 m/s)", "always (velocity.z > 1 m/s)", "always (v > 1 m/s)"],
    ["always (clamp(v, 0 m/s, 2 m/s) > 1 m/s)", "always (v < 1 m/s)"],
    ["always (norm(velocity) < 1 m/s)", "always (velocity.z < -1 m/s)"],
    ["always (norm(v, velocity.x) < 1 m/s)", "always (v > 1 m/s)"],
    ["always contact", "always (contact < 0.5)"],
    ["always (contact iff landed)", "always contact", "always (not landed)"],
    ["always (contact xor landed)", "always (contact and landed)"],
    [
        "always (rise(contact) implies eventually[0 s, 1 s] landed)",
        "eventually[0 s, 2 s] rise(contact)",
        "always (not landed)",
    ],
    ["always ((v < 1 m/s) until[0 s, 1 s] landed)", "always (not landed)"],
    ["always ((v < 1 m/s) since landed)", "always (not landed)"],
    ["always (once[0 s, 1 s] landed)", "always (not landed)"],
]


@pytest.mark.parametrize("formulas", NEVER_TOGETHER, ids=lambda f: f[0])
def test_assertions_that_never_hold_together_are_an_error_at_the_last_of_them(formulas):
    (one,) = [f for f in found(formulas) if f[0] == "error"]
    severity, place, message = one
    assert severity == "error" and place == f"{len(formulas)}:5"
    assert message.startswith(f"'a{len(formulas) - 1}' can never hold together with 'a0' (f.yaml:1:5)")
    # Nothing is left out that it rests on: without any one of them there is no contradiction.
    for left_out in range(len(formulas)):
        rest = [formula for number, formula in enumerate(formulas) if number != left_out]
        assert not [f for f in found(rest) if f[0] == "error"]


def test_a_contradiction_shows_what_stands_against_what():
    (one,) = found(["always (altitude < 1 m)", "always landed", "always (altitude > 2 m)"])
    assert one == (
        "error",
        "3:5",
        "'a2' can never hold together with 'a0' (f.yaml:1:5), whatever the flight: "
        "'altitude < 1 m' against 'altitude > 2 m'; correct one of them.",
    )


def test_two_contradictions_are_two_findings():
    formulas = ["always (altitude < 1 m)", "always (altitude > 2 m)", "always (v < 1 m/s)", "always (v > 2 m/s)"]
    assert sorted(f[:2] for f in found(formulas)) == [("error", "2:5"), ("error", "4:5")]


def test_a_mission_is_held_against_the_assertions_and_not_against_another_mission():
    (one,) = found(["always (not landed)"], mission=["eventually landed", "eventually (not landed)"])
    assert one[:2] == ("error", "40:5")
    assert not found(["always (altitude < 9 m)"], mission=["eventually (v > 1 m/s)", "always (v < 1 m/s)"])


@pytest.mark.parametrize(
    "formula",
    [
        "always (altitude < 1 m and altitude > 2 m)",
        "eventually[0 s, 1 s] (v < 1 m/s and v > 1 m/s)",
        "always (fuel > 100 kg)",
        "always (norm(velocity) < 0 m/s)",
        "always (v * v < 0 m2/s2)",
        "always (held_for[1 s](contact) and not contact)",
        "always (fall(contact) and contact)",
        "(always (historically[0 s, 1 s] contact)) and eventually[0 s, 1 s] (not contact)",
        "always (1 m < 50 cm)",
        "false",
    ],
)
def test_what_can_never_hold_is_an_error(formula):
    (one,) = found([formula])
    assert one[:2] == ("error", "1:5") and "'a0' can never hold, whatever the flight" in one[2]


@pytest.mark.parametrize(
    "formula",
    [
        "always (altitude < 1 m or altitude >= 1 m)",
        "always (altitude < 35 cm or altitude >= 0.35 m)",
        "always (abs(v) >= 0 m/s)",
        "always (norm(velocity) >= velocity.z)",
        "always (fuel <= 100 kg)",
        "always (v * v >= 0 m2/s2)",
        "always (contact or not contact)",
        "always (contact implies once[0 s, 1 s] contact)",
        "always (50 cm < 1 m)",
        "true",
    ],
)
def test_what_can_never_trip_is_a_warning(formula):
    (one,) = found([formula])
    assert one[:2] == ("warning", "1:5") and "'a0' can never trip" in one[2]


# ---------------------------------------------------------------- triggers
@pytest.mark.parametrize(
    ("formula", "place", "words"),
    [
        ("always (altitude < 1 m and altitude > 2 m implies v < 1 m/s)", "1:13", "can never be true"),
        ("always (near and altitude > 1 m implies v < 1 m/s)", "1:13", "can never be true"),
        ("always (near implies abs(v) >= 0 m/s)", "1:26", "can never be false"),
        ("always (near implies (v < 1 m/s and v > 2 m/s))", "1:27", "forbids 'near'"),
        ("always (held_for[1 s](contact) implies not contact)", "1:44", "forbids 'held_for[1 s](contact)'"),
        ("always (observed(contact) implies v < 1 m/s)", "1:13", "write 'contact' for 'observed(contact)'"),
        ("always (rise(observed(contact)) implies v < 1 m/s)", "1:13", "reads a sensor"),
    ],
)
def test_implications_that_say_nothing(formula, place, words):
    (one,) = found([formula])
    assert one[:2] == ("warning", place) and words in one[2]


EVERY, SOME = "counts as triggered in every run", "can count as triggered there though nothing has changed"


@pytest.mark.parametrize(
    ("formula", "place", "words", "strong"),
    [
        ("always (prev(contact) implies fuel > 20 kg)", "1:13", EVERY, "not prev(not (contact))"),
        ("prev(near) implies v < 1 m/s", "1:5", EVERY, "not prev(not (near))"),
        ("always ((once[0 s, 1 s] prev(contact)) implies near)", "1:29", EVERY, "not prev(not (contact))"),
        ("always (near or prev(contact) implies fuel > 20 kg)", "1:21", EVERY, "not prev(not (contact))"),
        ("always ((near implies prev(contact)) implies v < 1 m/s)", "1:27", EVERY, "not prev(not (contact))"),
        ("always (contact and prev(landed) implies near)", "1:25", SOME, "not prev(not (landed))"),
        ("always (fall(near) implies v < 1 m/s)", "1:13", SOME, "(fall(near) and not prev(not (near)))"),
        ("always (near implies (fall(contact) implies v < 1 m/s))", "1:27", SOME, "(fall(contact) and not"),
    ],
)
def test_triggers_that_the_first_sample_makes_true(formula, place, words, strong):
    (one,) = found([formula])
    assert one[:2] == ("warning", place) and words in one[2] and f"write '{strong}" in one[2]
    # What is proposed asks for a sample before, and nothing is said of it.
    proposed = one[2].split("write '")[1].removesuffix("' for it.")
    column = int(place.split(":")[1]) - 5
    part = one[2].split("'")[1]
    assert formula[column:].startswith(part)
    assert found([formula[:column] + proposed + formula[column + len(part) :]]) == []


@pytest.mark.parametrize(
    "formula",
    [
        "always (rise(contact) implies v < 1 m/s)",
        "always (contact and not prev(contact) implies v < 1 m/s)",
        "always (not prev(not contact) implies v < 1 m/s)",
        "always (contact implies prev(contact))",
        "always[1 s, 2 s] (prev(contact) implies v < 1 m/s)",
        "always ((once[1 s, 2 s] prev(contact)) implies v < 1 m/s)",
        "always (held_for[1 s](prev(contact)) implies v < 1 m/s)",
        "always (((prev(contact) and near) since[1 s, 2 s] landed) implies v < 1 m/s)",
    ],
)
def test_triggers_that_ask_for_something_at_the_first_sample(formula):
    assert found([formula]) == []


def test_the_strong_forms_are_false_at_the_first_sample_and_the_same_after_it():
    values = {"p": [0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0]}
    for weak, strong in (("prev(p)", "not prev(not (p))"), ("fall(p)", "(fall(p) and not prev(not (p)))")):
        truth = [[v > 0 for v in stl.robustness(stl.parse(text), values, dt_s=1.0)] for text in (weak, strong)]
        assert (truth[0][0], truth[1][0]) == (True, False) and truth[0][1:] == truth[1][1:]


@pytest.mark.parametrize(
    ("mission", "warned"),
    [
        ("contact implies eventually[0 s, 10 s] landed", True),
        ("always (contact implies eventually[0 s, 10 s] landed)", True),
        ("(contact implies eventually[0 s, 10 s] landed) and eventually landed", False),
        ("eventually (contact implies landed)", False),
        ("(near or not near) implies eventually landed", False),
    ],
)
def test_a_mission_that_can_end_vacuous(mission, warned):
    said = found([], mission=[mission])
    assert [f[:2] for f in said] == [("warning", "40:5")] * warned
    assert all("vacuous mission is missed; write what the flight must do" in f[2] for f in said)
    assert found([mission]) == []


def test_two_that_contradict_when_triggered_forbid_the_trigger():
    (one,) = found(["always (near implies v < 1 m/s)", "always (near implies v > 2 m/s)"])
    assert one == (
        "warning",
        "2:5",
        "'a1' and 'a0' (f.yaml:1:5) together forbid 'near': 'v < 1 m/s' against 'v > 2 m/s'; "
        "correct one of them, or write 'not (near)'.",
    )


def test_windows_are_held_against_each_other_where_one_lies_in_the_other():
    low = "always (contact implies always[0 s, 2 s] (v < 1 m/s))"
    (one,) = found([low, "always (contact implies eventually[1 s, 1.5 s] (v > 2 m/s))"])
    assert "together forbid 'contact'" in one[2]
    assert not found([low, "always (contact implies eventually[1 s, 3 s] (v > 2 m/s))"])


def test_a_trigger_out_of_reach_of_another_assertion():
    (one,) = found(["always (altitude < 2 m)", "always (altitude > 3 m implies v < 1 m/s)"])
    assert one[:2] == ("warning", "2:13") and "while 'a0' (f.yaml:1:5) holds" in one[2]


# ---------------------------------------------------------------- nothing to say
@pytest.mark.parametrize(
    "formulas",
    [
        ["always (altitude < 1 m)", "always (altitude > 0.5 m)"],
        ["always (altitude <= 1 m)", "always (altitude >= 1 m)"],
        ["always (near implies v < 1 m/s)", "always ((not near) implies v > 2 m/s)"],
        ["always (rise(contact) implies eventually[0 s, 1 s] (v < 1 m/s))", "always (contact implies v < 2 m/s)"],
        ["always (fuel < 100 kg)"],
        ["always (abs(v) > 0 m/s)"],
        ["eventually landed", "eventually (not landed)"],
        ["always (observed(altitude) < 1 m)", "always (altitude > 2 m)"],
        # Eleven turns and 3960 degrees: equal, but for the rounding of the degree.
        ["always (altitude / (1 m) * (1 rad) <= 11 rev)", "always (altitude / (1 m) * (1 rad) >= 3960 deg)"],
        ["always (altitude / (1 m) * (1 rad) >= 11 rev)", "always (altitude / (1 m) * (1 rad) <= 3960 deg)"],
        [
            "eventually[0 s, 1 s] (contact and not (rise(contact)))",
            "eventually ((not contact) and not (fall(contact)))",
        ],
        ["always (v < 1 m/s or velocity.x < 1 m/s)", "always (v > 1 m/s or velocity.x > 1 m/s)"],
    ],
    ids=lambda f: f[0],
)
def test_nothing_is_said_of_what_may_be(formulas):
    assert found(formulas) == []


def test_work_is_bounded():
    """Thirty implications that split every way: given up, or answered, but not at the price of 2 to the 30."""
    names = "xyz"
    many = [
        f"always (velocity.{names[i % 3]} > {i} m/s or velocity.{names[(i + 1) % 3]} * v < {-i} m2/s2 or v < {i} m/s)"
        for i in range(30)
    ]
    assert found(many) == []
    clash = [*many, "always (altitude < 1 m)", "always (altitude > 2 m)"]
    assert [f[:2] for f in found(clash)] == [("error", "32:5")]


# ---------------------------------------------------------------- names
def named(formulas, **parts):
    return [(finding.key, finding.message) for finding in analysis.names(file(formulas, **parts), TABLE)]


def test_unused_names_are_found_where_they_stand():
    constants = {"v_max": "1 m/s", "spare": "3 m", "by_spare": "1 m", "soon": "1 s"}
    definitions = {
        "slow(limit)": "v < limit",
        "idle": "inner and altitude < by_spare",
        "inner": "contact",
        "odd(a, b)": "v < a",
    }
    formulas = ["always (slow(v_max))", "eventually[0 s, soon] odd(v_max, 1 m)"]
    assert named(formulas, constants=constants, definitions=definitions) == [
        (("constants", "spare"), "nothing uses the constant 'spare'; remove it."),
        (("definitions", "idle"), "no assertion uses the definition 'idle'; remove it."),
        (("definitions", "inner"), "no assertion uses the definition 'inner'; remove it."),
        (("definitions", "odd(a, b)"), "'odd' does not use its parameter 'b'; remove it, or use it."),
    ]


def test_a_definition_that_another_one_uses_is_used():
    assert named(["outer"], definitions={"outer": "not inner", "inner": "contact"}) == []


def test_a_parameter_is_not_a_use_of_the_constant_that_it_hides():
    found = named(["slow(1 m/s)"], constants={"limit": "1 m/s"}, definitions={"slow(limit)": "v < limit"})
    assert [key for key, _ in found] == [("constants", "limit"), ("definitions", "slow(limit)")]
    assert "hides the constant" in found[1][1]


def test_names_that_hide_a_signal():
    definitions = {"landed": "altitude < 1 cm", "near(v)": "altitude < 1 m and velocity.z < v"}
    hidden = named(["landed and near(1 m/s) and fuel < 3 kg"], constants={"fuel": "3 kg"}, definitions=definitions)
    assert [key[1] for key, _ in hidden] == ["fuel", "landed", "near(v)"]
    assert all("rename it" in message for _, message in hidden)


def test_scales_in_which_nothing_is_compared():
    def idle(formula, **scale):
        one = file([formula])
        one = dataclasses.replace(one, assertions=(dataclasses.replace(one.assertions[0], scale=scale),))
        return [found.key[-1] for found in analysis.idle_scales(one, stl.bind([one], TABLE, 10))]

    assert idle("always (v < 1 m/s)", m=5.0) == ["m"]
    assert idle("always (near implies v < 1 m/s)", m=5.0, kg=2.0, **{"m/s": 1.0, "km/min": 1.0}) == ["kg"]
    assert idle("always contact", m=5.0) == ["m"]
    assert idle("always (near)", cm=5.0) == []


# ---------------------------------------------------------------- the flight's length
@pytest.mark.parametrize(
    ("formula", "seconds", "words"),
    [
        ("eventually[0 s, 12 s] landed", 10, "can never be seen to fail"),
        ("eventually[0 s, 12 s] landed", 12, None),
        ("eventually[11 s, 12 s] landed", 10, "can only end unknown"),
        ("always (contact implies eventually[0 s, 12 s] landed)", 10, "can never be seen to fail"),
        ("always (contact implies always[0 s, 12 s] landed)", 10, None),
        ("always[0 s, 12 s] (v < 1 m/s)", 10, "can never be seen to hold"),
        ("always (v < 1 m/s)", 1, None),
        ("(v < 1 m/s) until[2 s, 12 s] landed", 10, None),
        ("not (eventually[0 s, 12 s] landed)", 10, "can never be seen to hold"),
        ("eventually landed", 1, None),
    ],
)
def test_windows_longer_than_the_flight(formula, seconds, words):
    (requirement,) = stl.bind([file([], mission=[formula])], TABLE, 10)
    told = analysis.too_short(requirement, seconds * 10, 10, "drop.yaml")
    assert [f.severity for f in told] == ["warning"] * (words is not None)
    for finding in told:
        assert words in finding.message and f"drop.yaml lasts {seconds} s" in finding.message
        assert finding.where == Location("f.yaml", 40, 5)
