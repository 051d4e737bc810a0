"""The pass `linearity` on generated controllers: a planted defect is refused, its defect-free twin passes."""

from __future__ import annotations

import random

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
    "jnp.concatenate([jnp.ravel({x})]).reshape",
    'lax.cond(obs["altitude_m"] > 0.0, lambda y: y, lambda y: y, {x})',
    "lax.fori_loop(0, 3, lambda i, y: y, {x})",
    'jnp.where(obs["altitude_m"] > 0.0, {x}, {x})',
    "jnp.squeeze(jnp.expand_dims({x}, 0), 0)",
    "same({x})",
    "tl.while_loop(lambda y: jnp.sum(y) < 1.0, lambda y: y, {x}, max_trips=3)",
]
STILL = [form for form in STILL if not form.endswith("reshape")]
HELPERS = "def same(x):\n    return x\n"


class Design:
    """A random state, a successor for each leaf, and an action that reads some of it."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        shapes = self.random.choices(list(SHAPES), k=self.random.randint(2, 4))
        self.leaves = {f"m{i}": shape for i, shape in enumerate([shapes[0], *shapes])}
        self.successors = {name: self.successor(name) for name in self.leaves}
        self.read = set(self.leaves)

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
        return self.random.choice(STILL).format(x=value, shape=shape)

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

    @property
    def body(self) -> str:
        reads = " + ".join([f'jnp.sum(state["{name}"])' for name in self.leaves if name in self.read])
        after = ", ".join(f'"{name}": {value}' for name, value in self.successors.items())
        return f'return {{"thrust_n": obs["altitude_m"] + {reads}}}, {{{after}}}'

    @property
    def init(self) -> str:
        return "return {" + ", ".join(f'"{name}": {SHAPES[shape]}' for name, shape in self.leaves.items()) + "}"


SAYS = {
    "leak": "written and never read",
    "duplicate": "become the same value",
    "alias": "itself; write tl.copy",
    "constant": "the same constant at every tick",
}


def findings(traced, design):
    return list(linearity.check(traced(design.body, init=design.init, more=HELPERS), Budget()))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("defect", SAYS)
def test_a_planted_defect_is_refused_and_its_twin_passes(traced, defect, seed):
    assert findings(traced, Design(seed)) == []
    broken = Design(seed)
    broken.plant(defect)
    found = findings(traced, broken)
    assert any(SAYS[defect] in f.message for f in found), broken.body
    assert all(f.severity == "error" and f.line > 0 and f.message.endswith(".") for f in found)


def run(traced, body, init, more=HELPERS):
    return [f.message for f in linearity.check(traced(body, init=init, more=more), Budget())]


TWO = 'return {"a": jnp.zeros(3), "b": jnp.zeros(3)}'


@pytest.mark.parametrize("form", STILL)
def test_an_alias_does_not_hide_behind_an_operation_that_does_nothing(traced, form):
    moved = form.format(x='state["b"]', shape="(3,)")
    body = f'return {{"thrust_n": jnp.sum(state["a"])}}, {{"a": {moved}, "b": obs["velocity_mps"] + state["b"]}}'
    assert any('becomes state["b"] itself' in m for m in run(traced, body, TWO))
    copied = body.replace(moved, f"tl.copy({moved})")
    assert run(traced, copied, TWO) == []


@pytest.mark.parametrize(
    "moved",
    [
        'state["b"][::-1]',
        'jnp.roll(state["b"], 1)',
        'jnp.transpose(jnp.reshape(state["b"], (3, 1)))[0] * 1.5',
        'lax.cond(obs["altitude_m"] > 0.0, lambda y: y, lambda y: -y, state["b"])',
        'lax.fori_loop(0, 3, lambda i, y: y + 1.0, state["b"])',
        'jnp.where(obs["altitude_m"] > 0.0, state["a"], state["b"])',
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
        ('x = x + 0.0 * state["a"]', False),  # not promised: arithmetic is not simplified
    ],
)
def test_what_counts_as_reading(traced, where, leaks):
    more = 'def peek(i, v):\n    assert v < 9.0, "peeked"\n    return v\n'
    body = f'x = obs["altitude_m"] * 1.0\n{where}\nreturn {{"thrust_n": x}}, {{"a": obs["altitude_m"]}}'
    assert any("never read" in m for m in run(traced, body, 'return {"a": 0.0}', more)) is leaks
