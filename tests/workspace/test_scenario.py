"""What a scenario file means once it is resolved."""

from __future__ import annotations

import pytest

from healing_runtime import workspace
from healing_runtime.core import codec
from healing_runtime.core.records import Distribution, Scenario


def edited(root, ws, *edits, **options):
    path = root / "scenarios/cart/drop.yaml"
    text = path.read_text()
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text)
    return ws.scenario("cart/drop", **options)


def test_everything_is_resolved(ws):
    loaded = ws.scenario("cart/drop")
    scenario = loaded.scenario
    assert (scenario.name, scenario.robot, scenario.mission) == ("cart/drop", "cart", "landed")
    assert (scenario.duration_ticks, scenario.substeps, scenario.policy.probation_ticks) == (20, 4, 5)
    assert scenario.initial == {
        "position_m": (0.3, 0.0, 1.5),
        "altitude_m": 10.0,
        "fuel_kg": 2.5,
        "attitude_rpy_deg": (0.0, 0.0, 0.0),
    }
    assert scenario.environment == {"gravity_mps2": 9.81, "pad": {"friction": 0.8}}
    assert scenario.reference == {"altitude_m": 0.0}
    assert scenario.faults[0].start_step == 40
    assert scenario.faults[0].parameters == {"speed_mps": 3.0, "axis": 0}
    assert loaded.notes == ()
    assert loaded.sha256 == codec.digest(loaded.path.read_bytes())


def test_the_record_survives_json(ws):
    scenario = ws.scenario("cart/drop").scenario
    again = codec.read(Scenario, codec.plain(scenario))
    assert codec.canonical(again) == codec.canonical(scenario)
    assert again.perturb == scenario.perturb


def test_seed_and_policy_from_outside_win(ws):
    scenario = ws.scenario("cart/drop", seed=99, policy="freeze").scenario
    assert (scenario.seed, scenario.policy.on_violation) == (99, "freeze")


@pytest.mark.parametrize(
    ("written", "key", "value"),
    [
        ("altitude: 30 cm", "altitude_m", 0.3),
        ("altitude_m: 2 km", "altitude_m", 2000.0),
        ("attitude_rpy: [90 deg, 0 deg, 0 deg]", "attitude_rpy_deg", (90.0, 0.0, 0.0)),
        ("attitude_rpy_deg: [1, 2, 3]", "attitude_rpy_deg", (1.0, 2.0, 3.0)),
        ("fuel: 500 g", "fuel_kg", 0.5),
    ],
)
def test_quantities_take_the_unit_of_the_suffix(root, ws, written, key, value):
    scenario = edited(root, ws, ("position_m: [0.3, 0, 1.5]", written)).scenario
    assert scenario.initial[key] == pytest.approx(value)


@pytest.mark.parametrize("written", ["duration_s: 2", "duration: 2000 ms", "duration: 2.0 s", 'duration: "2 s"'])
def test_ways_to_write_a_duration(root, ws, written):
    assert edited(root, ws, ("duration: 2 s", written)).scenario.duration_ticks == 20


def test_durations_are_exact_where_floats_are_not(root, ws):
    # 0.1 * 3 is not 0.3 in binary; 0.3 s at 10 Hz is exactly three ticks.
    assert (
        edited(root, ws, ("duration: 2 s", "duration: 0.3 s"), ("start: 1 s", "start: 0 s")).scenario.duration_ticks
        == 3
    )


def test_fault_times_round_to_physics_steps_and_say_so(root, ws):
    loaded = edited(root, ws, ("start: 1 s", "start_s: 0.51, until: 1.5 s, ramp: 250 ms"))
    fault = loaded.scenario.faults[0]
    assert (fault.start_step, fault.until_step, fault.ramp_steps) == (20, 60, 10)
    assert loaded.notes == ("faults[0].start: 0.51 s is rounded to physics step 20, 0.5 s",)


def test_too_few_samples_are_noted(root, ws):
    acceptance = "acceptance: {neighbourhood: {samples: 35, min_pass_rate: 0.9, confidence: 0.95}}"
    (note,) = edited(root, ws, ("seed: 7", acceptance)).notes
    assert "takes 36 samples" in note


@pytest.mark.parametrize(
    ("policy", "whose"),
    [("probation: 1 s", "neighbours differ"), ("fallback: cart/calm", "neighbours and the flights of the fallback")],
)
def test_a_scenario_of_which_nothing_varies_is_noted(root, ws, policy, whose):
    (root / "controllers/cart/calm.py").write_text((root / "controllers/cart/still.py").read_text())
    (note,) = edited(root, ws, ("seed: 7", "seed: 7\nperturb: {}"), ("probation: 0.5 s", policy)).notes
    assert note.startswith(f"perturb: nothing is drawn; a patch's {whose} ") and note.endswith("in their noise alone")
    assert edited(root, ws, ("perturb: {}", "perturb: {altitude_m: {normal: 1}}")).notes == ()


def test_words_that_other_yaml_takes_for_booleans(root, ws):
    scenario = edited(root, ws, ("seed: 7", "healable: {label: no, reason: on}")).scenario
    assert (scenario.healable, scenario.healable_reason) == ("no", "on")


def test_default_perturbation_covers_the_onset_and_drops_what_no_fault_has(ws):
    perturb = ws.scenario("cart/drop").scenario.perturb
    assert perturb.faults["start"] == Distribution("uniform", low=0.0, high=2.0, absolute=True)
    assert set(perturb.faults) == {"start", "wind.speed_mps"}
    assert perturb.faults["wind.speed_mps"].ceiling == 20.0
    assert perturb.initial["altitude_m"].floor == 0.0


def test_a_scenario_s_own_perturbation(root, ws):
    text = (
        "perturb: {position_m: {normal: 2 cm}, pad: {friction: {uniform: [-0.1, 0.1]}}, "
        "faults: {speed_mps: {uniform: [-1, 1]}, start: {uniform: [0 s, 500 ms]}}}"
    )
    perturb = edited(root, ws, ("seed: 7", text)).scenario.perturb
    assert perturb.initial == {
        "position_m": Distribution(
            "normal", scale=0.02, floor=(float("-inf"), float("-inf"), 0.0), ceiling=(float("inf"),) * 3
        )
    }
    assert perturb.environment == {"pad.friction": Distribution("uniform", low=-0.1, high=0.1, floor=0.0, ceiling=1.0)}
    assert perturb.faults["start"] == Distribution("uniform", low=0.0, high=0.5, absolute=True)


def test_a_scenario_outside_the_workspace_is_named_by_robot_and_stem(root, ws, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "mine.yaml"
    elsewhere.write_text((root / "scenarios/cart/drop.yaml").read_text())
    assert ws.scenario(elsewhere).scenario.name == "cart/mine"


def test_a_controller_beside_the_scenario(root, ws, tmp_path_factory):
    folder = tmp_path_factory.mktemp("beside")
    (folder / "own.py").write_text("PARAMS = {}\n")
    (folder / "mine.yaml").write_text((root / "scenarios/cart/drop.yaml").read_text().replace("cart/still", "own.py"))
    loaded = ws.scenario(folder / "mine.yaml")
    source = ws.controller(loaded.scenario.controller)
    assert (source.name, source.text) == ("own", "PARAMS = {}\n")


def test_workspace_is_found_from_below(root, monkeypatch):
    monkeypatch.chdir(root / "controllers/cart")
    assert workspace.open().root == root
