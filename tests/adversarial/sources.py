"""The corpus as TensorLang: the attack as it stands, inside a controller that would otherwise be in order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

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
OWNED = '''"""Hold an altitude."""
import jax.numpy as jnp

PARAMS = {"kp": 6.0, "ki": 0.1}


def init(params):
    return {"integral_m_s": 0.0}


def control(obs, state, params):
    error = 2.0 - obs["altitude_m"]
    integral = jnp.clip(state["integral_m_s"] + error * obs["dt_s"], -2.0, 2.0)
    thrust = 5.0 + params["kp"] * error + params["ki"] * integral - 4.0 * obs["velocity_mps"]
    action = {"thrust_n": jnp.clip(thrust, 0.0, 20.0)}
    next_state = {"integral_m_s": integral}
    assert action["thrust_n"] <= 20.0, "thrust inside its limit"
    assert jnp.abs(next_state["integral_m_s"]) < 5.0, "integral is bounded"
    assert jnp.abs(action["thrust_n"] - 5.0) <= params["kp"] * 2.0, "thrust within kp"
    return action, {"integral_m_s": integral}
'''
"""A controller with asserts to own: over its action, its memory and its parameters."""
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


# ---------------------------------------------------------------- the corpus of our own
CATEGORIES = ("callbacks", "denial", "gaming", "host_access", "ownership", "poisoning")


def cases() -> dict[str, dict[str, Any]]:
    """`category/id` -> a case of `corpus/<category>.yaml`: where it is refused and why, and how its source is made."""
    found = {}
    for category in CATEGORIES:
        for case in YAML(typ="safe").load((Path(__file__).parent / "corpus" / f"{category}.yaml").read_text()):
            found[f"{category}/{case['id']}"] = {**case, "category": category}
    return found


def written(case: dict[str, Any]) -> tuple[str, str]:
    """A case's source, and the original that it is a patch of."""
    if case["category"] == "ownership":
        return _edited(case), OWNED
    return _FORMS[case["form"]](case), ORIGINAL


def _edited(case: dict[str, Any]) -> str:
    text = OWNED
    for old, new in case["replace"]:
        assert old in text, f"{case['id']}: nothing to replace"
        text = text.replace(old, new) if case.get("all") else text.replace(old, new, 1)
    return text


def _indented(lines: str) -> str:
    return "\n".join(f"    {line}" for line in lines.rstrip("\n").splitlines())


def _controller(case: dict[str, Any]) -> str:
    start = case.get("init", 'return {"previous_m": jnp.asarray(2.0)}')
    return (
        f"{HEAD}\n\ndef init(params):\n{_indented(start)}\n\n\ndef control(obs, state, params):\n"
        f"{_indented(case['control'])}\n"
    )


def _text(case: dict[str, Any]) -> str:
    if case.get("surrogate"):
        return "x = 1  # \ud800"
    if "repeat" in case:
        before, part, times, after = case["repeat"]
        return before + part * times + after
    return case["source"]


def _deep(case: dict[str, Any]) -> str:
    return inside("\n".join("    " * i + "if True:" for i in range(95)) + "\n" + "    " * 95 + "y = x")


def _elif(case: dict[str, Any]) -> str:
    return inside("if x.ndim == 0:\n    y = x\n" + "".join(f"elif x.ndim == {i}:\n    y = x\n" for i in range(1, 90)))


def _chain(case: dict[str, Any]) -> str:
    links = "".join(f"def f{i}(a):\n    return f{i - 1}(f{i - 1}(a))\n" for i in range(1, 30))
    return inside(f"def f0(a):\n    return jnp.sin(a)\n{links}y = f29(x)")


def _branches(case: dict[str, Any]) -> str:
    links = "".join(
        f"def f{i}(a):\n    return lax.cond(a[0] > {i}.0, f{i - 1}, f{i - 1}, a)\n" for i in range(1, 16)
    )
    return inside(f"def f0(a):\n    return jnp.sin(a)\n{links}y = f15(x)")


_FORMS = {
    "branches": _branches,
    "chain": _chain,
    "control": _controller,
    "deep": _deep,
    "elif": _elif,
    "inside": lambda case: inside(case["source"] + ("\nreturn y" if case.get("returns") else "")),
    "module": lambda case: adapted(case["source"]),
    "text": _text,
}
