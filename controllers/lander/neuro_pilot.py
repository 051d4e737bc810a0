"""A pilot that gives no thrust (NeuroJIT's): from 100 m at 10 m/s down, the lander hits the ground at 20.6 m/s."""

import jax.numpy as jnp

PARAMS = {"thrust_n": 0.0}


def init(params):
    """No memory."""
    return {}


def control(obs, state, params):
    """The same thrust, whatever happens."""
    assert obs["altitude_m"] > -5.0, "altitude estimate is sane"
    return {"thrust_n": params["thrust_n"] * jnp.ones(())}, state
