"""The JAX twins against PyBullet, which alone decides.

Stated tolerances. Quadrotor in free flight: position 2 mm, velocity and speed 5 mm/s, tilt 5 mrad, body rates
0.02 rad/s, after two seconds of restless actions and after four of wide ones from a tilted start, with any of the
twin's disturbances; with a lost rotor it tumbles, and four seconds of that are worth 6 cm and 0.06 rad. (Precession is
Bullet's explicit step up to 10 rad/s, and exact beyond, in both.)
Landers in free flight: the equations are the same, 1e-9 of every
signal's scale in double precision; in single, heights and places to 2 cm, speeds to 1 mm/s, fuel to 30 g after twenty
seconds. Landing: touchdown speed within 5 cm/s, the land detector within five ticks (planar lander: within a second,
for it rocks). Disturbances: within 2 % of the fault's effect. The cart and its pole, free, driven, with faults and in
the buffers: 1e-9 of every signal's scale within three seconds in double precision; 5e-4 within one second in single (a
pole near upright makes 60 of every error in a second).
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from healing_runtime.core.records import FaultSpec

HOVER = 1515.6443359717355


_flights = {}


def settled(tree):
    """Arrays whose types are all their own: one made of a Python number has a weak one, and is compiled for anew."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, leaf.dtype), tree)


def run_twin(bench, chosen, actions, disturb=lambda d: d):
    """Truth rows of the undisturbed twin, one a tick and one after the last. One compilation a robot and length."""
    twin = bench.robot.make_twin(chosen)
    key = jax.random.key(0)
    disturbance = settled(disturb(twin.draw(key, 0.0)))
    state = settled(twin.init(key, disturbance))
    known = (bench.robot.name, len(actions), str(state.tick.dtype))
    if known not in _flights:

        @jax.jit
        def fly(state, disturbance, actions):
            def tick(state, action):
                state = twin.step(state, action, disturbance)
                return state, twin.truth(state)

            _, rows = jax.lax.scan(tick, state, actions)
            return jnp.concatenate([twin.truth(state)[None], rows])

        _flights[known] = fly
    return np.asarray(_flights[known](state, disturbance, jnp.asarray(actions)), dtype=np.float64)


def columns(bench, rows, name):
    signal = bench.robot.signals.true.by_name[name]
    out = rows[:, bench.robot.signals.true.slices[name]]
    return out if signal.shape else out[:, 0]


@pytest.mark.parametrize("options", [
    {"position_m": (0.1, -0.2, 50.0)},
    {"position_m": (0, 0, 50.0), "velocity_mps": (2.0, -1.0, 0.5), "attitude_rpy_deg": (10, -20, 70),
     "angular_velocity_radps": (1.0, -2.0, 1.5)},
])  # fmt: skip
def test_quadrotor_in_free_flight(quadrotor, wander, options):
    chosen = quadrotor.scenario(seconds=2, **options)
    actions = wander(quadrotor, chosen.duration_ticks)
    log = quadrotor.fly(chosen, actions)
    rows = run_twin(quadrotor, chosen, actions)
    assert np.ptp(log.tilt) > 0.2, "the flight must be a lively one"
    tolerances = {"position": 2e-3, "velocity": 5e-3, "speed": 5e-3, "altitude": 2e-3, "tilt": 5e-3}
    for name, tolerance in {**tolerances, "angular_velocity": 2e-2, "rotor_speed": 0.05}.items():
        difference = np.abs(columns(quadrotor, rows, name) - getattr(log, name)).max()
        assert difference < tolerance, f"{name}: {difference}"


def test_quadrotor_ground_effect_and_hover_near_the_ground(quadrotor):
    chosen = quadrotor.scenario(seconds=1, position_m=(0, 0, 0.08))
    actions = np.full((chosen.duration_ticks, 4), 0.97 * HOVER)
    log = quadrotor.fly(chosen, actions)
    rows = run_twin(quadrotor, chosen, actions)
    assert np.abs(columns(quadrotor, rows, "altitude") - log.altitude).max() < 1e-3
    assert log.contact.max() == 0


@pytest.mark.parametrize(
    ("kind", "parameters", "field"),
    [
        ("rotor_efficiency", {"rotor": 1, "value": 0.9}, {"rotor_loss": (0.0, 0.1, 0.0, 0.0)}),
        ("payload", {"mass_kg": 0.003}, {"mass_kg": 0.03}),
        ("rotor_lag", {"value_s": 0.06}, {"lag_s": 0.06}),
        ("side_force", {"force_n": (0.01, 0.02, -0.01)}, {"force_n": (0.01, 0.02, -0.01)}),
        ("wind", {"velocity_mps": (2.0, -1.0, 0.0)}, {"wind_mps": (2.0, -1.0)}),
    ],
)
def test_the_twins_disturbances_mean_what_the_faults_mean(quadrotor, kind, parameters, field):
    chosen = quadrotor.scenario(seconds=1, position_m=(0, 0, 50.0), faults=[(kind, parameters)])
    nominal = quadrotor.scenario(seconds=1, position_m=(0, 0, 50.0))
    actions = np.full((chosen.duration_ticks, 4), HOVER) * np.array([1.0, 1.0, 1.002, 1.002])
    log = quadrotor.fly(chosen, actions)
    healthy = quadrotor.fly(nominal, actions)
    as_arrays = jax.tree.map(jnp.asarray, field, is_leaf=lambda x: isinstance(x, float))
    rows = run_twin(quadrotor, nominal, actions, lambda d: d._replace(onset_s=jnp.zeros(()), **as_arrays))
    effect = np.abs(log.truth[12, :13] - healthy.truth[12, :13]).max()
    error = np.abs(rows[12, :13] - log.truth[12, :13]).max()
    assert effect > 5e-4
    assert error < 0.02 * effect + 2e-4


def test_quadrotor_touchdown_and_land_detector(quadrotor):
    chosen = quadrotor.scenario(seconds=2, position_m=(0, 0, 0.1))
    actions = np.concatenate([np.full((24, 4), 0.9 * HOVER), np.zeros((72, 4))])
    log = quadrotor.fly(chosen, actions)
    rows = run_twin(quadrotor, chosen, actions)
    assert columns(quadrotor, rows, "touchdown_speed")[-1] == pytest.approx(log.touchdown_speed[-1], abs=0.05)
    first = [int(np.argmax(x)) for x in (columns(quadrotor, rows, "landed"), log.landed)]
    assert min(first) > 0
    assert abs(first[0] - first[1]) <= 5
    assert columns(quadrotor, rows, "altitude")[-1] == pytest.approx(log.altitude[-1], abs=1e-3)


def arrays(field):
    return jax.tree.map(jnp.asarray, dict(field), is_leaf=lambda x: isinstance(x, float))


def differences(bench, chosen, actions, field=(), names=None):
    """Largest difference of each true signal between PyBullet with the faults and the twin with the disturbance."""
    log = bench.fly(chosen, actions)
    nominal = dataclasses.replace(chosen, faults=())
    given = {"onset_s": 0.0, **dict(field)}
    rows = run_twin(bench, nominal, actions, lambda d: d._replace(**arrays(given)))
    names = names or [s.name for s in bench.robot.signals.true if not s.name.endswith("_age")]
    return log, {name: float(np.abs(columns(bench, rows, name) - getattr(log, name)).max()) for name in names}


QUADROTOR_FAULTS = {
    "none": ([], {}),
    "rotor loss": ([("rotor_efficiency", {"rotor": 1, "value": 0.93})], {"rotor_loss": (0.0, 0.07, 0.0, 0.0)}),
    "load": ([("payload", {"mass_kg": 0.004})], {"mass_kg": 0.031}),
    "lag": ([("rotor_lag", {"value_s": 0.06})], {"lag_s": 0.06}),
    "side force": ([("side_force", {"force_n": (0.05, -0.04, 0.03)})], {"force_n": (0.05, -0.04, 0.03)}),
    "wind": ([("wind", {"velocity_mps": (5.0, -4.0, 0.0)})], {"wind_mps": (5.0, -4.0)}),
}


@pytest.mark.parametrize("name", QUADROTOR_FAULTS)
def test_quadrotor_with_what_may_be_wrong_for_long(quadrotor, name):
    """Wide actions from a tilted start: it turns over, and with a lost rotor it spins at 25 rad/s."""
    faults, field = QUADROTOR_FAULTS[name]
    start = {"velocity_mps": (1.0, -2.0, 0.5), "attitude_rpy_deg": (35, -25, 120)}
    chosen = quadrotor.scenario(
        seconds=4, faults=faults, position_m=(0, 0, 100.0), angular_velocity_radps=(1.0, -1.0, 2.0), **start
    )
    rng = np.random.default_rng(3)
    ticks = chosen.duration_ticks
    actions = HOVER * (rng.uniform(0.6, 1.45, (ticks, 1)) + rng.normal(0.0, 0.02, (ticks, 4)))
    tolerances = {"position": 2e-3, "velocity": 5e-3, "speed": 5e-3, "tilt": 5e-3, "angular_velocity": 2e-2}
    if name == "rotor loss":
        tolerances |= {"position": 0.06, "velocity": 0.06, "speed": 0.06, "tilt": 0.06}
    log, found = differences(quadrotor, chosen, actions, field, tolerances)
    assert log.tilt.max() > 1.5 and log.contact.max() == 0
    for signal, tolerance in tolerances.items():
        assert found[signal] < tolerance, f"{signal}: {found[signal]}"


LANDER_FAULTS = {
    "none": ([], {}),
    "weak engine": ([("force_saturation", {"value": 0.6})], {"thrust_loss": 0.4}),
    "load": ([("payload", {"mass_kg": 150.0})], {"payload_kg": 150.0}),
}
LANDER_SINGLE = {"altitude": 2e-2, "velocity": 1e-3, "fuel": 3e-2}
PLANAR_FAULTS = {
    **LANDER_FAULTS,
    "side force": ([("side_force", {"force_n": (200.0, 0.0, -90.0)})], {"force_n": (200.0, -90.0)}),
}
PLANAR_SINGLE = {**LANDER_SINGLE, "position": 2e-2, "pitch_rate": 1e-5}


def falling(bench):
    """Twenty seconds of wide actions, high up; the planar lander starts leaning and turning."""
    start = {"altitude_m": 2000.0}
    if bench.robot.name == "lander_planar":
        lean = {"pitch_deg": 25.0, "pitch_rate_radps": -0.2}
        start = {"position_m": (0.0, 2000.0), "velocity_mps": (3.0, -8.0), **lean}
    chosen = bench.scenario(seconds=20, **start)
    action = bench.robot.signals.action
    return chosen, np.random.default_rng(9).uniform(action.low, action.high, (chosen.duration_ticks, action.size))


CASES = [("lander", name) for name in LANDER_FAULTS] + [("lander_planar", name) for name in PLANAR_FAULTS]


@pytest.mark.parametrize(("robot", "name"), CASES)
def test_landers_in_free_flight(request, robot, name):
    bench = request.getfixturevalue(robot)
    faults, field = (PLANAR_FAULTS if robot == "lander_planar" else LANDER_FAULTS)[name]
    chosen, actions = falling(bench)
    faulty = dataclasses.replace(chosen, faults=tuple(FaultSpec(*fault) for fault in faults))
    with jax.enable_x64(True):
        log, exact = differences(bench, faulty, actions, field)
    assert log.contact.max() == 0
    for signal in bench.robot.signals.true:
        assert exact.get(signal.name, 0.0) < 1e-9 * signal.scale, signal.name
    healthy = bench.fly(chosen, actions)
    assert name == "none" or np.abs(healthy.velocity - log.velocity).max() > 1.0, "the fault must show"
    if robot == "lander_planar":
        assert log.tilt.max() > 1.0
    single = PLANAR_SINGLE if robot == "lander_planar" else LANDER_SINGLE
    _, rounded = differences(bench, faulty, actions, field, single)
    for signal, tolerance in single.items():
        assert rounded[signal] < tolerance, f"{signal}: {rounded[signal]}"


def test_planar_lander_touchdown(lander_planar):
    """The first contact; the rocking that follows is no part of the sketch."""
    start = {"position_m": (0.0, 8.0), "velocity_mps": (0.5, -2.0), "pitch_deg": 3.0}
    chosen = lander_planar.scenario(seconds=8, **start)
    actions = np.tile([900.0, 0.0], (chosen.duration_ticks, 1))
    actions[40:] = 0.0
    log = lander_planar.fly(chosen, actions)
    rows = run_twin(lander_planar, chosen, actions)
    touch = int(np.argmax(log.contact))
    for name, tolerance in (("touchdown_speed", 0.05), ("touchdown_sideways", 0.05), ("touchdown_tilt", 0.01)):
        assert columns(lander_planar, rows, name)[-1] == pytest.approx(getattr(log, name)[touch], abs=tolerance)
    first = [int(np.argmax(x)) for x in (columns(lander_planar, rows, "landed"), log.landed)]
    assert min(first) > 0
    assert abs(first[0] - first[1]) <= 20, "the real one rocks"
    assert columns(lander_planar, rows, "altitude")[-1] == pytest.approx(log.altitude[-1], abs=1e-3)


@pytest.mark.parametrize("thrust_n", [0.0, 1400.0])
def test_lander_touchdown(lander, thrust_n):
    chosen = lander.scenario(seconds=8, altitude_m=10.0, velocity_mps=-3.0)
    actions = np.full((chosen.duration_ticks, 1), thrust_n)
    actions[50:] = 0.0
    log = lander.fly(chosen, actions)
    rows = run_twin(lander, chosen, actions)
    assert columns(lander, rows, "touchdown_speed")[-1] == pytest.approx(log.touchdown_speed.max(), abs=0.05)
    first = [int(np.argmax(x)) for x in (columns(lander, rows, "landed"), log.landed)]
    assert min(first) > 0
    assert abs(first[0] - first[1]) <= 5


# One compilation for all of these: what differs is state, actions and disturbance alone.
CARTPOLE_STARTS = {
    "free, from nearly upright": ({"pole_angle_deg": 5.0}, 0.0),
    "free, from hanging": ({"pole_angle_deg": 170.0, "pole_rate_radps": 3.0, "cart_velocity_mps": -0.2}, 0.0),
    "driven": ({"pole_angle_deg": -20.0, "cart_position_m": 0.5}, 6.0),
    "driven hard, into the buffers": ({"pole_angle_deg": 150.0, "cart_position_m": 2.0, "cart_velocity_mps": 2}, 12.0),
}
CARTPOLE_FAULTS = {
    "none": ([], {}),
    "weak motor": ([("force_saturation", {"value": 0.4})], {"force_loss": 0.6}),
    "load": ([("payload", {"mass_kg": 0.7})], {"payload_kg": 0.7}),
    "heavy pole": ([("pole_mass", {"mass_kg": 0.45})], {"pole_mass_kg": 0.45}),
    "push": ([("push", {"force_n": -0.8}, 0, 100)], {"push_n": -0.8, "push_s": 0.4}),
    "delay of less than a period": ([("actuator_delay", {"value_s": 0.012})], {"delay_s": 0.012}),
    "delay of several periods": ([("actuator_delay", {"value_s": 0.072})], {"delay_s": 0.072}),
}


def cartpole_pair(cartpole, start, amplitude, faults=(), field=(), seed=0, seconds=3):
    """Truth rows of PyBullet and of the twin, in units of the signals' scales, without the ages."""
    chosen = cartpole.scenario(seconds=seconds, faults=faults, **start)
    actions = np.random.default_rng(seed).uniform(-amplitude, amplitude, (chosen.duration_ticks, 1))
    log = cartpole.fly(chosen, actions)
    twin = cartpole.robot.make_twin(cartpole.scenario(seconds=seconds))
    key = jax.random.key(0)
    given = {name: jnp.asarray(value) for name, value in dict(field).items()}
    disturbance = settled(twin.draw(key, 0.0)._replace(onset_s=jnp.zeros(()), **given))
    state = settled(twin.init(key, disturbance))
    x, v, angle, rate = (jnp.asarray(value, state.tick.dtype) for value in log.truth[0, :4])
    state = state._replace(position_m=x, velocity_mps=v, angle_rad=angle, rate_radps=rate)
    known = ("cartpole", len(actions), str(state.tick.dtype))
    if known not in _flights:

        @jax.jit
        def fly(state, disturbance, actions):
            def tick(state, action):
                state = twin.step(state, action, disturbance)
                return state, twin.truth(state)

            return jnp.concatenate([twin.truth(state)[None], jax.lax.scan(tick, state, actions)[1]])

        _flights[known] = fly
    rows = np.asarray(_flights[known](state, disturbance, jnp.asarray(actions)), np.float64)
    scale = np.array([s.scale for s in cartpole.robot.signals.true if not s.name.endswith("_age")])
    return log, log.truth[:, : scale.size] / scale, rows[:, : scale.size] / scale


@pytest.mark.parametrize("name", CARTPOLE_STARTS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_cartpole_free_and_driven(cartpole, name, seed):
    with jax.enable_x64(True):
        log, flown, rows = cartpole_pair(cartpole, *CARTPOLE_STARTS[name], seed=seed)
    assert log.contact.max() == ("buffers" in name)
    assert np.abs(rows - flown).max() < 1e-9
    _, flown, rows = cartpole_pair(cartpole, *CARTPOLE_STARTS[name], seed=seed, seconds=1)
    assert np.abs(rows - flown).max() < 5e-4


@pytest.mark.parametrize("name", CARTPOLE_FAULTS)
def test_cartpole_with_what_may_be_wrong(cartpole, name):
    faults, field = CARTPOLE_FAULTS[name]
    with jax.enable_x64(True):
        _, flown, rows = cartpole_pair(cartpole, *CARTPOLE_STARTS["driven"], faults, field, seed=4)
    healthy = cartpole_pair(cartpole, *CARTPOLE_STARTS["driven"], seed=4, seconds=1)[1]
    assert np.abs(rows - flown).max() < 1e-9
    assert name == "none" or np.abs(healthy - flown[: len(healthy)]).max() > 1e-2, "the fault must show"


def test_vectors_have_the_layouts_of_the_signal_table(bench):
    chosen = bench.scenario(seconds=1)
    twin = bench.robot.make_twin(chosen)
    disturbance = twin.draw(jax.random.key(1), 0.0)
    state = twin.init(jax.random.key(2), disturbance)
    bench.plant.reset(chosen, 0)
    assert np.asarray(twin.observe(state, disturbance)) == pytest.approx(bench.plant.observe(), abs=1e-6)
    assert np.asarray(twin.truth(state)) == pytest.approx(bench.plant.truth(), abs=1e-3)


def test_strength_scales_the_prior_and_zero_is_the_nominal_robot(bench):
    twin = bench.robot.make_twin(bench.scenario(seconds=1))
    keys = jax.random.split(jax.random.key(3), 64)

    @jax.jit
    @jax.vmap
    def start(key, strength):
        disturbance = twin.draw(key, strength)
        state = twin.init(key, disturbance)
        return twin.truth(state), twin.observe(state, disturbance)

    def spread(strength):
        states, readings = start(keys, jnp.full(64, strength))
        return np.ptp(states, axis=0).max(), np.ptp(readings, axis=0).max()

    none, some, more = spread(0.0), spread(0.5), spread(1.0)
    assert none == (0.0, 0.0)
    assert 0 < some[0] < more[0]
    assert 0 < some[1] < more[1]


def test_a_batch_agrees_with_single_runs(bench, wander):
    chosen = bench.scenario(seconds=0.5)
    twin = bench.robot.make_twin(chosen)
    actions = jnp.asarray(wander(bench, chosen.duration_ticks))

    def fly(key):
        disturbance = twin.draw(key, 1.0)
        state = twin.init(key, disturbance)
        state, _ = jax.lax.scan(lambda s, a: (twin.step(s, a, disturbance), None), state, actions)
        return twin.truth(state)

    keys = jax.random.split(jax.random.key(4), 8)
    batch = np.asarray(jax.jit(jax.vmap(fly))(keys))
    single = jax.jit(fly)
    singles = np.asarray([single(key) for key in keys])
    assert np.all(np.isfinite(batch))
    assert batch == pytest.approx(singles, rel=1e-3, abs=2e-3)
    assert np.std(batch, axis=0).max() > 1e-3
