"""P1: what supervision adds to one control tick."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from flying import Course, assertion_file, course, program
from jax import export as jax_export
from jax.experimental import checkify
from measuring import Result, in_turns, main, spread

from healing_runtime.compile import export, inlet
from healing_runtime.compile.interface import ProgramInterface
from healing_runtime.compile.programs import Program
from healing_runtime.compile.vectors import join, part

TICKS = 2000
ROUNDS = 41
INSTANT = (
    "always (tilt < 80 deg)",
    "always (speed < 20 m/s)",
    "always (altitude < 50 m)",
    "always (descent_rate < 10 m/s)",
    "always (altitude > -1 m)",
)
TEMPORAL = (
    "always (contact implies eventually[0 s, 1 s] (speed < 5 m/s))",
    "always (historically[0 s, 0.5 s] (tilt < 80 deg))",
    "always ((altitude < 0.3 m) implies once[0 s, 2 s] (descent_rate < 5 m/s))",
    "always ((held_for[0.5 s] contact) implies speed < 5 m/s)",
    "always (rise(contact) implies always[0 s, 1 s] (tilt < 80 deg))",
)


def controller_alone(flown: Course) -> Program:
    """The same controller under the same calling convention: donated carry, one packed array, nothing judged."""
    exported = export.export_controller(flown.traced, None, flown.scenario.control_hz)
    control = jax_export.deserialize(bytearray(exported.control))

    dtype = np.dtype(flown.scenario.dtype)
    table = flown.robot.signals
    floats = exported.state.floats.size

    def tick(params: Any, memory: Any, sample: Any) -> tuple[Any, Any]:
        state, action, _ = control.call(params, part(memory, floats, dtype), sample[: table.observed.size])
        return join(state), action

    sample = np.zeros(table.observed.size + table.true.size, dtype)
    arguments = (exported.params, exported.state.joined(), sample)
    compiled = jax.jit(tick, donate_argnums=(1,)).lower(*arguments).compile()
    return Program(compiled, cast(ProgramInterface, None), exported.params, exported.state, "")


def checked_alone(flown: Course) -> Program:
    """The controller with the five instant assertions as `jax.experimental.checkify` checks: one error a tick.

    It is spared the five temporal ones, which it cannot say, and all margins.
    """
    exported = export.export_controller(flown.traced, None, flown.scenario.control_hz)
    control = jax_export.deserialize(bytearray(exported.control))
    dtype = np.dtype(flown.scenario.dtype)
    table = flown.robot.signals

    floats = exported.state.floats.size

    def tick(params: Any, memory: Any, sample: Any) -> tuple[Any, Any]:
        observed, true = sample[: table.observed.size], sample[table.observed.size :]
        state, action, _ = control.call(params, part(memory, floats, dtype), observed)
        value = table.true.unpack(true)
        velocity, up = value["velocity_mps"], value["q_xyzw_world_body"]
        tilt_cos = 1.0 - 2.0 * (up[0] ** 2 + up[1] ** 2)
        checkify.check(tilt_cos > float(np.cos(np.deg2rad(80.0))), "tilt")
        checkify.check(jnp.sqrt(jnp.sum(velocity**2)) < 20.0, "speed")
        checkify.check(value["altitude_m"] < 50.0, "altitude")
        checkify.check(-velocity[2] < 10.0, "descent rate")
        checkify.check(value["altitude_m"] > -1.0, "altitude below")
        return join(state), action

    arguments = (exported.params, exported.state.joined(), np.zeros(table.observed.size + table.true.size, dtype))
    compiled = jax.jit(checkify.checkify(tick), donate_argnums=(1,)).lower(*arguments).compile()

    def flat(*args: Any) -> tuple[Any, Any]:
        error, (state, action) = compiled(*args)
        error.throw()
        return state, action

    return Program(cast(Any, flat), cast(ProgramInterface, None), exported.params, exported.state, "")


def ticking(flown: Program, sample: np.ndarray) -> Callable[[], None]:
    """A run of ticks as the loop does them: the sample written where the executable reads it, call, one packed read."""
    memory, flown = flown.start().joined(), dataclasses.replace(flown, params=jax.device_put(flown.params))
    values, given = inlet.inlet_for(sample.size, sample.dtype, flown.params)

    def run() -> None:
        nonlocal memory
        for _ in range(TICKS):
            values[:] = sample
            memory, packed = flown.call(flown.params, memory, given)
            np.asarray(packed)

    return run


def measure() -> list[Result]:
    """Supervised and bare ticks in turns, on the first sample of a landing."""
    flown = course("quadrotor/landing")
    plant = flown.robot.make()
    plant.reset(flown.scenario, flown.scenario.seed)
    dtype = np.dtype(flown.scenario.dtype)
    sample = plant.sample().astype(dtype)
    plant.close()
    supervised = program(flown, [assertion_file(flown.robot.name, (*INSTANT, *TEMPORAL))])
    bare, checked = controller_alone(flown), checked_alone(flown)
    seconds = in_turns(
        {
            "bare": ticking(bare, sample),
            "supervised": ticking(supervised, sample),
            "checkify": ticking(checked, sample),
            "bare again": ticking(bare, sample),
        },
        ROUNDS,
    )
    ours, limit, peer = (float(np.median(seconds[name])) / TICKS * 1e6 for name in ("supervised", "bare", "checkify"))
    return [
        Result(
            "P1",
            "supervised tick, 10 assertions",
            f"{ours:.1f} µs",
            f"{limit:.1f} µs",
            ours / limit,
            spread(seconds["bare"], seconds["bare again"]),
            "≤ 1.35× and ≤ +4 µs",
            ours <= 1.35 * limit and ours <= limit + 4.0,
            ROUNDS,
        ),
        Result(
            "P1",
            "supervised tick, against checkify",
            f"{ours:.1f} µs",
            f"{peer:.1f} µs",
            ours / peer,
            spread(seconds["bare"], seconds["bare again"]),
            "< 1×",
            ours < peer,
            ROUNDS,
            note="checkify: the 5 instant assertions only, no margins, its error read every tick",
        ),
    ]


if __name__ == "__main__":
    main(measure)
