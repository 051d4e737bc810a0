"""Runs a source as if every stage before it had been fooled: in a worker, with nothing but the worker around it."""

import sys

import jax
import jax.numpy as jnp
from jax import lax

from healing_runtime.sandbox.messages import Message


def run(message):
    scope = {"jax": jax, "jnp": jnp, "lax": lax}
    exec(message.header["source"], scope)
    result = jax.jit(scope["controller"])(jnp.arange(1.0, 5.0))
    return Message({"result": [float(v) for v in result], "modules": len(sys.modules)})
