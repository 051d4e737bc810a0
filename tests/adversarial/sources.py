"""The corpus as TensorLang: the attack as it stands, inside a controller that would otherwise be in order."""

from __future__ import annotations

import json
from pathlib import Path

HEAD = '''"""Hold an altitude."""
import jax.numpy as jnp
from jax import lax

PARAMS = {"kp": 6.0}

'''
TAIL = """

def init(params):
    return {"previous_m": jnp.asarray(2.0)}


def control(obs, state, params):
    x = jnp.stack([obs["altitude_m"], obs["velocity_mps"], state["previous_m"], params["kp"]])
    return {"thrust_n": controller(x)[0]}, {"previous_m": obs["altitude_m"]}
"""
ORIGINAL = HEAD.rstrip("\n") + "\n\n\ndef controller(x):\n    return 0.0 * x\n" + TAIL


def corpus(scratch: str) -> dict[str, str]:
    """Case id -> source, as found."""
    cases = json.loads((Path(__file__).parent / "corpus.json").read_text())["cases"]
    sources = {case["id"]: case["source"] for case in cases}
    sources["deep_ast"] = "z = " + "-" * 60_000 + "1\ndef controller(x):\n    return x[:2]\n"
    return {id: source.replace("SCRATCH", scratch) for id, source in sources.items()}


def adapted(source: str) -> str:
    """A controller around an attack."""
    return HEAD + "\n" + source + TAIL


def inside(attack: str) -> str:
    """A controller that runs an attack in its `control`, where statements and values are allowed."""
    lines = "\n".join(f"    {line}" for line in attack.splitlines())
    return HEAD + f"\n\ndef controller(x):\n{lines}\n    return x\n" + TAIL
