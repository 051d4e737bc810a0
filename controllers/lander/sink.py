"""Brake with all that the engine gives, then sink at a steady, harmless speed to the ground: a fallback.

It uses the speed alone: neither the height, nor the mass, nor the gravity can mislead it. It lands wherever the height
suffices to brake, and takes 45 s and 25 kg of fuel for each 100 m. On the ground the engine is off by itself.
"""

import jax.numpy as jnp

PARAMS = {
    "sink_mps": 2.4,
    "band_mps": 1.0,  # from no thrust to full thrust
}

MAX_THRUST_N = 5000.0


def init(params):
    """No memory."""
    return {}


def control(obs, state, params):
    """One tick: thrust by how much too fast it sinks."""
    assert jnp.abs(obs["velocity_mps"]) < 200.0, "speed estimate is sane"
    too_fast_mps = -obs["velocity_mps"] - params["sink_mps"]
    share = jnp.clip(0.5 + too_fast_mps / jnp.maximum(params["band_mps"], 0.1), 0.0, 1.0)
    return {"thrust_n": MAX_THRUST_N * share}, state
