"""A robot of one line, a controller that goes home on it, and what judges it."""

import numpy as np

from healing_runtime import stl
from healing_runtime.core.errors import Location
from healing_runtime.core.records import AssertionFile, AssertionText
from healing_runtime.core.signals import Layout, Signal, SignalTable
from healing_runtime.core.status import Severity
from healing_runtime.language import controller, source, trace

HZ = 10
TABLE = SignalTable(
    observed=Layout((Signal("position", "m"),)),
    action=Layout((Signal("velocity", "m/s", low=-1.0, high=1.0),)),
    true=Layout((Signal("position", "m"), Signal("speed", "m/s"))),
)
SOURCE = '''"""Go home."""
import jax.numpy as jnp

PARAMS = {"gain": 0.5}


def init(params):
    return {"integral_m_s": jnp.zeros(()), "ticks": jnp.zeros((), jnp.int32)}


def control(obs, state, params):
    integral = state["integral_m_s"] + obs["position_m"] * obs["dt_s"]
    assert integral < 3.0, "the integral stays small"
    action = {"velocity_mps": -params["gain"] * obs["position_m"]}
    assert obs["position_m"] < 5.0, "not too far"
    assert next_state["ticks"] > state["ticks"], "time goes on"
    next_state = {"integral_m_s": integral, "ticks": state["ticks"] + 1}
    return action, next_state
'''


def traced(text):
    parsed = source.parse(text, name="home", path="home.py")
    return trace.trace(controller.load(parsed), TABLE, 1.0 / HZ, np.dtype("float32"))


def requirements():
    where = Location("r.yaml", 1, 1)
    texts = (
        AssertionText("slow", "always (speed < 2 m/s)", where),
        AssertionText("near", "always (position < 1 m)", where, severity=Severity.WARNING),
        AssertionText("home", "eventually (position < 0.1 m)", where, mission=True),
    )
    return stl.bind([AssertionFile("r", "r.yaml", "sha256:0", "line", texts)], TABLE, HZ)


def run(program, samples):
    """Rows for (position, speed) samples, and the memory after them."""
    memory, rows = program.start().joined(), []
    for position, speed in samples:
        sample = np.array([position, position, speed], np.float32)
        memory, packed = program.tick(program.params, memory, sample)
        rows.append(np.asarray(packed))
    return rows, memory
