"""The twin on the test stand gives back what is built into it."""

import numpy as np
import pytest

from healing_runtime.brains.embedded import identify
from healing_runtime.brains.embedded.rollout import Draws
from healing_runtime.core.plant import Twin
from healing_runtime.core.records import Scenario


def scenario(hopper, **changes):
    values = {
        "name": "s", "robot": "hopper", "controller": "c", "assertions": (), "mission": None, "duration_ticks": 100,
        "control_hz": hopper.hz, "physics_hz": hopper.hz, "seed": 0, "environment": {},
        "initial": {"altitude_m": 100.0, "velocity_mps": -1.0},
    }  # fmt: skip
    return Scenario(**(values | changes))


def bench_of(twin, table):
    return identify.Bench(twin, Draws(twin).nominal, table, 16)


def test_axes_are_found_by_shape_and_unit(hopper):
    known = identify.axes(hopper.table.observed)
    assert (known.height.key, known.climb.key) == ("altitude_m", "velocity_mps")
    assert known.position is known.attitude is known.turning is None


def test_trim_effect_and_lag_are_measured(hopper):
    bench = bench_of(hopper.robot.make_twin(scenario(hopper)), hopper.table)
    effect = identify.identify(bench, 1.0 / hopper.hz)
    assert effect.trim == pytest.approx(hopper.mass_kg * hopper.gravity_mps2, rel=1e-3)
    assert effect.exponent == 1
    np.testing.assert_allclose(effect.gain, [[1.0 / hopper.mass_kg]], rtol=1e-2)
    assert effect.free == pytest.approx(-hopper.gravity_mps2, rel=1e-3)
    assert effect.lag_s == pytest.approx(hopper.lag_s, abs=0.6 / hopper.hz)


def test_a_robot_that_cannot_hover_has_no_effect(hopper):
    twin = hopper.robot.make_twin(scenario(hopper))
    weak = Twin(twin.draw, twin.init, lambda s, a, d: twin.step(s, 0.1 * a, d), twin.observe, twin.truth)
    assert identify.identify(bench_of(weak, hopper.table), 1.0 / hopper.hz) is None


def test_a_command_that_pushes_down_is_seen_as_such(hopper):
    twin = hopper.robot.make_twin(scenario(hopper))
    turned = Twin(twin.draw, twin.init, lambda s, a, d: twin.step(s, 60.0 - a, d), twin.observe, twin.truth)
    effect = identify.identify(bench_of(turned, hopper.table), 1.0 / hopper.hz)
    assert effect.trim == pytest.approx(60.0 - hopper.mass_kg * hopper.gravity_mps2, rel=1e-3)
    assert effect.gain[0, 0] < 0.0
