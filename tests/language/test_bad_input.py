"""Sources that are no sources: refused in bounded time and memory, in one line, by the parser and by `heal check`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from healing_runtime.core.errors import SubsetError
from healing_runtime.language import source

HANG_S, PARSER_BYTES, COMMAND_BYTES = 10.0, 64 << 20, 2 << 30
"""Far above what is needed: a parse takes milliseconds and some megabytes, the command holds JAX."""

HELPERS = {
    "direct": "def f(x):\n    return f(x)\n",
    "mutual": "def f(x):\n    return g(x)\n\ndef g(x):\n    return f(x)\n",
    "three": "def f(x):\n    return g(x)\n\ndef g(x):\n    return h(x)\n\ndef h(x):\n    return f(x)\n",
    "lambda": "def f(x):\n    return lax.cond(x > 0.0, lambda y: f(y), lambda y: y, x)\n",
    "scan": "def f(c, x):\n    return lax.scan(f, c, x)\n",
    "nested": "def f(x):\n    def g(y):\n        return f(y)\n\n    return lax.map(g, x)\n",
    "switch": "def f(x):\n    return lax.switch(0, [g, g], x)\n\ndef g(x):\n    return lax.fori_loop(0, 2, h, x)\n\n"
    "def h(i, x):\n    return f(x)\n",
}
PARAMS = {
    "bool": "True", "text": '"high"', "none": "None", "ragged": "[[1.0], [1.0, 2.0]]", "deep ragged": "[1.0, [2.0]]",
    "empty": "[]", "infinite": "1e400", "minus infinite": "-1e400", "complex": "1j", "nan": "jnp.nan",
    "nan as a difference": "1e400 - 1e400", "call": "float(1)", "integer beyond 32 bits": "9" * 30,
    "list of text": '["a"]', "list of dictionaries": '[{"a": 1.0}]', "set": "{1.0}", "starred": "[*x]",
    "conditional": "1.0 if 1 else 2.0", "doubled key": '1.0, "kp": 2.0', "key of a number": "1.0, 2: 3.0",
    "unpacked": "1.0, **other", "lambda": "lambda: 1.0", "bytes": 'b"1"', "ellipsis": "...",
}  # fmt: skip
CONDITIONS = [
    '"text"',
    "{}",
    "{'a': 1.0}",
    "None",
    "[]",
    "(1.0, 2.0)",
    "obs",
    "1",
    "0.0",
    "...",
    "b'x'",
    "lambda: 1.0",
    "obs is None",
]
SIZES = {
    "a megabyte of comment": "# " + "a" * (1 << 20) + "\n",
    "a megabyte of lines": "x = 1\n" * (1 << 18),
    "a megabyte of one name": "a" * (1 << 20),
    "60,000 parentheses": "x = " + "(" * 60_000 + ")" * 60_000,
    "60,000 open parentheses": "x = " + "(" * 60_000,
    "60,000 closed parentheses": "x = " + ")" * 60_000,
    "60,000 brackets in lines": "x = (\n" * 1_900 + "1" + ")" * 1_900,
    "60,000 minus signs": "x = " + "-" * 60_000 + "1",
    "60,000 attributes": "x = a" + ".a" * 30_000,
    "text without end": 'x = """' + "a" * 60_000,
    "zeros": "\0" * 60_000,
    "look-alikes": "\u0440\u0430rams = 1.0\n" * 1_000,
    "right to left": "x = 1.0  # \u202e\u2066\n",
    "surrogate": "x = 1.0  # \ud800\n",
    "byte order mark": "\ufeffx = 1.0\n",
    "form feed": "x = 1.0\f\n",
    "nothing": "",
    "backslashes": "\\\n" * 900,
    "underscored digits": "x = " + "1_" * 900 + "1",
}  # fmt: skip


def bad_sources(write):
    """Every bad source of this file, by name."""
    returned = 'return {"thrust_n": 1.0}, {}'
    for name, text in SIZES.items():
        yield name, text
    for name, helpers in HELPERS.items():
        yield f"cyclic: {name}", write(returned, more=helpers)
    for name, value in PARAMS.items():
        yield f"PARAMS: {name}", write(returned, head=f'import jax.numpy as jnp\n\nPARAMS = {{"kp": {value}}}\n')
    for condition in CONDITIONS:
        yield f"assert {condition}", write(f'assert {condition}, "label"\n{returned}')
    yield "labels used twice", write(f'assert obs["a"] > 0.0, "x y"\nassert obs["a"] > 1.0, "X, y"\n{returned}')
    yield "a thousand labels", write("\n".join(f'assert obs["a"] > {n}.0, "x"' for n in range(1_000)) + f"\n{returned}")


def refusal(text):
    with pytest.raises(SubsetError) as caught:
        source.parse(text, path="c.py")
    return caught.value


def test_the_parser_refuses_in_bounded_time_and_memory(write):
    accepted = []
    for name, text in bad_sources(write):
        tracemalloc.start()
        started = time.monotonic()
        try:
            source.parse(text, path="c.py")
            accepted.append(name)
        except SubsetError as error:
            assert "\n" not in error.message and len(error.message) < 400, name
            assert "; " in error.message or " so " in error.message, (name, error.message)
            assert error.where is not None and error.where.path == "c.py"
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert time.monotonic() - started < HANG_S, name
        assert peak < PARSER_BYTES, (name, peak)
    assert accepted == ["assert obs"], "what only the trace can know"


@pytest.mark.parametrize("name", HELPERS)
def test_cyclic_helpers_are_named(write, name):
    error = refusal(write('return {"thrust_n": 1.0}, {}', more=HELPERS[name]))
    assert "calls itself" in error.message and error.where.line > 13


@pytest.mark.parametrize("name", PARAMS)
def test_params_that_are_no_numbers_are_told_at_their_line(write, name):
    text = write('return {"thrust_n": 1.0}, {}', head=f'import jax.numpy as jnp\n\nPARAMS = {{"kp": {PARAMS[name]}}}\n')
    assert refusal(text).where.line == 3


def test_heal_check_refuses_every_one_in_one_line(tmp_path, write):
    folder = tmp_path / "controllers" / "lander"
    folder.mkdir(parents=True)
    names = []
    for number, (_, text) in enumerate(bad_sources(write)):
        path = folder / f"bad_{number}.py"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        names.append(f"controllers/lander/{path.name}")
    (folder / "latin.py").write_bytes(b"x = '\xe9'\n")
    with open(folder / "huge.py", "wb") as huge:
        huge.truncate(256 << 20)  # a hole: nothing is written to the disk
    names += ["controllers/lander/latin.py", "controllers/lander/huge.py"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "healing_runtime", "check", *names],
        cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    printed = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.stdout.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 2, printed
    assert "Traceback" not in printed
    assert time.monotonic() - started < HANG_S * len(names) and used.ru_maxrss * 1024 < COMMAND_BYTES
    told = [line for line in printed.splitlines() if ": error: " in line]
    assert sorted(line.partition(":")[0] for line in told) == sorted(names)
    assert f"{len(names)} errors" in printed
