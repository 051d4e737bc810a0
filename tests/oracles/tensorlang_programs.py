"""Random TensorLang programs: state, arrays, helpers, branches, loops, and asserts wherever one may stand."""

from __future__ import annotations

import random
import textwrap

HEAD = """\
import jax.numpy as jnp
from jax import lax
from healing_runtime import tensorlang as tl

PARAMS = {"kp": 0.75, "gains": [0.5, -1.0, 1.5]}

def init(params):
    return {"a": 0.25, "v": jnp.array([0.5, -0.5, 1.0])}

"""
CONTRACT_ATOMS = [
    'obs["altitude_m"] > -0.5',
    'action["thrust_n"] <= 1.25',
    'next_state["a"] - state["a"] < 0.4',
    'jnp.all(next_state["v"] > -1.5)',
    'jnp.any(obs["velocity_mps"] > params["kp"])',
    '-0.75 < state["a"] <= 0.75',
    'obs["velocity_mps"] < 1.5',
]


class Writer:
    """One program of a seed. `contract` collects the labels of contract asserts."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.count = 0
        self.contract: list[str] = []

    def fresh(self, word: str) -> str:
        self.count += 1
        return f"{word}{self.count}"

    def text(self) -> str:
        helper = ["def helper(x, y):", *self.indented(self.body(["x", "y"], 1, False))]
        body = ['p = obs["altitude_m"]', 'q = state["a"]', 'w = obs["velocity_mps"] * params["gains"]']
        names = ["p", "q", "jnp.sum(w)", "w[1]", 'params["kp"]', 'state["v"][2]']
        for _ in range(self.random.randint(2, 5)):
            lines, value = self.statement(names, 2, True)
            body += lines
            names.append(value)
        body += [
            f'action = {{"thrust_n": jnp.tanh({self.expression(names)}) * 2.0}}',
            f'following = {{"a": jnp.tanh({names[-1]} + 0.5 * q), "v": jnp.clip(state["v"] + 0.5 * w, -2.0, 2.0)}}',
        ]
        for _ in range(2):
            self.contract.append(self.fresh("contract "))
            body.append(f'assert {self.condition(CONTRACT_ATOMS, 2, atoms=True)}, "{self.contract[-1]}"')
        body.append("return action, following")
        return HEAD + "\n".join([*helper, "", "def control(obs, state, params):", *self.indented(body)]) + "\n"

    @staticmethod
    def indented(lines: list[str]) -> list[str]:
        return textwrap.indent("\n".join(lines), "    ").split("\n")

    def body(self, names: list[str], depth: int, helper: bool) -> list[str]:
        """A function's statements, the last a return of a bounded number."""
        lines = [self.diagnostic(names)] if self.random.random() < 0.8 else []
        names = list(names)
        if depth and self.random.random() < 0.6:
            more, value = self.statement(names, depth - 1, helper)
            lines += more
            names.append(value)
        return [*lines, f"return jnp.tanh({self.expression(names)}) * 1.5"]

    def function(self, arguments: list[str], names: list[str], depth: int, helper: bool) -> tuple[list[str], str]:
        name = self.fresh("f")
        inner = [self.fresh("x") for _ in arguments]
        return [f"def {name}({', '.join(inner)}):", *self.indented(self.body(inner + names, depth, helper))], name

    def statement(self, names: list[str], depth: int, helper: bool) -> tuple[list[str], str]:
        out = self.fresh("v")
        kinds = ["plain", "where", "for", "cond", "switch", "fori", "scan", "while"] if depth else ["plain", "where"]
        kind = self.random.choice([*kinds, "helper"] if helper else kinds)
        a, b = self.random.choice(names), self.random.choice(names)
        lines: list[str] = []
        match kind:
            case "where":
                lines = [f"{out} = jnp.where({a} < {b} + 0.2, {self.expression(names)}, {self.expression(names)})"]
            case "helper":
                lines = [f"{out} = helper({a}, {self.expression(names)})"]
            case "for":
                i = self.fresh("i")
                lines = [f"{out} = {a} * 1.0", f"for {i} in range({self.random.randint(1, 3)}):"]
                step = [f"{out} = jnp.tanh({out} + 0.3 * {i} - {b})", self.diagnostic([out, *names])]
                lines += self.indented(step)
            case "cond":
                yes, f = self.function(["x"], names, depth - 1, helper)
                no, g = self.function(["x"], names, depth - 1, helper)
                lines = [*yes, *no, f"{out} = lax.cond({a} > {b} - 0.1, {f}, {g}, {self.expression(names)})"]
            case "switch":
                parts = [self.function(["x"], names, depth - 1, helper) for _ in range(3)]
                index = f"jnp.astype(jnp.where({a} > 0.5, 1.0, jnp.where({b} < -0.5, 2.0, 0.0)), jnp.int32)"
                lines = [line for part, _ in parts for line in part]
                lines.append(f"{out} = lax.switch({index}, [{', '.join(f for _, f in parts)}], {a} * 1.0)")
            case "fori":
                step, f = self.function(["i", "x"], names, depth - 1, helper)
                lines = [*step, f"{out} = lax.fori_loop(0, {self.random.randint(1, 4)}, {f}, jnp.tanh({a}))"]
            case "while":
                step, f = self.function(["x"], names, depth - 1, helper)
                test = f"lambda c: c < {self.random.choice(['0.3', '1.2', '9.0'])}"
                trips = self.random.randint(1, 4)
                lines = [*step, f"{out} = tl.while_loop({test}, {f}, jnp.tanh({a}), max_trips={trips})"]
            case "scan":
                f, carry, x, ys = self.fresh("f"), self.fresh("x"), self.fresh("x"), self.fresh("ys")
                step = [self.diagnostic([carry, x, *names]), f"return jnp.tanh({carry} + {x} - {a}), {carry} * {x}"]
                xs = f"jnp.array([{', '.join(self.expression(names) for _ in range(4))}])"
                lines = [f"def {f}({carry}, {x}):", *self.indented(step)]
                lines += [f"{carry}_out, {ys} = lax.scan({f}, jnp.tanh({b}), {xs})"]
                lines += [f"{out} = {carry}_out + 0.1 * jnp.sum({ys})"]
            case _:
                lines = [f"{out} = {self.expression(names)}"]
        return lines, out

    def expression(self, names: list[str]) -> str:
        a, b = self.random.choice(names), self.random.choice(names)
        forms = ("{a} + {b}", "{a} - 0.5 * {b}", "jnp.tanh({a} * {b})", "jnp.maximum({a}, {b})", "jnp.sin({a})")
        return self.random.choice((*forms, "jnp.sqrt(jnp.abs({a}) + 0.5)", "jnp.minimum({a}, 0.8)")).format(a=a, b=b)

    def diagnostic(self, names: list[str]) -> str:
        return f'assert {self.condition(names, 2)}, "{self.fresh("diagnostic ")}"'

    def condition(self, names: list[str], depth: int, *, atoms: bool = False) -> str:
        if depth and self.random.random() < 0.5:
            p, q = (self.condition(names, depth - 1, atoms=atoms) for _ in range(2))
            return self.random.choice([f"({p}) and ({q})", f"({p}) or ({q})", f"not ({p})", f"tl.implies({p}, {q})"])
        if atoms:
            return self.random.choice(names)
        a, b = self.random.choice(names), self.random.choice(names)
        limit = self.random.choice(["0.25", "1.1", "2.0"])
        forms = (f"{a} < {limit}", f"{a} - {b} >= -{limit}", f"-{limit} < {a} <= {b} + 0.7", f"jnp.isfinite({a} * {b})")
        return self.random.choice(forms)
