"""An independent reading of sources: as plain Python with plain `jax.numpy`, beside the programs that would fly.

Run in a worker, for the sources are strangers'. Nothing of the language's own is used but the layout of its vectors.
"""

import ast

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, nn

from healing_runtime.compile.vectors import Vectors
from healing_runtime.sandbox.messages import Message

DT_S = np.float32(1 / 50)
BUILTINS = {f.__name__: f for f in (abs, float, int, len, list, max, min, range, round, sum, tuple, zip)}


def both(message):
    """For each source, action and memory at each observation: read as Python, and by its exported control."""
    answers, blobs = [], list(message.blobs)
    for text in message.header["sources"]:
        control = jax.export.deserialize(bytearray(blobs.pop(0)))
        values = []
        for altitude, velocity, memory in message.header["at"]:
            params, state = np.array([6.0], np.float32), Vectors(np.array([memory], np.float32), np.zeros(0, np.int32))
            after, command, _ = control.call(params, state, np.array([altitude, velocity], np.float32))
            values.append([_as_python(text, altitude, velocity, memory), [float(command[0]), float(after.floats[0])]])
        answers.append(values)
    return Message({"values": [[[[repr(v) for v in side] for side in pair] for pair in each] for each in answers]})


def _as_python(text, altitude, velocity, memory):
    tree = ast.parse(text)
    tree.body = [s for s in tree.body if not isinstance(s, ast.Import | ast.ImportFrom)]
    for node in ast.walk(tree):
        if isinstance(getattr(node, "body", None), list):
            node.body = [s for s in node.body if not isinstance(s, ast.Assert)] or [ast.Pass()]
    names = {"jnp": jnp, "lax": lax, "nn": nn, "__builtins__": BUILTINS}
    exec(compile(ast.fix_missing_locations(tree), "plain", "exec"), names)
    obs = {"altitude_m": jnp.float32(altitude), "velocity_mps": jnp.float32(velocity), "dt_s": jnp.float32(DT_S)}
    action, after = names["control"](obs, {"m": jnp.float32(memory)}, {"kp": jnp.float32(6.0)})
    return [float(action["thrust_n"]), float(after["m"])]
