"""Constants and signs of a source, opened for a search and written back."""

from pathlib import Path

import jax
import numpy as np
import pytest

from healing_runtime.brains.embedded.edits import opened
from healing_runtime.brains.embedded.search import search
from healing_runtime.language import controller, ownership, source

SOURCE = '''"""Fly."""
import jax.numpy as jnp

PARAMS = {"gain": 2.0, "edit_0": 3.0}

LIMIT = 4.0  # newton
FLOOR = -0.5
HALF_LIMIT = 0.5 * FLOOR
ZERO = 0.0
AXIS = 1


def init(params):
    return {"sum": 0.0}


def bounded(x, limit):
    return jnp.clip(x, -limit, limit + 0.25)


def control(obs, state, params):
    assert obs["x"][0] - 5.0 < 1.0, "x is near"
    offset = (obs["x"][AXIS - 1]  # metres - not feet
              - obs["x"][AXIS]) * 0.5
    total = state["sum"] + params["gain"] * offset
    force = -bounded(total, LIMIT) + FLOOR + HALF_LIMIT + params["edit_0"]
    return {"force": force * 1e2}, {"sum": jnp.where(total > ZERO, total, -1.5)}
'''
OBS = {"x": np.array([1.25, 0.5], np.float32)}


@pytest.fixture(scope="module")
def found():
    return opened(source.parse(SOURCE))


def flown(parsed):
    loaded = controller.load(parsed)
    return jax.tree.leaves(loaded.control(OBS, loaded.init(loaded.params), loaded.params))


def named(found, name):
    return next(leaf for leaf in found.edits if name in leaf.name)


def test_the_copy_does_what_the_original_does(found):
    np.testing.assert_allclose(flown(found.parsed), flown(found.original), rtol=1e-6)


def test_what_counts_or_belongs_to_a_promise_or_has_no_size_is_not_opened(found):
    assert [leaf.name for leaf in found.edits if "sign" not in leaf.name] == [
        "line 18: 0.25", "line 24: 0.5", "LIMIT", "line 27: 100", "line 27: -1.5",
    ]  # fmt: skip
    assert len([leaf for leaf in found.edits if "sign" in leaf.name]) == 8


def test_nothing_moved_is_the_text_as_it_was(found):
    values = {leaf: leaf.value for leaf in (*found.own, *found.edits)}
    assert found.text(values) == found.text({}) == SOURCE


@pytest.mark.parametrize(
    ("name", "value", "old", "new"),
    [
        ("LIMIT", 0.3, "LIMIT = 4.0  # newton", "LIMIT = 0.3  # newton"),
        ("line 18: 0.25", -0.25, "limit + 0.25", "limit + (-0.25)"),
        ("line 27: -1.5", 1.5, "total, -1.5)", "total, 1.5)"),
        ("sign of obs['x'][AXIS - 1]", -1.0, "              - obs", "              + obs"),
        ("sign of state['sum'] +", -1.0, '"] + params["gain"]', '"] - params["gain"]'),
        ("sign of -bounded(total, LIMIT)", -1.0, "force = -bounded", "force = bounded"),
    ],
)
def test_an_edit_is_written_where_it_stands_and_does_what_was_flown(found, name, value, old, new):
    leaf = max((leaf for leaf in found.edits if name in leaf.name), key=lambda leaf: -len(leaf.name))
    text = found.text({leaf: value})
    assert text == SOURCE.replace(old, new) != SOURCE
    copy = source.parse(source.with_params(found.parsed, {**found.parsed.params, leaf.path[0]: value}))
    np.testing.assert_allclose(flown(source.parse(text)), flown(copy), rtol=1e-6)


def test_edits_and_numbers_are_written_together(found):
    gain = next(leaf for leaf in found.own if leaf.name == "gain")
    text = found.text({gain: 0.1, named(found, "line 24: 0.5"): 0.75, named(found, "line 27: 100"): 50.0})
    assert '"gain": 0.1' in text and "* 0.75" in text and "force * 50.0" in text


def test_a_helper_that_is_handed_around_stays_closed():
    text = SOURCE.replace("numpy as jnp\n", "numpy as jnp\nfrom jax import lax\n")
    text = text.replace("-bounded(total, LIMIT)", "lax.fori_loop(0, 2, bounded, total)")
    found = opened(source.parse(text))
    assert named(found, "line 25: 0.5") and not [leaf for leaf in found.edits if "line 19" in leaf.name]
    np.testing.assert_allclose(flown(found.parsed), flown(found.original), rtol=1e-6)


def test_every_shipped_controller_opens_and_its_copy_is_in_the_language():
    root = Path(__file__).parents[2] / "controllers"
    for path in sorted(root.glob("*/*.py")):
        parsed = source.parse(path.read_text())
        found = opened(parsed)
        assert found.text({}) == parsed.source.text
        assert bool(found.sites) == (found.parsed is not parsed)
        for leaf in found.edits[::15]:
            changed = source.parse(found.text({leaf: -leaf.value}))
            assert not [f for f in ownership.check(parsed, changed) if f.severity == "error"], (path, leaf)


WRONG_SIGN = '''"""Come down at a constant rate, with a sign error."""
import jax.numpy as jnp

PARAMS = {"off_m": 0.001}
HOVER_N = 16.0
GAIN = 8.0
DESCENT_MPS = 0.8


def init(params):
    return {}


def control(obs, state, params):
    error = -DESCENT_MPS - obs["velocity_mps"]
    thrust = HOVER_N - GAIN * error  # towards the wanted speed
    thrust = jnp.where(obs["altitude_m"] < params["off_m"], 0.0, thrust)
    action = {"thrust_n": jnp.clip(thrust, 0.0, 60.0)}
    assert action["thrust_n"] <= 60.0, "thrust inside its limit"
    return action, state
'''


def test_a_wrong_sign_in_the_code_is_mended_where_it_stands(hopper):
    proposals, story = search(hopper.request(WRONG_SIGN), hopper.robot)
    best = proposals[0]
    assert best.edit_kind == "file" and best.diagnosis.startswith("edits") and len(story) == 2
    lines = zip(WRONG_SIGN.split("\n"), best.source.split("\n"), strict=True)
    changed = [new.strip() for old, new in lines if old != new]
    assert changed in (["thrust = HOVER_N + GAIN * error  # towards the wanted speed"], ["GAIN = -8.0"])
