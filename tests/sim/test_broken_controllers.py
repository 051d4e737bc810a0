"""Broken controllers are the sound ones with a single mistake each; `mistakes.diff` shows all of them in full."""

import difflib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "controllers"
NO_COPIES = {"lander/neuro_pilot"}
"""Broken, and made from no sound one."""


def mistakes():
    """(sound controller, broken controller, lines that differ), as the file has them."""
    text = (Path(__file__).parent / "mistakes.diff").read_text()
    for block in text.split("\n--- ")[1:]:
        sound, broken, *lines = block.strip("\n").splitlines()
        yield sound, broken.removeprefix("+++ "), lines


MISTAKES = {broken: (sound, lines) for sound, broken, lines in mistakes()}


def parts(name):
    """Docstring and code of a controller."""
    docstring, start, code = (ROOT / f"{name}.py").read_text().partition("import jax.numpy")
    assert start
    return docstring, (start + code).splitlines()


@pytest.mark.parametrize("name", MISTAKES)
def test_it_differs_from_the_sound_one_by_its_mistake_and_says_so(name):
    sound, expected = MISTAKES[name]
    (docstring, code), (own_docstring, own_code) = parts(sound), parts(name)
    lines = list(difflib.unified_diff(code, own_code, n=0, lineterm=""))[2:]
    assert [line for line in lines if not line.startswith("@@")] == expected
    assert own_docstring != docstring and own_docstring.count('"""') == 2


def test_there_are_mistakes_enough_for_every_robot():
    robots = [name.partition("/")[0] for name in (*MISTAKES, *NO_COPIES)]
    assert robots.count("quadrotor") >= 12 and robots.count("lander") >= 5 and robots.count("cartpole") >= 4
