"""What the zygote does once so that no worker has to: imports, grammars, unit tables, JAX's trace caches.

Shapes only, never values: a concrete array would start a backend, and with it threads that do not survive a fork.
"""

from __future__ import annotations

import jax
import numpy as np

from healing_runtime import stl
from healing_runtime.compile import export
from healing_runtime.core.codec import digest
from healing_runtime.core.errors import Location
from healing_runtime.core.records import AssertionFile, AssertionText
from healing_runtime.core.signals import Layout, Signal, SignalTable
from healing_runtime.language import controller, passes, trace
from healing_runtime.language import source as language_source

_HZ = 50
_SENSED = Layout((Signal("altitude", "m"), Signal("velocity", "m/s", (3,), ("x", "y", "z"))))
_TABLE = SignalTable(observed=_SENSED, action=Layout((Signal("thrust", "N", low=0.0, high=1.0),)), true=_SENSED)
_SOURCE = '''"""Traced in the zygote only."""
import jax.numpy as jnp
from jax import lax

PARAMS = {"gain": 1.0}


def init(params):
    return {"sum": jnp.zeros(3), "counter": jnp.zeros(())}


def control(obs, state, params):
    total = state["sum"] + obs["dt_s"] * obs["velocity_mps"]
    push = params["gain"] * jnp.sum(total) + jnp.linalg.norm(total) - obs["altitude_m"]
    push = jnp.where(state["counter"] > 1.0, push, lax.select(push > 0.0, push, -push))
    thrust = jnp.clip(push, 0.0, 1.0)
    assert thrust <= 1.0, "limit"
    return {"thrust_n": thrust}, {"sum": total, "counter": state["counter"] + 1.0}
'''
_FORMULAS = (
    "always (altitude > 1 m implies velocity.z < 1 m/s)",
    "always (rise(altitude > 1 m) implies eventually[0 s, 1 s] (norm(velocity) < 1 m/s))",
    "eventually[0 s, 2 s] (altitude < 1 m and historically[0 s, 1 s] (altitude < 2 m))",
)


def warm_up() -> None:
    """Parse, trace, check, flatten a controller and bind and trace monitors, on shapes."""
    parsed = language_source.parse(_SOURCE, name="warm", path="warm")
    traced = trace.trace(controller.load(parsed), _TABLE, 1.0 / _HZ, np.float32)
    passes.run(traced)
    export.flatten(traced, None, _HZ)
    where = Location("warm")
    texts = tuple(AssertionText(f"a{i}", formula, where) for i, formula in enumerate(_FORMULAS))
    requirements = stl.bind((AssertionFile("warm", "warm", digest("warm"), "warm", texts),), _TABLE, _HZ)
    monitor = stl.online_all(requirements, _TABLE, _HZ)
    sample = jax.ShapeDtypeStruct((_SENSED.size,), np.float32)
    jax.eval_shape(monitor.update, jax.eval_shape(monitor.init), sample, sample)
