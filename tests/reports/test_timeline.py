"""The records behind the drawings: units, names, truth, bounds and the instants that matter."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from healing_runtime import stl
from healing_runtime.core.errors import InputError, UnknownSignalError
from healing_runtime.core.status import Status
from healing_runtime.reports.scales import free_corner
from healing_runtime.reports.sentences import in_short
from healing_runtime.reports.timeline import MAX_ROWS, timelines
from healing_runtime.stl.formula import walk

from .conftest import HZ, TABLE, assertion_file, landing, with_signal

TRUE, FALSE, UNKNOWN = int(Status.TRUE), int(Status.FALSE), int(Status.UNKNOWN)


def texts(timeline):
    return [row.text for row in timeline.rows]


# ---------------------------------------------------------------- rows
def test_every_sub_formula_has_a_row_outside_in_and_definitions_keep_their_names(drawn):
    (found,) = drawn(landing(), "always (near_ground implies settled(v_max))")
    assert texts(found)[1:] == [
        "near_ground implies settled(v_max)", "near_ground", "settled(v_max)", "speed < v", "tilt < 5 deg",
    ]  # fmt: skip
    assert [row.meaning for row in found.rows[2:4]] == ["altitude < low", "speed < v and tilt < 5 deg"]
    assert [row.depth for row in found.rows] == [0, 1, 2, 2, 3, 3]
    assert found.requirement == "REQ-0" and found.english.startswith("Whenever")


def test_values_and_thresholds_are_in_the_unit_that_the_author_wrote(drawn):
    (found,) = drawn(landing(), "always (tilt < 5 deg and altitude > -20 cm and speed < v_max)")
    tilt, altitude, speed = (r for r in found.rows if r.kind == "predicate")
    assert (tilt.unit.text, altitude.unit.text, speed.unit.text) == ("deg", "cm", "m/s")
    np.testing.assert_allclose(tilt.curves[0].values, 2.0, rtol=1e-6)
    np.testing.assert_allclose(tilt.rho, 3.0, rtol=1e-5)
    np.testing.assert_allclose(altitude.curves[0].values[0], 300.0)
    assert [(t.label, pytest.approx(t.value)) for t in (*tilt.thresholds, *altitude.thresholds, *speed.thresholds)] == [
        ("5 deg", 5.0), ("-20 cm", -20.0), ("v_max = 0.5 m/s", 0.5),
    ]  # fmt: skip


def test_both_sides_are_curves_where_both_vary_and_the_unit_is_si_where_none_was_written(drawn):
    (found,) = drawn(landing(), "always (speed * speed < v_max * v_max + 2 * (1 - 0.5) * abs(speed) * speed)")
    row = found.rows[1]
    assert [curve.name for curve in row.curves] == [
        "speed * speed",
        "v_max * v_max + 2 * (1 - 0.5) * abs(speed) * speed",
    ]
    assert row.unit.text == "m2/s2" and not row.thresholds


def test_parentheses_that_matter_stay(drawn):
    (found,) = drawn(landing(), "always (altitude - (speed * 1 s - altitude) / (2 * (1 + 1)) > -9 m)")
    (curve,) = found.rows[1].curves
    assert curve.name == "altitude - (speed * 1 s - altitude) / (2 * (1 + 1))"
    (found,) = drawn(landing(), "always (altitude - (altitude - 1 m) > -9 m)")
    assert found.rows[1].curves[0].name == "altitude - (altitude - 1 m)"


def test_equality_is_drawn_as_the_two_ends_of_its_tolerance(drawn):
    (found,) = drawn(landing(), "always (tilt == 2 deg)", tolerance="30 deg")
    assert [pytest.approx(t.value) for t in found.rows[1].thresholds] == [32.0, -28.0]


def test_large_numbers_are_written_out(drawn):
    recording = dataclasses.replace(
        landing(), signals={**landing().signals, "altitude": np.full(61, 9.0), "speed": np.full(61, 5e6)}
    )
    (found,) = drawn(recording, "always (speed < 2 * 4000 km/s)")
    assert found.rows[1].thresholds[0].label == "2 * 4000 km/s = 8000 km/s"
    assert in_short(found) == "✓ true  3000 km/s"


def test_components_and_calculated_thresholds(drawn):
    (found,) = drawn(landing(), "always (position.z < 2 * 2 m)")
    row = found.rows[1]
    assert row.curves[0].name == "position.z" and row.curves[0].values[0] == pytest.approx(3.0)
    assert row.thresholds[0].label == "2 * 2 m = 4 m"


def test_a_flag_has_truth_and_no_numbers(drawn):
    (found,) = drawn(landing(), "eventually[0 s, 6 s] contact")
    assert [row.has_numbers for row in found.rows] == [False, False]
    assert found.verdict is Status.TRUE and found.robustness == np.inf and found.worst is None


def test_mixed_units_are_told_and_stay_in_si(drawn):
    (found,) = drawn(landing(), "always (near_ground implies tilt < 5 deg)")
    assert found.rows[1].unit.mixed and found.rows[1].unit.factor == 1.0
    assert not found.unit.mixed, "the robustness is one comparison's margin, and has its unit"


def test_a_formula_with_too_many_parts_says_what_is_left_out_and_keeps_the_comparisons(drawn):
    many = " and ".join(f"(once[0 s, {i} s] (altitude < {i + 10} m))" for i in range(1, 10))
    (found,) = drawn(landing(), f"always ({many})")
    assert len(found.rows) == MAX_ROWS
    assert sum(row.kind == "predicate" for row in found.rows) == 9
    assert len(found.left_out) + len(found.rows) - 1 == 8 + 9 + 9
    assert set(found.left_out).isdisjoint(texts(found)[2:])


# ---------------------------------------------------------------- against the evaluation
@pytest.mark.parametrize(
    "formula",
    [
        "always (near_ground implies settled(v_max))",
        "always (altitude > 1 m implies (speed > 0.1 m/s until[0 s, 5 s] near_ground))",
        "always (contact implies (near_ground since[0 s, 1 s] (speed > 0.1 m/s)))",
        "always (rise(contact) implies eventually[0 s, 1 s] settled(0.1 m/s))",
    ],
)
def test_rows_say_what_the_offline_evaluation_says(drawn, formula):
    recording = landing()
    (found,) = drawn(recording, formula)
    (requirement,) = stl.bind([assertion_file(formula)], TABLE, HZ)
    parts = {getattr(part, "text", ""): part for part in walk(requirement.formula.arguments[0])}
    for row in found.rows[1:]:
        verdict = stl.verdicts(parts[row.text], recording.signals, 1 / HZ)
        for ours, theirs in ((row.rho, verdict.rho), (row.rho_lo, verdict.rho_lo), (row.rho_hi, verdict.rho_hi)):
            np.testing.assert_allclose(ours * row.unit.factor, np.asarray(theirs), rtol=1e-6)
        plain = np.where(row.status == Status.VACUOUS, TRUE, row.status)
        expected = np.asarray(verdict.status)
        np.testing.assert_array_equal(plain, np.where(expected == Status.VACUOUS, TRUE, expected))


# ---------------------------------------------------------------- verdicts and instants
def test_a_kept_promise_is_open_until_the_end(drawn):
    (found,) = drawn(landing(), "always (speed < v_max)")
    top = found.rows[0]
    assert found.verdict is Status.TRUE and found.violation is None
    assert top.status.tolist() == [UNKNOWN] * 60 + [TRUE]
    assert np.isneginf(top.rho_lo[:-1]).all() and top.rho_lo[-1] == top.rho[-1] == pytest.approx(0.1)


def test_a_violation_is_told_in_its_tick_and_latched(drawn):
    recording = with_signal(landing(), "speed", slice(20, 23), 0.7)
    recording = with_signal(recording, "speed", 22, 0.9)
    (found,) = drawn(recording, "always (speed < v_max)")
    assert (found.verdict, found.violation, found.worst) == (Status.FALSE, 20, 22)
    assert found.robustness == pytest.approx(-0.4) and found.cause == "speed < v_max"
    assert found.rows[0].status.tolist() == [UNKNOWN] * 20 + [FALSE] * 41
    assert np.flatnonzero(found.strip == FALSE).tolist() == [20, 21, 22]
    row = found.rows[1]
    assert (row.mark, row.why, row.binding) == (22, "worst", True)
    assert "worst: 'speed < v_max' at 2.2 s (tick 22)" in found.reason


def test_the_clause_that_broke_is_marked_beside_the_worst_one(drawn):
    recording = with_signal(landing(), "tilt", slice(46, 50), np.radians(6.0))
    recording = with_signal(recording, "tilt", 49, np.radians(60.0))
    (found,) = drawn(recording, "always (near_ground implies tilt < 5 deg)")
    assert found.violation == 46 and found.cause == "tilt < 5 deg"
    assert {row.text: row.why for row in found.rows}["near_ground"] == "worst"


def test_where_nothing_was_asked_the_strip_says_so(drawn):
    (found,) = drawn(landing(), "always (near_ground implies speed < v_max)")
    asked = np.float32(landing().signals["altitude"]) < np.float32(0.3)
    assert (found.strip == np.where(asked, TRUE, int(Status.VACUOUS))).all()
    assert found.verdict is Status.TRUE


def test_a_trigger_that_never_came_true_is_vacuous(drawn):
    (found,) = drawn(landing(), "always (altitude > 9 m implies speed < v_max)")
    assert found.verdict is Status.VACUOUS and set(found.strip.tolist()) == {int(Status.VACUOUS)}


def test_a_vacuous_verdict_is_drawn_as_vacuous_in_every_sample(drawn):
    """Once decided it is true in flight, but nothing was asked for: no part of the strip says `true`."""
    vacuous = {int(Status.VACUOUS)}
    once, windowed, both = drawn(
        landing(),
        "contact implies eventually[0 s, 2 s] (altitude < 1 m)",
        "always[0 s, 3 s] (contact implies speed < v_max)",
        "always ((contact and altitude > 9 m implies speed < v_max) and (altitude > 8 m implies speed < v_max))",
    )
    assert {found.verdict for found in (once, windowed, both)} == {Status.VACUOUS}
    assert set(once.strip.tolist()) == set(once.rows[0].status.tolist()) == vacuous
    assert set(windowed.strip.tolist()) == {UNKNOWN} | vacuous and set(both.strip.tolist()) == vacuous


def test_nothing_that_was_kept_is_called_worst_or_decided(drawn):
    (found,) = drawn(landing(), "always (altitude < 5 m)")
    assert found.reason == "closest: 'altitude < 5 m' at 0 s (tick 0)"
    assert {row.why for row in found.rows} == {"closest"} and found.rows[1].mark == 0


def test_a_sample_without_a_value_is_invalid_and_no_number_stands_for_it(drawn):
    (found,) = drawn(with_signal(landing(), "altitude", slice(30, 32), np.nan), "always (altitude < 5 m)")
    assert (found.verdict, found.violation, found.worst) == (Status.INVALID, 30, None)
    assert np.isnan(found.robustness) and found.cause == "altitude < 5 m"
    row = found.rows[1]
    assert np.flatnonzero(np.isnan(row.rho)).tolist() == [30, 31]
    assert (row.status[30:32] == Status.INVALID).all() and (row.status[32:] == TRUE).all()


def test_a_window_past_the_end_is_unknown_with_its_band(drawn):
    (found,) = drawn(landing(), "always (near_ground implies always[0 s, 2 s] (speed < v_max))")
    row = next(r for r in found.rows if r.text.startswith("always[0"))
    assert row.status[-1] == UNKNOWN and np.isneginf(row.rho_lo[-1]) and row.rho_hi[-1] == pytest.approx(0.5)


def test_what_no_monitor_can_judge_is_decided_at_the_end(drawn):
    (found,) = drawn(landing(), "always (contact implies eventually (speed > 1 m/s))")
    assert found.verdict is Status.FALSE and found.violation == 60
    assert set(found.rows[0].status[:-1].tolist()) == {UNKNOWN}


def test_a_violation_is_known_as_soon_as_the_judge_of_recordings_knows_it(drawn):
    recording = with_signal(landing(), "altitude", slice(20, None), 9.0)
    (found,) = drawn(recording, "always ((altitude < 4 m) until (always (altitude < 4 m)))")
    assert found.verdict is Status.FALSE and found.violation == 20
    assert found.rows[0].status.tolist() == [UNKNOWN] * 20 + [Status.FALSE] * 41


def test_two_calls_beside_each_other_are_no_definition(drawn):
    (found,) = drawn(landing(), "always (settled(v_max) and settled(0.6 m/s))")
    meanings = {row.text: row.meaning for row in found.rows}
    assert meanings["settled(v_max)"] == "speed < v and tilt < 5 deg"
    assert meanings["settled(v_max) and settled(0.6 m/s)"] == ""


def test_a_formula_without_signals_is_drawn_too(drawn):
    (found,) = drawn(landing(), "always (true)")
    assert found.verdict is Status.TRUE and not found.rows[-1].has_numbers


def test_one_sample_is_enough(drawn):
    (found,) = drawn(landing(0.0), "always (speed < v_max)")
    assert found.verdict is Status.TRUE and len(found.t_s) == 1


# ---------------------------------------------------------------- bad input
def test_a_recording_without_samples_or_signals_is_refused(drawn):
    empty = landing()
    empty = dataclasses.replace(empty, t_s=empty.t_s[:0], signals={k: v[:0] for k, v in empty.signals.items()})
    with pytest.raises(InputError, match="a landing has no samples"):
        drawn(empty, "always (speed < v_max)")
    bare = dataclasses.replace(landing(), signals={"altitude": landing().signals["altitude"]})
    with pytest.raises(UnknownSignalError, match="no signal 'speed'; it has altitude"):
        drawn(bare, "always (speed < v_max)")


def test_nothing_asked_is_nothing_drawn():
    assert timelines([], [], landing()) == ()


# ---------------------------------------------------------------- where a label stands
def test_a_label_stays_inside_and_off_the_line(drawn):
    recording = with_signal(landing(), "speed", slice(0, 60), 0.0)
    (found,) = drawn(with_signal(recording, "speed", 60, 0.45), "always (speed < v_max)")
    row = found.rows[1]
    assert row.mark == 60
    assert free_corner(row, found.t_s, 60, 30) == (False, False), "right is the edge, above is the limit"
    (found,) = drawn(with_signal(recording, "speed", 0, 0.45), "always (speed < v_max)")
    assert free_corner(found.rows[1], found.t_s, 0, 30) == (True, False)
