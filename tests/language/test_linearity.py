"""The pass `linearity` on generated controllers: a planted defect is refused, its defect-free twin passes."""

from __future__ import annotations

import dataclasses
import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from healing_runtime.language.passes import Budget, linearity

SHAPES = {"()": "0.0", "(3,)": "jnp.zeros(3)", "(2, 3)": "jnp.zeros((2, 3))"}
INPUTS = {
    "()": 'obs["altitude_m"]',
    "(3,)": 'obs["velocity_mps"]',
    "(2, 3)": 'jnp.stack([obs["velocity_mps"], params["gains"]])',
}
# Ways to hand a value on without changing an element of it.
STILL = [
    "{x}",
    "jnp.reshape(jnp.reshape({x}, (1, -1)), {shape})",
    "jnp.transpose(jnp.transpose({x}))",
    "jnp.asarray({x})",
    "jnp.astype({x}, jnp.float32)",
    'lax.cond(obs["altitude_m"] > 0.0, lambda y: y, lambda y: y, {x})',
    "lax.fori_loop(0, 3, lambda i, y: y, {x})",
    "lax.fori_loop(0, 0, lambda i, y: y * 2.0, {x})",
    "lax.fori_loop(0, 3, lambda i, y: (y[0], y[1] + y[0]), ({x}, 1.0 * {x}))[0]",
    'jnp.where(obs["altitude_m"] > 0.0, {x}, {x})',
    "jnp.where(True, {x}, 2.0 * {x})",
    "lax.cond(False, lambda y: 2.0 * y, lambda y: y, {x})",
    "lax.switch(1, [lambda y: 2.0 * y, lambda y: y + 0.0], {x})",
    "jnp.squeeze(jnp.expand_dims({x}, 0), 0)",
    "same({x})",
    "tl.while_loop(lambda y: jnp.sum(y) < 1.0, lambda y: y, {x}, max_trips=3)",
    "({x} + 0.0)",
    "(0.0 + {x} - 0.0)",
    "({x} + jnp.zeros({shape}))",
    "(1.0 * {x} / 1.0)",
    "({x} * jnp.ones({shape}))",
    "({x} + 0.0 * obs['altitude_m'])",
    "-(-{x})",
    "jnp.maximum({x}, {x})",
    "jnp.minimum({x}, jnp.minimum({x}, {x}))",
    "jnp.power({x}, 1.0)",
    "jnp.flip(jnp.flip({x}))",
    "jnp.ones({shape}).at[...].set({x})",
    "lax.dynamic_update_slice(jnp.ones({shape}), {x}, jnp.zeros(len({shape}), jnp.int32))",
    "lax.dynamic_slice({x}, [0] * len({shape}), {shape})",
]
# Ways to write a value down without reading it.
UNREAD = [
    "0.0 * {x}",
    "({x} - {x})",
    "{x} * jnp.zeros({shape})",
    "(0.0 * obs['altitude_m']) * {x}",
    "jnp.zeros_like({x})",
    "0.0 * jnp.sin({x}) * {x}",
    "jnp.where(False, {x}, 0.0)",
    "jnp.where(jnp.zeros({shape}) > 1.0, {x}, jnp.zeros({shape}))",
    "lax.cond(False, lambda y: y, lambda y: 0.0 * y, {x})",
    "lax.fori_loop(0, 3, lambda i, y: y * 0.0, {x})",
    "lax.fori_loop(0, 2, lambda i, y: jnp.zeros({shape}), {x})",
    "jnp.clip({x} * 0.0, -1.0, 1.0)",
    "jnp.sum({x} * 0.0)",
    "({x} * 0.0) * jnp.ones({shape})",
    "same({x}) * (1.0 - 1.0)",
    "jnp.dot(jnp.ravel({x}) * 0.0, jnp.ravel({x}))",
]
HELPERS = "def same(x):\n    return x\n"


class Design:
    """A random state, a successor for each leaf, and an action that reads some of it."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        shapes = self.random.choices(list(SHAPES), k=self.random.randint(2, 4))
        self.leaves = {f"m{i}": shape for i, shape in enumerate([shapes[0], *shapes])}
        self.successors = {name: self.successor(name) for name in self.leaves}
        self.read = set(self.leaves)
        self.also = ""

    def successor(self, name: str) -> str:
        fresh = INPUTS[self.leaves[name]]
        others = [n for n, shape in self.leaves.items() if shape == self.leaves[name] and n != name]
        other = f'state["{self.random.choice(others)}"]' if others else fresh
        gain = self.random.uniform(0.1, 0.9)
        forms = [
            f'{gain:.6f} * state["{name}"] + {fresh}',
            f'state["{name}"] + obs["dt_s"] * ({fresh} - {gain:.6f} * {other})',
            f'jnp.clip(state["{name}"] - {gain:.6f} * {fresh}, -1.0, 1.0)',
            f'jnp.where(obs["altitude_m"] > {gain:.6f}, {fresh}, state["{name}"])',
            f'lax.fori_loop(0, 3, lambda i, y: y * {gain:.6f} + {fresh}, state["{name}"])',
            f"{fresh} * {gain:.6f}",
            f'state["{name}"]',
            f"tl.copy({other})",
            f"tl.reset(jnp.ones({self.leaves[name]}) * {gain:.6f})",
        ]
        return self.random.choice(forms)

    def still(self, value: str, shape: str) -> str:
        return self.random.choice(STILL).format(x=f"({value})", shape=shape)

    def unread(self, name: str) -> str:
        return self.random.choice(UNREAD).format(x=f'state["{name}"]', shape=self.leaves[name])

    def plant(self, defect: str) -> None:
        names = list(self.leaves)
        a, b = names[0], names[1]  # of one shape
        shape = self.leaves[a]
        match defect:
            case "leak":
                victim = self.random.choice(names)
                for name in names:
                    if f'"{victim}"' in self.successors[name] or name == victim:
                        self.successors[name] = f"{INPUTS[self.leaves[name]]} * 0.{self.random.randint(11, 99)}"
                        self.successors[name] += f' + 0.{len(name) + names.index(name)} * obs["dt_s"]'
                self.read.discard(victim)
                for name in self.random.sample(names, self.random.randint(0, 2)):
                    if self.leaves[name] == self.leaves[victim]:
                        self.successors[name] += f" + {self.unread(victim)}"
                self.also = self.random.choice(["", f" + jnp.sum({self.unread(victim)})"])
            case "idle":
                group = names[:2] if self.random.random() < 0.5 else names[:1]
                fresh = {name: INPUTS[self.leaves[name]] for name in names}
                for name in names:
                    self.successors[name] = f'0.{self.random.randint(11, 99)} * state["{name}"] + {fresh[name]}'
                for name, other in zip(group, group[::-1], strict=True):
                    self.successors[name] += f' * jnp.tanh(jnp.sum(state["{other}"]))'
                self.read -= set(group)
                self.also = self.random.choice(["", f" + jnp.sum({self.unread(group[0])})"])
            case "duplicate":
                value = self.random.choice([f'0.5 * state["{a}"] + {INPUTS[shape]}', INPUTS[shape]])
                self.successors[a], self.successors[b] = self.still(value, shape), self.still(value, shape)
            case "alias":
                self.successors[a] = self.still(f'state["{b}"]', shape)
                self.successors[b] = f'state["{b}"] * 0.5 + {INPUTS[shape]}'
            case "constant":
                victim = self.random.choice(names)
                self.successors[victim] = f"jnp.ones({self.leaves[victim]}) * 0.5"
                self.successors[victim] = self.still(self.successors[victim], self.leaves[victim])
                self.successors[victim] += self.random.choice(["", f" + {self.unread(self.random.choice(names[:2]))}"])
                if self.leaves[victim] != shape and "state" in self.successors[victim]:
                    self.successors[victim] = f"jnp.ones({self.leaves[victim]}) - 0.5"

    @property
    def body(self) -> str:
        reads = ['obs["altitude_m"]', *(f'jnp.sum(state["{name}"])' for name in self.leaves if name in self.read)]
        after = "".join(f'    "{name}": {value},\n' for name, value in self.successors.items())
        return f'return {{"thrust_n": {" + ".join(reads)}{self.also}}}, {{\n{after}}}'

    @property
    def init(self) -> str:
        return "return {" + ", ".join(f'"{name}": {SHAPES[shape]}' for name, shape in self.leaves.items()) + "}"


SAYS = {
    "leak": "written and never read",
    "duplicate": "become the same value",
    "alias": "itself; write tl.copy",
    "constant": "the same constant at every tick",
    "idle": "feeds only itself",
}


def findings(traced, design):
    return list(linearity.check(traced(design.body, init=design.init, more=HELPERS), Budget()))


def judge(traced, defect, seed):
    assert findings(traced, Design(seed)) == [], Design(seed).body
    broken = Design(seed)
    broken.plant(defect)
    found = findings(traced, broken)
    said = [f for f in found if SAYS[defect] in f.message]
    assert said, broken.body
    severity = "warning" if defect == "idle" else "error"
    assert all(f.severity == severity and f.message.endswith(".") for f in said)
    # Each points at the line of the successor that it is about.
    lines = {f'state["{name}"]': 13 + i for i, name in enumerate(broken.leaves)}
    assert all(f.line in (12, 10) or f.line == lines[f.message.split()[0]] for f in found), (found, broken.body)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("defect", SAYS)
def test_a_planted_defect_is_told_and_its_twin_passes(traced, defect, seed):
    judge(traced, defect, seed)


@pytest.mark.slow
@pytest.mark.parametrize("defect", SAYS)
def test_hundreds_of_planted_defects_are_told_and_their_twins_pass(traced, defect):
    for seed in range(20, 400):
        judge(traced, defect, seed)


def run(traced, body, init, more=HELPERS):
    return [f.message for f in linearity.check(traced(body, init=init, more=more), Budget())]


READ = 'state["a"]'
TWO = 'return {"a": jnp.zeros(3), "b": jnp.zeros(3)}'


@pytest.mark.parametrize("form", STILL)
def test_an_alias_does_not_hide_behind_an_operation_that_does_nothing(traced, form):
    moved = form.format(x='state["b"]', shape="(3,)")
    body = f'return {{"thrust_n": jnp.sum(state["a"])}}, {{"a": {moved}, "b": obs["velocity_mps"] + state["b"]}}'
    assert any('becomes state["b"] itself' in m for m in run(traced, body, TWO))
    copied = body.replace(moved, f"tl.copy({moved})")
    assert run(traced, copied, TWO) == []
    # Exactly the values: what is handed on is what comes out.
    step = jax.jit(lambda *args: t.step(*args)[1]["a"])
    t = traced(body, init=TWO, more=HELPERS)
    b = np.array([1.5, -2.5, 3.25], np.float32)
    obs = {"altitude_m": np.float32(0.5), "velocity_mps": b + 1, "dt_s": np.float32(0.02)}
    np.testing.assert_array_equal(step(t.params, {"a": 0 * b, "b": b}, obs), b)


@pytest.mark.parametrize(
    "moved",
    [
        'state["b"][::-1]',
        'jnp.roll(state["b"], 1)',
        'jnp.transpose(jnp.reshape(state["b"], (3, 1)))[0] * 1.5',
        'lax.cond(obs["altitude_m"] > 0.0, lambda y: y, lambda y: -y, state["b"])',
        'lax.fori_loop(0, 3, lambda i, y: y + 1.0, state["b"])',
        'jnp.where(obs["altitude_m"] > 0.0, state["a"], state["b"])',
        'jnp.where(state["b"] == state["b"], state["b"], 0.0)',
        'jnp.power(state["b"], 2.0)',
        '-state["b"]',
        '0.0 - state["b"]',
        '1.0 / state["b"]',
        'jnp.maximum(state["b"], state["a"])',
        'state["b"] + 1e-30',
        'state["b"] * 1.0000001',
        'lax.fori_loop(0, 1, lambda i, y: -y, state["b"])',
        'lax.scan(lambda c, x: (c, x), 0.0, state["b"])[1] + 0.5 * state["a"]',
    ],
)
def test_what_changes_an_element_is_a_value_of_its_own(traced, moved):
    body = f'return {{"thrust_n": jnp.sum(state["a"])}}, {{"a": {moved}, "b": obs["velocity_mps"] + state["b"]}}'
    assert run(traced, body, TWO) == []


def test_transposed_matrices_are_told_from_their_reshapes(traced):
    init = 'return {"a": jnp.zeros((3, 3)), "b": jnp.zeros((3, 3))}'
    after = '"b": 0.5 * state["b"] + obs["altitude_m"]'
    body = 'return {{"thrust_n": jnp.sum(state["a"])}}, {{"a": {}, {}}}'
    assert run(traced, body.format('jnp.transpose(state["b"])', after), init) == []
    assert run(traced, body.format('jnp.transpose(jnp.transpose(state["b"]))', after), init) != []
    mixed = 'jnp.reshape(jnp.transpose(jnp.reshape(state["b"], (1, 9))), (3, 3))'
    assert run(traced, body.format(f"{mixed} * 1.5", after), init) == []


@pytest.mark.parametrize(
    ("where", "leaks"),
    [
        ('assert state["a"] < x, "seen by a diagnostic only"', True),
        ("y = lax.fori_loop(0, 3, peek, state['a'])", True),
        ('y = lax.cond(x > 0.0, lambda v: v, lambda v: -v, state["a"])', True),
        ('assert state["a"] < 5.0, "seen by a contract assert"', False),
        ('x = x + 1e-9 * state["a"]', False),
        ('x = x + jnp.where(x == x, state["a"], 0.0)', False),  # a guard against NaN is no constant
        ("x = lax.fori_loop(0, 3, lambda i, y: (y[1], y[2], y[2]), (x, x, state['a']))[0]", False),
        ("x = lax.fori_loop(0, 3, lambda i, y: (y[1], 2.0 * y[1], y[2]), (x, x, state['a']))[0]", True),
        ("x = lax.scan(lambda c, v: (x, c), x, state['a'] * jnp.ones(3))[1][2]", True),
        ("x = lax.scan(lambda c, v: (v, c), x, state['a'] * jnp.ones(3))[1][2]", False),
        *[(f"x = x + {form.format(x=READ, shape='()')}", True) for form in UNREAD],
    ],
)
def test_what_counts_as_reading(traced, where, leaks):
    more = HELPERS + 'def peek(i, v):\n    assert v < 9.0, "peeked"\n    return v\n'
    body = f'x = obs["altitude_m"] * 1.0\n{where}\nreturn {{"thrust_n": x}}, {{"a": obs["altitude_m"]}}'
    assert any("never read" in m for m in run(traced, body, 'return {"a": 0.0}', more)) is leaks


PLACED = """
shared = obs["altitude_m"] + state["a"]
lost = obs["altitude_m"] * 3.0
same = jnp.ones(()) * 0.5
moved = state["b"] * 1.0
alone = state["e"] * 0.5 + 1.0
following = {"a": shared, "b": shared, "c": lost, "d": same, "e": alone, "f": moved, "g": state["b"]}
return {"thrust_n": state["a"] + state["b"] + state["d"] + state["f"] + state["g"]}, following
"""


def test_a_finding_points_at_the_line_that_makes_the_successor(traced):
    init = "return {" + ", ".join(f'"{name}": 0.0' for name in "abcdefg") + "}"
    found = linearity.check(traced(PLACED, init=init), Budget())
    assert {(f.message.split()[0], f.line, f.column, f.severity) for f in found} == {
        ('state["b"]', 12, 14, "error"),
        ('state["c"]', 13, 12, "error"),
        ('state["d"]', 14, 12, "error"),
        ('state["e"]', 16, 13, "warning"),
        ('state["f"]', 15, 13, "error"),
        ('state["g"]', 18, 5, "error"),  # nothing makes it: it is what it was, and the return hands it on
    }


@pytest.mark.parametrize(
    ("after", "message"),
    [
        (
            lambda a: jnp.concatenate([a, a[:1]]),
            'state["a"] changes its shape or dtype from tick to tick; keep init\'s.',
        ),
        (lambda a: a.astype(jnp.int32), 'state["a"] changes its shape or dtype from tick to tick; keep init\'s.'),
        (None, "1 state leaves have 0 successors; keep init's structure."),
    ],
)
def test_a_state_that_grows_or_changes_is_refused(traced, after, message):
    """The tracer refuses it before; here is a program that it never saw."""
    good = traced('return {"thrust_n": state["a"][0]}, {"a": state["a"] * 0.5}', init='return {"a": jnp.zeros(3)}')

    def grown(k, gains, a, h, dt, v):
        return (a[0], after(a)) if after else (a[0],)

    args = [jnp.zeros(v.aval.shape) for v in good.jaxpr.jaxpr.invars]
    broken = dataclasses.replace(good, jaxpr=jax.make_jaxpr(grown)(*args))
    found = list(linearity.check(broken, Budget()))
    assert found[0].message == message and found[0].severity == "error" and found[0].line == 12


def test_memory_that_a_constant_makes_vanish_has_a_remedy_of_its_own(traced):
    """A gain that is switched off in the text: the memory does nothing, and a parameter keeps it."""
    body = (
        'slope = obs["altitude_m"] - state["was"]\n'
        'return {"thrust_n": obs["altitude_m"] - OFF * slope}, {"was": obs["altitude_m"]}'
    )
    head = "import jax.numpy as jnp\nPARAMS = {'off': 0.0}\nOFF = 0.0\n".replace("'", '"')
    init = 'return {"was": 0.0}'
    (found,) = linearity.check(traced(body, init=init, head=head), Budget())
    assert found.severity == "error" and "let the constant be a parameter" in found.message
    assert list(linearity.check(traced(body.replace("OFF", 'params["off"]'), init=init, head=head), Budget())) == []
