"""Every mistake in a file: one line with its place, what is wrong and what to do; nothing else happens."""

from __future__ import annotations

import pytest

from healing_runtime.core.errors import (
    FileFormatError,
    InputError,
    NotFoundInCatalogue,
    UnitError,
)

# (text replaced, replacement, error class, place, words of the message)
SCENARIO_MISTAKES = [
    ("robot: cart", "robot: car", NotFoundInCatalogue, "1:8", ["no robot 'car'", "'cart'"]),
    ("robot: cart", "robot: ../cart", FileFormatError, "1:8", ["not a name"]),
    ("robot: cart\n", "", FileFormatError, "1:1", ["'robot' is missing", "add it"]),
    ("controller: cart/still", "controller: cart/stil", NotFoundInCatalogue, "2:13", ["'cart/still'"]),
    ("[cart/low]", "[cart/lo]", NotFoundInCatalogue, "3:14", ["'cart/low'"]),
    ("[cart/low]", "[cart/low, cart/low]", FileFormatError, "3:24", ["twice"]),
    ("mission: landed", "mission: landing", NotFoundInCatalogue, "4:10", ["'landed'"]),
    ("seed: 7", "sed: 7", FileFormatError, "7:1", ["unknown key 'sed'", "'seed'"]),
    ("seed: 7", "seed: seven", FileFormatError, "7:7", ["integer", "seven"]),
    ("seed: 7", "seed: -1", FileFormatError, "7:7", ["greater than or equal to 0"]),
    ("duration: 2 s", "duration: 2", UnitError, "5:11", ["duration", "'0.5 s'"]),
    ("duration: 2 s", "duration: 2 m", UnitError, "5:11", ["duration"]),
    ("duration: 2 s", "duration: 2 parsecs", UnitError, "5:11", ["parsecs"]),
    ("duration: 2 s", "duration: 0 s", FileFormatError, "5:11", ["'0.1 s'"]),
    ("duration: 2 s", "duration: 2.05 s", FileFormatError, "5:11", ["'2 s' or '2.1 s'"]),
    ("physics_hz: 40", "physics_hz: 42", FileFormatError, "6:21", ["does not divide", "control_hz 7 or 14"]),
    ("physics_hz: 40", "physics_hz: 5", FileFormatError, "6:21", ["does not divide", "control_hz 5"]),
    ("control_hz: 10", "control_hz: 0", FileFormatError, "6:21", ["control_hz"]),
    ("control_hz: 10", "control_herz: 10", FileFormatError, "6:9", ["'control_hz'"]),
    ("position_m: [0.3, 0, 1.5]", "positon_m: [0.3, 0, 1.5]", FileFormatError, "8:11", ["'position_m'"]),
    ("[0.3, 0, 1.5]", "[0.3, 0]", FileFormatError, "8:", ["position_m"]),
    ("[0.3, 0, 1.5]", "[0.3, 0, -1.5]", FileFormatError, "8:32", ["must be greater than or equal to 0"]),
    ("[0.3, 0, 1.5]", "[0.3, true, 1.5]", FileFormatError, "8:", ["number"]),
    ("[0.3, 0, 1.5]", "[0.3, .nan, 1.5]", FileFormatError, "8:", ["finite"]),
    ("[0.3, 0, 1.5]", "[0.3, 0, 1.5 s]", UnitError, "8:32", ["wrong dimension", "in m"]),
    ("position_m: [0.3, 0, 1.5]", "altitude: 3", UnitError, "8:21", ["'3 m'"]),
    ("position_m: [0.3, 0, 1.5]", "altitude: 3 m, altitude_m: 3", FileFormatError, "8:26", ["same quantity"]),
    ("kind: wind", "kind: wnd", NotFoundInCatalogue, "10:12", ["'wnd'", "'wind'"]),
    ("speed_mps: 3", "sped_mps: 3", FileFormatError, "10:", ["speed_mps"]),
    ("speed_mps: 3", "speed_mps: 30", FileFormatError, "10:29", ["20"]),
    ("speed_mps: 3, ", "", FileFormatError, "10:5", ["faults[0].speed_mps", "missing"]),
    ("start: 1 s", "start: -1 s", FileFormatError, "10:39", ["never negative"]),
    ("start: 1 s", "start: 1 s, until: 1 s", FileFormatError, "10:51", ["not after"]),
    ("start: 1 s", "start: 2 s", FileFormatError, "10:39", ["faults[0].start", "end of the flight, 2 s", "earlier"]),
    ("kind: wind, speed_mps: 3", "ramp: 1 s, kind: lag", FileFormatError, "10:12", ["on or off", "leave out"]),
    (
        "start: 1 s",
        "start: 1 s, duration: 2 s",
        FileFormatError,
        "10:44",
        ["'duration'", "axis, kind, ramp, speed_mps, start, until, when"],
    ),
    ("start: 1 s", "start: 1 s, end: 2 s", FileFormatError, "10:44", ["'end'", "start", "until"]),
    ("probation: 0.5 s", "probation: 0.55 s", FileFormatError, "11:21", ["whole number of ticks"]),
    ("probation: 0.5 s", "on_violation: rewindd", FileFormatError, "11:24", ["'rewind'"]),
    ("probation: 0.5 s", "on_violation: failsafe", InputError, "11:24", ["not available", "rewind"]),
    ("probation: 0.5 s", "fallback: cart/still", InputError, "11:20", ["policy.fallback", "itself", "name another"]),
    ("probation: 0.5 s", "fallback: cart/stil", NotFoundInCatalogue, "11:20", ["policy.fallback", "'cart/still'"]),
    ("probation: 0.5 s", "fallback: no/such.py", NotFoundInCatalogue, "11:20", ["policy.fallback", "check the path"]),
    ("probation: 0.5 s", "fallback: [cart/hold]", FileFormatError, "11:20", ["policy.fallback", "must be text"]),
    ("probation: 0.5 s", "approval: maybe", FileFormatError, "11:20", ["auto", "human"]),
    ("seed: 7", "seed: 7\nseed: 8", FileFormatError, "8:1", ["twice"]),
    ("seed: 7", "seed: [7", FileFormatError, "8:", ["not valid YAML", "close the bracket"]),
    ("seed: 7", "seed: a: 7", FileFormatError, "7:8", ["not valid YAML", "': '"]),
    ("seed: 7", "\tseed: 7", FileFormatError, "7:1", ["not valid YAML", "spaces"]),
    ("seed: 7", "seed: &s 7", FileFormatError, "7:7", ["anchors"]),
    ("seed: 7", "seed: *s", FileFormatError, "7:7", ["aliases"]),
    ("seed: 7", "seed: !!int 7", FileFormatError, "7:7", ["tags"]),
    ("seed: 7", "seed: 99999999999999999999", FileFormatError, "7:7", ["too large"]),
    ("seed: 7", "dtype: float16", FileFormatError, "7:8", ["float32"]),
    ("seed: 7", "perturb: {altitud_m: {normal: 1}}", FileFormatError, "7:11", ["'altitude_m'"]),
    ("seed: 7", "perturb: {altitude_m: {norml: 1}}", FileFormatError, "7:23", ["{normal: SIGMA}"]),
    ("seed: 7", "perturb: {altitude_m: {normal: -1}}", FileFormatError, "7:32", ["never negative"]),
    ("seed: 7", "perturb: {altitude_m: {uniform: [2, 1]}}", FileFormatError, "7:33", ["swap"]),
    ("seed: 7", "perturb: {altitude_m: {uniform: [1]}}", FileFormatError, "7:33", ["uniform"]),
    ("seed: 7", "perturb: {altitude_m: {normal: 1 s}}", UnitError, "7:32", ["wrong dimension"]),
    ("seed: 7", "perturb: {faults: {sped_mps: {normal: 1}}}", FileFormatError, "7:20", ["'speed_mps'"]),
    ("seed: 7", "perturb: {pad: {fricton: {normal: 1}}}", FileFormatError, "7:17", ["'friction'"]),
    ("seed: 7", "perturb: [1]", FileFormatError, "7:10", ["perturb"]),
]

ASSERTION_MISTAKES = [
    ("id: stays-low", "id: Stays Low", FileFormatError, "7:9", ["not a name"]),
    ("id: stays-low", "id: landed", FileFormatError, "11:9", ["twice"]),
    ("formula: always", "formla: always", FileFormatError, "8:5", ["unknown key 'formla'", "Did you mean 'formula'"]),
    ("    scale", "    severity: fatal\n    scale", FileFormatError, "9:15", ["critical"]),
    ("{m: 0.5}", "{mm/fortnight: 0.5}", UnitError, "9:13", ["fortnight"]),
    ("{m: 0.5}", "{m: 0}", FileFormatError, "9:16", ["greater than 0"]),
    ("    scale: {m: 0.5}", "    tolerance: close", UnitError, "9:16", ["quantity"]),
    ("v_max: 0.5 m/s", "v_max: fast", UnitError, "3:10", ["quantity"]),
    ("v_max: 0.5 m/s", "v_max: 0.5 furlongs", UnitError, "3:10", ["furlongs"]),
    ("v_max: 0.5 m/s", "v max: 0.5 m/s", FileFormatError, "3:3", ["name"]),
    ("near(h):", "near(h:", FileFormatError, "5:3", ["head"]),
    ("near(h):", "v_max:", FileFormatError, "5:3", ["constants"]),
    ("mission:", "missions:", FileFormatError, "10:1", ["'mission'"]),
]


def _assert_one_line(error: pytest.ExceptionInfo[InputError], file: str, place: str, words: list[str]) -> None:
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith(f"{file}:{place}"), message
    assert message.endswith((".", "?")), message
    for word in words:
        assert word in message
    assert error.value.exit_code == 2


@pytest.mark.parametrize(("old", "new", "kind", "place", "words"), SCENARIO_MISTAKES, ids=lambda v: str(v)[:24])
def test_mistakes_in_a_scenario(root, ws, old, new, kind, place, words):
    path = root / "scenarios/cart/drop.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(kind) as error:
        ws.scenario("cart/drop")
    _assert_one_line(error, "scenarios/cart/drop.yaml", place, words)


@pytest.mark.parametrize(("old", "new", "kind", "place", "words"), ASSERTION_MISTAKES, ids=lambda v: str(v)[:24])
def test_mistakes_in_an_assertion_file(root, ws, old, new, kind, place, words):
    path = root / "assertions/cart/low.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(kind) as error:
        ws.assertion_file("cart/low")
    _assert_one_line(error, "assertions/cart/low.yaml", place, words)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", ["empty"]),
        (b"# nothing\n", ["empty"]),
        (b"- a\n- b\n", ["mapping"]),
        (b"robot: \xff\n", ["UTF-8"]),
        (b"robot: a\x01b\n", ["not valid YAML"]),
        (b"a: 1\n---\nb: 2\n", ["second document"]),
        (b"a: " + b"[" * 60 + b"]" * 60, ["nested deeper"]),
        (b"a: " + b"[" * 30000, ["nested deeper"]),
        (b"#" * 300_000, ["KiB"]),
        (b"? [a, b]\n: 1\n", ["plain text"]),
    ],
    ids=lambda v: str(v)[:20],
)
def test_files_that_are_no_mapping(root, ws, data, words):
    path = root / "scenarios/cart/drop.yaml"
    path.write_bytes(data)
    with pytest.raises(FileFormatError) as error:
        ws.scenario("cart/drop")
    assert str(error.value).startswith("scenarios/cart/drop.yaml")
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cart/drp", ["no scenario 'cart/drp'", "'cart/drop'"]),
        ("nowhere.yaml", ["no file nowhere.yaml", "check the path"]),
        ("/nowhere/at/all", ["no file /nowhere/at/all"]),
    ],
)
def test_a_scenario_that_is_not_there(ws, name, words):
    with pytest.raises(NotFoundInCatalogue) as error:
        ws.scenario(name)
    for word in words:
        assert word in str(error.value)


def test_assertions_for_another_robot_are_refused(root, ws):
    path = root / "assertions/cart/low.yaml"
    path.write_text(path.read_text().replace("robot: cart", "robot: rover"))
    with pytest.raises(InputError, match=r"3:14: .*for the robot rover, not cart"):
        ws.scenario("cart/drop")


def test_an_unavailable_policy_from_outside_names_the_choices(ws):
    with pytest.raises(InputError, match=r"failsafe.*rewind or freeze"):
        ws.scenario("cart/drop", policy="failsafe")
