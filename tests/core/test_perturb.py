"""Drawing neighbours of a scenario."""

from __future__ import annotations

import dataclasses

import numpy as np

from healing_runtime.core.perturb import draw, drawn
from healing_runtime.core.records import Distribution, FaultSpec, Perturbation, Scenario

NOMINAL = Scenario(
    name="cart/drop",
    robot="cart",
    controller="cart/still",
    assertions=(),
    mission=None,
    duration_ticks=20,
    control_hz=10,
    physics_hz=40,
    seed=1,
    initial={"position_m": (0.0, 0.0, 0.01), "fuel_kg": 1.0},
    environment={"gravity_mps2": 9.81, "pad": {"friction": 0.95}},
    faults=(
        FaultSpec("wind", {"speed_mps": 3.0, "axis": 1}, start_step=40, until_step=60),
        FaultSpec("lag", {"value": 0.1}, start_step=8),
    ),
    perturb=Perturbation(
        {"position_m": Distribution("normal", 0.1, floor=(-1.0, -1.0, 0.0), ceiling=(1.0, 1.0, 1.0))},
        {"pad.friction": Distribution("uniform", low=-0.2, high=0.2, floor=0.0, ceiling=1.0)},
        {
            "wind.speed_mps": Distribution("uniform", low=-5.0, high=5.0, floor=0.0, ceiling=6.0),
            "start": Distribution("uniform", low=0.0, high=2.0, absolute=True),
        },
    ),
)


def draws(count: int = 400, scenario: Scenario = NOMINAL) -> list[Scenario]:
    rng = np.random.default_rng(3)
    return [draw(scenario, rng) for _ in range(count)]


def test_a_draw_depends_on_the_generator_alone():
    assert draws(5) == draws(5)
    shuffled = dataclasses.replace(
        NOMINAL,
        perturb=Perturbation(
            NOMINAL.perturb.initial,
            NOMINAL.perturb.environment,
            dict(reversed(list(NOMINAL.perturb.faults.items()))),
        ),
    )
    assert [d.faults for d in draws(5, shuffled)] == [d.faults for d in draws(5)]


def test_draws_stay_physical():
    for scenario in draws():
        x, y, z = scenario.initial["position_m"]
        assert z >= 0.0
        assert -1.0 <= x <= 1.0 and -1.0 <= y <= 1.0
        assert 0.75 <= scenario.environment["pad"]["friction"] <= 1.0
        assert 0.0 <= scenario.faults[0].parameters["speed_mps"] <= 6.0
        assert 0 <= scenario.faults[0].start_step <= 79


def test_what_is_not_perturbed_stays():
    for scenario in draws(20):
        assert scenario.initial["fuel_kg"] == 1.0
        assert scenario.environment["gravity_mps2"] == 9.81
        assert scenario.faults[0].parameters["axis"] == 1
        assert scenario.faults[1].parameters == {"value": 0.1}


def test_the_onset_covers_the_flight_and_keeps_the_length():
    onsets = [s.faults[0].start_step for s in draws()]
    assert min(onsets) <= 4 and max(onsets) >= 76
    assert abs(np.mean(onsets) - 40) < 4
    assert all(s.faults[0].until_step == s.faults[0].start_step + 20 for s in draws(20))
    assert len({(s.faults[0].start_step, s.faults[1].start_step) for s in draws(20)}) > 10


def test_distributions_have_their_moments():
    x = np.array([s.initial["position_m"][0] for s in draws(2000)])
    assert abs(x.mean()) < 0.01
    assert abs(x.std() - 0.1) < 0.01


def test_every_draw_has_a_seed_of_its_own():
    seeds = [s.seed for s in draws(50)]
    assert len(set(seeds)) == 50
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_without_a_perturbation_only_the_seed_changes():
    nominal = dataclasses.replace(NOMINAL, perturb=Perturbation())
    (drawn,) = draws(1, nominal)
    assert dataclasses.replace(drawn, seed=nominal.seed) == nominal


def test_an_onset_may_also_be_an_offset():
    perturb = Perturbation(faults={"lag.start": Distribution("normal", 0.05)})
    nominal = dataclasses.replace(NOMINAL, perturb=perturb)
    starts = [s.faults[1].start_step for s in draws(200, nominal)]
    assert abs(np.mean(starts) - 8) < 1
    assert all(s.faults[0].start_step == 40 for s in draws(5, nominal))


def test_what_a_draw_moves_is_named():
    names = {"position_m", "pad.friction", "faults[0].speed_mps", "faults[0].start", "faults[1].start"}
    assert set(drawn(NOMINAL)) == names


def test_where_a_draw_moves_nothing_neighbours_differ_in_their_noise_alone():
    still = Perturbation(
        {"fuel_kg": Distribution("normal", 0.0)}, {}, {"rain.value": Distribution("uniform", low=0.0, high=9.0)}
    )
    for perturbation in (Perturbation(), still):
        nominal = dataclasses.replace(NOMINAL, perturb=perturbation)
        assert drawn(nominal) == ()
        first, second = draws(2, nominal)
        assert first.seed != second.seed
        assert dataclasses.replace(first, seed=0) == dataclasses.replace(second, seed=0)
