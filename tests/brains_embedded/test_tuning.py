"""What a turned sign costs, in the code and in a gain."""

from types import SimpleNamespace

import numpy as np
import pytest

from healing_runtime.brains.embedded.budget import Budget
from healing_runtime.brains.embedded.incident import NOBODY
from healing_runtime.brains.embedded.rollout import Flights
from healing_runtime.brains.embedded.space import Leaf, Space
from healing_runtime.brains.embedded.tuning import Hardness, Structure, tune
from healing_runtime.language import source

TASK = SimpleNamespace(trips=np.array([True]))
PARSED = source.parse("def init(params):\n    return {}\n\n\ndef control(obs, state, params):\n    return {}, {}\n")
SIGN = Leaf(("sign",), 1.0, "sign", (), together=False)
GAIN = Leaf(("gain",), 1.0, "gain")


def best(leaf, origin, turned):
    """The best candidate's sign where every flight has one margin as it stands and another with the sign turned."""

    def fly(trees, seeds, strengths, suspected):
        rho = np.repeat([turned if tree[leaf.path[0]] < 0.0 else origin for tree in trees], len(seeds))
        return Flights(rho[:, None], rho[:, None] > 0.0, np.where(rho > 0.0, 1.0, 0.95))

    space = Space((leaf,))
    structure = Structure("s", PARSED, space, "file", "", lambda values: f"text {list(values.values())}")
    structure.parsed.params.update({leaf.path[0]: leaf.value})
    budget = Budget(generations=2, population=4, flights=4, validations=4, finalists=1)
    found = tune(TASK, structure, fly, budget, Hardness(1, 1.0, 0.01, NOBODY), frozenset())
    return np.sign(found[0].values[0])


@pytest.mark.parametrize("leaf", [SIGN, GAIN], ids=lambda leaf: leaf.name)
def test_a_turned_sign_that_only_wins_margin_is_no_repair(leaf):
    assert best(leaf, origin=0.1, turned=0.4) == 1.0


def test_a_sign_in_the_code_that_mends_what_always_fails_costs_nothing():
    assert best(SIGN, origin=-0.02, turned=0.02) == -1.0


def test_a_gain_that_is_turned_costs_even_then():
    assert best(GAIN, origin=-0.02, turned=0.02) == 1.0
