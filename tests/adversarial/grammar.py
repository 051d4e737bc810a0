"""Hostile programs composed by hypothesis: expressions, calls, attributes, loops, closures, asserts, imports, made of
the words of the language and of the host.

How hostile a program is, is drawn first: most of the mild ones are TensorLang, and none of the wild ones is.
"""

from __future__ import annotations

from hypothesis import strategies as st

MILD = (
    'x', 'y', 'obs["altitude_m"]', 'obs["velocity_mps"]', 'state["m"]', 'params["kp"]', 'obs["dt_s"]', '1.5',
    '0.25', '2',
)  # fmt: skip
WILD = (
    'jax', 'os', '__builtins__', 'PARAMS', 'obs', 'state', 'jnp', 'lax', 'self', 'None', 'True', "'text'",
    "b'bytes'", '1j', '99999999999', '1e999', '...', 'jnp.inf', 'jnp.nan', 'obs["robustness"]',
    'state["controller/x"]', "f'{x}'", 'x.aval', 'x.__class__', 'f.__globals__', 'control.__code__',
    '().__class__.__bases__', 'jnp.load', 'lax.cond', 'tl', 'float', 'x.dtype.T',
)  # fmt: skip
UNARY = (
    'jnp.sin', 'jnp.abs', 'jnp.tanh', 'jnp.sum', 'jnp.asarray', 'jnp.sqrt', 'jnp.exp', 'float', 'round',
    'nn.relu',
)  # fmt: skip
BINARY = (
    'jnp.maximum', 'jnp.minimum', 'jnp.arctan2', 'jnp.add', 'jnp.power', 'min', 'max',
)  # fmt: skip
EVIL_CALLS = (
    'eval', 'exec', 'open', 'getattr', 'type', 'print', 'vars', 'globals', '__import__', 'jnp.save',
    'jnp.fromfile', 'jnp.vectorize', 'lax.infeed', 'jax.pure_callback', 'jax.debug.print', 'lax.while_loop',
    'x.tofile', 'x.block_until_ready', 'x.__reduce__', 'range', 'f',
)  # fmt: skip
OPERATORS = (
    '+', '-', '*', '/',
)  # fmt: skip
WILD_OPERATORS = (
    '**', '//', '%', '@', '<<', '&', '|', 'is', 'in', ':=', '==',
)  # fmt: skip
EVIL_LINES = (
    'import os', 'from os import system', 'global PARAMS', 'nonlocal x', 'del x', 'raise x', 'x.shape = (1,)',
    'jnp.sin = x', "obs['altitude_m'] = x", "PARAMS['kp'] = 9.0", "with open('f') as g: pass",
    'try:\n    y = x\nexcept: y = 0.0', 'while True: pass', 'class A: pass', 'yield x', 'lax = jnp',
    'for i in range(10**9): y = y + x', '@f\ndef g(a): return a', 'def g(a=[]): return a', 'def g(*a): return a',
    'def g(a): return g(a)', 'y: int = 3', 'x += f', "assert True, 'ok'", 'assert x > y', "assert x, 'number'",
    "assert jnp.nan_to_num(x) > 0.0, 'hidden'", 'async def g(): pass', 'y = [i for i in range(99999)]',
    'y = lambda: x', "exec('1')",
)  # fmt: skip


EXPRESSIONS = ("leaf", "binary", "unary", "two", "where", "chosen", "index", "closure", "loop")


class Writer:
    """Draws one program, part by part; `wild` is how many parts of a hundred come from the host's words."""

    def __init__(self, draw, wild):
        self.draw, self.wild, self.labels = draw, wild, 0

    def pick(self, mild, wild):
        """A word of the language, or now and then one of the host's."""
        return self.draw(st.sampled_from(wild if self.draw(st.integers(0, 99)) < self.wild else mild))

    def expression(self, depth):
        kind = self.draw(
            st.sampled_from(("leaf", "binary", "unary", "two", "where", "chosen", "index", "closure", "loop"))
        )
        if depth == 0 or kind == "leaf":
            return self.pick(MILD, WILD)
        inner = [self.expression(depth - 1) for _ in range(2)]
        match kind:
            case "binary":
                return f"({inner[0]} {self.pick(OPERATORS, WILD_OPERATORS)} {inner[1]})"
            case "unary":
                return f"{self.pick(UNARY, EVIL_CALLS)}({inner[0]})"
            case "two":
                return f"{self.pick(BINARY, EVIL_CALLS)}({inner[0]}, {inner[1]})"
            case "where":
                return f"jnp.where({self.condition(inner)}, {inner[0]}, {inner[1]})"
            case "chosen":
                test = self.pick(("2 > 1", "False"), ("x", "x is y", "x > 0.0", "obs"))
                return f"({inner[0]} if {test} else {inner[1]})"
            case "index":
                place = self.pick(("0", "1", "-1"), ("2", "x", "'__class__'", "10**9", "::0"))
                return f"jnp.stack([{inner[0]} * 1.0, {inner[1]} * 1.0])[{place}]"
            case "closure":
                trips = self.pick(("3", "4"), ("10**9", "-1", "x"))
                return f"lax.fori_loop(0, {trips}, lambda i, c: c * 0.5 + {inner[0]} * 0.5, {inner[1]} * 1.0)"
        return f"sum([{inner[0]} * i for i in range({self.pick(('2', '3'), ('10**9', 'x', 'len(obs)'))})])"

    def condition(self, sides):
        comparison = self.draw(st.sampled_from(("<", "<=", ">", ">=")))
        return f"{sides[0]} {comparison} {sides[1]}"

    def statement(self, depth):
        kind = self.pick(("assign", "assign", "for", "if", "assert", "helper"), ("evil",))
        value = self.expression(depth)
        match kind:
            case "evil":
                return self.draw(st.sampled_from(EVIL_LINES))
            case "for":
                return f"for i in range({self.draw(st.integers(0, 3))}):\n    y = y * 0.5 + {value}"
            case "if":
                return (
                    f"if {self.draw(st.sampled_from(('1 > 2', '1 < 2')))}:\n    y = {value}\nelse:\n    y = y - {value}"
                )
            case "assert":
                self.labels += 1
                return f'assert {self.condition((value, "y"))}, "label {self.labels}"'
            case "helper":
                self.labels += 1
                name = f"helper_{self.labels}"
                return f"def {name}(a):\n    return a * 0.5 + {value}\ny = {name}(y)"
        return f"y = {value}"


@st.composite
def programs(draw):
    """The text of a controller of the gate's test robot, hostile or not."""
    writer = Writer(draw, draw(st.sampled_from((0, 0, 2, 10, 40))))
    lines = [writer.statement(draw(st.integers(1, 3))) for _ in range(draw(st.integers(1, 4)))]
    body = "\n".join("    " + line for each in lines for line in each.splitlines())
    return PROGRAM.format(body=body, memory=writer.expression(1))


PROGRAM = '''"""Composed."""
import jax.numpy as jnp
from jax import lax, nn

PARAMS = {{"kp": 6.0}}


def init(params):
    return {{"m": 2.0}}


def control(obs, state, params):
    x = obs["altitude_m"] - obs["velocity_mps"] * obs["dt_s"]
    y = params["kp"] * x + state["m"]
{body}
    return {{"thrust_n": y * 1.0}}, {{"m": 0.5 * state["m"] + 0.25 * obs["altitude_m"] + 0.0625 * ({memory})}}
'''
