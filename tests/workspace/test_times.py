"""Times of faults: what is rounded and said, what comes to nothing, what waits for a formula, what may be drawn."""

from __future__ import annotations

import textwrap

import pytest

from healing_runtime import workspace
from healing_runtime.core.errors import FileFormatError
from healing_runtime.core.records import Distribution

HEAD = """\
robot: quadrotor
controller: quadrotor/landing_pid
assertions: [quadrotor/landing]
mission: landed
duration: 10 s
rates: {control_hz: 48, physics_hz: 240}
"""


@pytest.fixture
def read(tmp_path):
    def load(*faults, perturb="", head=HEAD):
        path = tmp_path / "times.yaml"
        lines = "".join(f"  - {fault}\n" for fault in faults)
        path.write_text(head + (f"faults:\n{lines}" if faults else "") + (f"perturb: {perturb}\n" if perturb else ""))
        return workspace.open().scenario(path)

    return load


@pytest.mark.parametrize(
    ("fault", "note"),
    [
        (
            "{kind: payload, mass_kg: 0.01, start: 1.001 s}",
            "faults[0].start: 1.001 s is rounded to physics step 240, 1 s",
        ),
        (
            "{kind: payload, mass_kg: 0.01, until: 1.003 s}",
            "faults[0].until: 1.003 s is rounded to physics step 241, 1.00417 s",
        ),
        ("{kind: payload, mass_kg: 0.01, ramp: 1 ms}", "faults[0].ramp: 1 ms is rounded to physics step 0, 0 s"),
        ("{kind: actuator_delay, value_s: 0.03}", "faults[0].value_s: 0.03 is rounded to 7 physics steps, 0.0291667 s"),
        ("{kind: actuator_delay, value: 3 ms}", "faults[0].value_s: 0.003 is rounded to 1 physics step, 0.00416667 s"),
        (
            "{kind: sensor_delay, signal: altitude, value_s: 0.05}",
            "faults[0].value_s: 0.05 is rounded to 3 ticks, 0.0625 s",
        ),
        (
            "{kind: payload, mass_kg: 0.01, until: 11 s}",
            "faults[0].until: 11 s is not before the end of the flight, 10 s",
        ),
        (
            "{kind: payload, mass_kg: 0.01, start: 8 s, ramp: 4 s}",
            "faults[0].ramp: 4 s is longer than the fault; it grows to 50 % at most",
        ),
        (
            "{kind: impulse, impulse: [1, 0, 0], over_s: 2, start: 9.5 s}",
            "faults[0].over_s: 2 is longer than the fault; 25 % of it is given at most",
        ),
        (
            "{kind: impulse, impulse: [1, 0, 0], over: 2 s, start: 2 s, until: 3 s}",
            "faults[0].over_s: 2.0 is longer than the fault; 50 % of it is given at most",
        ),
    ],
)
def test_what_is_rounded_or_comes_to_nothing_is_said(read, fault, note):
    assert read(fault).notes == (note,)


@pytest.mark.parametrize(
    "fault",
    [
        "{kind: payload, mass_kg: 0.01, start: 1 s, until: 2 s, ramp: 500 ms}",
        "{kind: actuator_delay, value_s: 0.025}",
        "{kind: impulse, impulse: [1, 0, 0], over_s: 2, start: 8 s}",
        "{kind: sensor_delay, signal: altitude, value_s: 0.0625}",
    ],
)
def test_nothing_is_said_where_nothing_is(read, fault):
    assert read(fault).notes == ()


def test_a_delay_in_ticks_is_what_the_simulation_makes_of_it(read):
    """The note and the sensor must not part: both are asked."""
    import importlib

    robot = workspace.open().robot("quadrotor")
    package = robot.make.__module__.rpartition(".robots.")[0]
    sensing = importlib.import_module(f"{package}.sensing")
    for value in (0.0, 0.0208, 0.02083333333333333, 0.03, 0.05, 0.0625, 0.5):
        told = robot.faults["sensor_delay"].rounded({"value_s": value}, 48, 240)
        ticks = sensing.Sensors(robot.signals.observed, 1 / 48, value)._reach
        assert told.get("value_s", f"{round(value * 48)} tick").startswith(f"{ticks} tick")


@pytest.mark.parametrize("written", ["start: 2.5 s", "start_s: 2.5", "start_s: 2.5 s", "start: 2500 ms"])
def test_a_time_is_written_with_its_unit_or_under_the_suffixed_name(read, written):
    assert read(f"{{kind: payload, mass_kg: 0.01, {written}}}").scenario.faults[0].start_step == 600


def test_a_fault_that_waits(read):
    loaded = read("{kind: payload, mass_kg: 0.01, when: altitude < 1 m, start: 1 s, until: 8 s, ramp: 1 s}")
    (fault,) = loaded.scenario.faults
    assert (fault.when, fault.start_step, fault.until_step, fault.ramp_steps) == ("altitude < 1 m", 240, 1920, 240)
    (trigger,) = loaded.triggers
    assert (trigger.text, trigger.where.line, trigger.where.column) == ("altitude < 1 m", 8, 42)
    assert loaded.scenario.triggers == ("altitude < 1 m",)
    assert "start" not in loaded.scenario.perturb.faults


def test_a_formula_of_several_lines_keeps_its_places(read, tmp_path):
    formula = textwrap.indent("altitude < 1 m and\n  descent_rate > 1 m/s\n", "      ")
    loaded = read(f"kind: payload\n    mass_kg: 0.01\n    when: >\n{formula}")
    (trigger,) = loaded.triggers
    assert trigger.text.splitlines()[1].strip() == "descent_rate > 1 m/s"
    assert (trigger.where.line, trigger.where.column) == (11, 7)


# ---------------------------------------------------------------- what may be drawn
def test_the_onset_is_drawn_where_one_fault_does_not_wait(read):
    waits, starts = "{kind: payload, mass_kg: 0.01, when: altitude < 1 m}", "{kind: wind, velocity_mps: [1, 0, 0]}"
    drawn = read(waits, starts).scenario.perturb.faults["start"]
    assert drawn == Distribution("uniform", low=0.0, high=10.0, absolute=True)
    assert "start" not in read(waits).scenario.perturb.faults


@pytest.mark.parametrize("key", ["start", "payload.start"])
def test_an_onset_that_follows_from_a_formula_cannot_be_drawn(read, key):
    with pytest.raises(FileFormatError, match=rf":9:20: .*'when' begins when its formula is true; leave '{key}' out"):
        read("{kind: payload, mass_kg: 0.01, when: altitude < 1 m}", perturb=f"{{faults: {{{key}: {{normal: 1 s}}}}}}")


RIVALS = (
    "{kind: sensor_stuck, signal: altitude, start: 1 s, until: 2 s}",
    "{kind: sensor_dropout, signal: altitude, start: 2 s, until: 3 s}",
)


def test_faults_that_may_not_overlap_begin_when_the_file_says(read):
    assert "start" not in read(*RIVALS).scenario.perturb.faults
    with pytest.raises(FileFormatError, match=r"faults\[0\] and faults\[1\] may not overlap"):
        read(*RIVALS, perturb="{faults: {start: {uniform: [0 s, 5 s]}}}")


def test_onsets_after_the_end_are_said(read):
    loaded = read("{kind: payload, mass_kg: 0.01}", perturb="{faults: {start: {uniform: [0 s, 12 s]}}}")
    said = "perturb.faults.start: 12 s is after the end of the flight, 10 s; what is drawn there begins at it"
    assert loaded.notes == (said,)


def test_what_may_vary_of_faults_that_there_are_not(read):
    with pytest.raises(FileFormatError, match=r":7:11: perturb.faults: this scenario has no fault.*leave 'faults' out"):
        read(perturb="{faults: {start: {normal: 1 s}}}")


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ("start: 1 s, until: 1.001 s", "faults[0]: 'start' and 'until' are both rounded to physics step 240, 1 s; let"),
        ("start: 2 s, until: 1 s", "faults[0]: 'until' is not after 'start'"),
        ("start: 9.9999 s", "faults[0].start: 9.9999 s is rounded to physics step 2400, at which the flight ends; "),
        ("start: 10 s", "faults[0].start: 10 s is not before the end of the flight, 10 s; "),
    ],
)
def test_times_that_come_together_when_they_are_rounded_are_said_to(read, times, said):
    with pytest.raises(FileFormatError) as error:
        read(f"{{kind: payload, mass_kg: 0.01, {times}}}")
    assert error.value.message.startswith(said)


BIAS, LOST = "kind: sensor_bias, signal: altitude, value: 5", "kind: dropped_ticks, value: 1"


@pytest.mark.parametrize(
    ("fault", "times", "column"),
    [
        (BIAS, "start: 3.006 s, until: 3.018 s", "3.018 s"),
        (LOST, "start: 3.006 s, until: 3.018 s", "3.018 s"),
        ("kind: actuator_delay, value_s: 0.1", "start: 3.006 s, until: 3.02 s", "3.02 s"),
        (LOST, "start: 9.985 s", "9.985 s"),
    ],
)
def test_a_time_without_a_tick_is_refused_where_only_ticks_count(read, fault, times, column):
    with pytest.raises(FileFormatError, match=r"acts at ticks alone.* between those at .* s and .* s; let it") as error:
        read(f"{{{fault}, {times}}}")
    where = error.value.where
    assert where and (where.line, where.column) == (8, 6 + f"{fault}, {times}".index(column))


@pytest.mark.parametrize(
    "fault",
    [
        f"{BIAS}, start: 3 s, until: 3.006 s",
        f"{BIAS}, start: 3.006 s, until: 3.03 s",
        f"{BIAS}, start: 9.985 s",
        f"{LOST}, start: 9.97 s",
        "kind: payload, mass_kg: 0.01, start: 3.006 s, until: 3.018 s",
    ],
)
def test_a_time_with_a_tick_is_taken(read, fault):
    assert len(read(f"{{{fault}}}").scenario.faults) == 1


def test_the_onset_of_one_that_could_miss_the_ticks_is_not_drawn(read):
    short = f"{{{BIAS}, start: 3 s, until: 3.006 s}}"
    assert "start" not in read(short).scenario.perturb.faults
    assert "start" in read(f"{{{BIAS}, start: 3 s, until: 3.1 s}}").scenario.perturb.faults
    with pytest.raises(FileFormatError, match=r":9:20: .*acts at ticks alone, .*or leave 'start' out"):
        read(short, perturb="{faults: {start: {uniform: [0 s, 5 s]}}}")


# ---------------------------------------------------------------- the page's example
def test_the_example_of_the_page_is_taken(tmp_path):
    """Every key of it."""
    path = tmp_path / "page.yaml"
    path.write_text(
        """\
robot: quadrotor
controller: quadrotor/landing_pid
assertions: [quadrotor/landing]
mission: landed
duration: 12 s
rates: {control_hz: 48, physics_hz: 240}
seed: 7
initial: {position_m: [0.3, -0.2, 1.5], velocity_mps: [0, 0, 0], attitude_rpy_deg: [0, 0, 0]}
environment: {gravity_mps2: 9.80665, pad: {slope_deg: 0, friction: 0.8, restitution: 0.0}, ground_effect: 1.0}
faults:
  - {kind: rotor_efficiency, rotor: 0, value: 0.8, start: 3 s, until: 9 s, ramp: 1 s, when: altitude < 1 m}
perturb: {position_m: {normal: 0.02}, faults: {value: {uniform: [-0.05, 0.05]}}}
policy:
  {on_violation: rewind, fallback: quadrotor/level_descent, probation: 2 s, max_attempts: 8, wall_budget_s: 60,
   approval: auto}
acceptance:
  {min_robustness: 0.02, neighbourhood: {samples: 96, min_pass_rate: 0.9, confidence: 0.95}, regressions: true}
reference: {position_m: [0, 0, 0], velocity_mps: [0, 0, 0]}
dtype: float64
healable: {label: yes, reason: three rotors and a half carry it}
"""
    )
    scenario = workspace.open().scenario(path).scenario
    assert scenario.duration_ticks == 576 and scenario.healable == "yes" and scenario.dtype == "float64"
    assert scenario.policy.fallback == "quadrotor/level_descent"
    assert scenario.faults[0].when == "altitude < 1 m" and scenario.reference["position_m"] == (0.0, 0.0, 0.0)
