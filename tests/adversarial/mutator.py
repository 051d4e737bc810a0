"""Hostile mutations: good controllers and attacks, changed at random by a seed, in text and in their syntax trees.

Most of what comes out is refused by its syntax; about a third is TensorLang and goes on to be traced.
"""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Callable, Sequence

from healing_runtime.language.vocabulary import words

WORDS = sorted(
    words("""
        jax os __import__ __builtins__ __tl_assert eval exec open getattr type print PARAMS obs state params action jnp
        lax nn jnp.save jnp.nan jnp.inf jnp.linalg.inv jnp.float32 lax.scan lax.while_loop tl.copy tl.reset len sum zip
        list x y
    """)
)
NUMBERS = (
    "0", "-1", "1e308", "1e-320", "1e999", "2147483647", "2147483648", "99999999999999999999", "0.0", "True", "None",
    "...", "1j", "'a'", "b'a'", "float('nan')",
)  # fmt: skip
LINES = (
    "import os",
    "q = lax.fori_loop(0, 2147483647, lambda i, c: c, 0.0)",
    "for i in range(1000):\n        q = [i, i]",
    "while True:\n        pass",
    "q = lax.scan(lambda c, _: (c + 1.0, None), 0.0, None, length=100000)[0]",
    "q = jnp.ones((4096, 4096)) @ jnp.ones((4096, 4096))",
    "d = {}\n    d['a'] = d",
    "obs = state",
    "state['x'] = 1.0",
    "global PARAMS",
    "return obs, state",
    "assert True, 'fine'",
    "assert obs['altitude_m'] > jnp.nan, 'fine'",
    "q = lax.cond(1.0, jnp.sin, jnp.cos, 0.0)",
    "q = jnp.zeros(0)[0]",
    "q = (0.0,) * 4096 * 4096",
    "try:\n        q = 1.0\n    except Exception:\n        q = 2.0",
    "q = 2 ** 2 ** 2 ** 2 ** 2",
    "q = jnp.array([[1.0], [2.0, 3.0]])",
    "def control(obs, state, params):\n        return control(obs, state, params)",
)
_TOKEN = re.compile(r"[A-Za-z_][A-Za-z_0-9.]*|\d+\.?\d*|\S")

Mutation = Callable[[random.Random, str], str]


def mutants(seed: int, bases: Sequence[str], count: int) -> list[str]:
    """`count` sources, the same for the same seed."""
    rng = random.Random(seed)
    return [_mutant(rng, rng.choice(bases), bases) for _ in range(count)]


def _mutant(rng: random.Random, text: str, bases: Sequence[str]) -> str:
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        text = rng.choice(_MUTATIONS)(rng, text)
    return _spliced(rng, text, rng.choice(bases)) if rng.random() < 0.1 else text


# ---------------------------------------------------------------- text
def _token(rng: random.Random, text: str) -> str:
    found = list(_TOKEN.finditer(text))
    if not found:
        return text
    chosen = rng.choice(found)
    kind = chosen[0][0]
    new = rng.choice(WORDS if kind.isalpha() else NUMBERS if kind.isdigit() else list("()[]{}=+-*/%,.:@<>~|&^"))
    return text[: chosen.start()] + new + text[chosen.end() :]


def _number(rng: random.Random, text: str) -> str:
    found = list(re.finditer(r"(?<![\w.])\d+\.?\d*(e-?\d+)?", text))
    if not found:
        return text
    chosen = rng.choice(found)
    return text[: chosen.start()] + rng.choice(NUMBERS) + text[chosen.end() :]


def _line_moved(rng: random.Random, text: str) -> str:
    lines = text.split("\n")
    line = lines.pop(rng.randrange(len(lines)))
    if rng.random() < 0.7:
        lines.insert(rng.randrange(len(lines) + 1), line)
    return "\n".join(lines)


def _line_in(rng: random.Random, text: str) -> str:
    lines = text.split("\n")
    lines.insert(rng.randrange(len(lines) + 1), "    " + rng.choice(LINES))
    return "\n".join(lines)


def _character(rng: random.Random, text: str) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice(("\0", "\t", "\\", "\u202e", "'", '"""', "\n", "#", "\ud800", "ｅ")) + text[at:]


def _repeated(rng: random.Random, text: str) -> str:
    lines = text.split("\n")
    at = rng.randrange(len(lines))
    return "\n".join(lines[:at] + [lines[at]] * rng.choice((2, 50, 3000)) + lines[at + 1 :])


def _spliced(rng: random.Random, text: str, other: str) -> str:
    return text[: rng.randrange(len(text) + 1)] + other[rng.randrange(len(other) + 1) :]


# ---------------------------------------------------------------- syntax trees
def _grafted(rng: random.Random, text: str) -> str:
    """One expression in the place of another."""
    tree = _tree(text)
    if tree is None:
        return text
    places = [
        (node, field, index)
        for node in ast.walk(tree)
        for field, value in ast.iter_fields(node)
        for index, item in enumerate(value if isinstance(value, list) else [value])
        if isinstance(item, ast.expr) and not isinstance(getattr(item, "ctx", None), ast.Store)
    ]
    expressions = [n for n in ast.walk(tree) if isinstance(n, ast.expr)]
    if not places:
        return text
    node, field, index = rng.choice(places)
    new, value = rng.choice(expressions), getattr(node, field)
    if isinstance(value, list):
        value[index] = new
    else:
        setattr(node, field, new)
    return _unparsed(tree, text)


def _other_operator(rng: random.Random, text: str) -> str:
    tree = _tree(text)
    found = [n for n in ast.walk(tree) if isinstance(n, ast.BinOp | ast.Compare)] if tree else []
    if tree is None or not found:
        return text
    chosen = rng.choice(found)
    if isinstance(chosen, ast.BinOp):
        chosen.op = rng.choice((ast.Pow, ast.Div, ast.Mod, ast.MatMult, ast.FloorDiv, ast.LShift, ast.BitXor))()
    else:
        chosen.ops = [rng.choice((ast.Eq, ast.NotEq, ast.Is, ast.In, ast.GtE))() for _ in chosen.ops]
    return _unparsed(tree, text)


def _nested(rng: random.Random, text: str) -> str:
    """An expression inside of itself, a few times."""
    tree = _tree(text)
    found = [n for n in ast.walk(tree) if isinstance(n, ast.Assign)] if tree else []
    if tree is None or not found:
        return text
    chosen = rng.choice(found)
    for _ in range(rng.choice((1, 5, 80))):
        chosen.value = ast.BinOp(chosen.value, ast.Add(), ast.Constant(1.0))
    return _unparsed(tree, text)


def _tree(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _unparsed(tree: ast.Module, text: str) -> str:
    try:
        return ast.unparse(ast.fix_missing_locations(tree))
    except (ValueError, RecursionError, AttributeError, TypeError):
        return text


_MUTATIONS: tuple[Mutation, ...] = (
    _token, _token, _number, _number, _line_moved, _line_in, _line_in, _character, _repeated, _grafted, _grafted,
    _grafted, _other_operator, _nested,
)  # fmt: skip
