"""A small robot's signal table, and controllers written around a few lines."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from healing_runtime.core.signals import Layout, Signal, SignalTable
from healing_runtime.language import controller, source, trace

sys.path.insert(0, str(Path(__file__).parent))

HEAD = """\
import jax.numpy as jnp
from jax import lax, nn, scipy
import math
from healing_runtime import tensorlang as tl

PARAMS = {"kp": 2.0, "gains": [1.0, 2.0, 3.0]}

"""
TABLE = SignalTable(
    observed=Layout((Signal("altitude", "m"), Signal("velocity", "m/s", (3,)))),
    action=Layout((Signal("thrust", "N", low=0.0, high=10.0),)),
    true=Layout((Signal("altitude", "m"),)),
)


@pytest.fixture
def table():
    return TABLE


@pytest.fixture
def write():
    """Body of `control` (and of `init`) -> a whole source. The first line of the body is line 12 of the text."""

    def write(body: str, *, init: str = "return {}", more: str = "", head: str = HEAD) -> str:
        text = f"{head}def init(params):\n    {init}\n\ndef control(obs, state, params):\n"
        return text + textwrap.indent(textwrap.dedent(body).strip("\n"), "    ") + "\n\n" + textwrap.dedent(more)

    return write


@pytest.fixture
def parsed(write):
    return lambda body, **kw: source.parse(write(body, **kw), path="c.py")


@pytest.fixture
def traced(parsed, table):
    def traced(body: str, *, dtype=np.float32, **kw):
        return trace.trace(controller.load(parsed(body, **kw)), table, 0.02, dtype)

    return traced
