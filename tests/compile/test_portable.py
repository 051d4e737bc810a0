"""The program surface: portable bytes, memory, cost, devices; from a source to a tick elsewhere and back."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import subprocess
import sys
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from healing_runtime import tensorlang as tl
from healing_runtime.compile import devices, portable, recheck, wire
from healing_runtime.compile.vectors import Vectors
from healing_runtime.core.errors import FileFormatError, InputError, SubsetError
from tests.compile.line import HZ, SOURCE, TABLE, requirements, run, traced

LINE = SimpleNamespace(signals=TABLE)
SAMPLES = [(0.9, 0.5), (-2.0, 1.5), (6.0, 3.0), (float("nan"), 0.0), (0.05, 0.1)]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("controllers") / "home.py"
    path.write_text(SOURCE)
    return path


@pytest.fixture(scope="module")
def program(source):
    return tl.compile(tl.load(source), LINE, requirements(), control_hz=HZ)


# ---------------------------------------------------------------- bytes and back
def test_a_program_comes_back_from_its_bytes_with_the_same_rows(program):
    again = tl.load_program(program.export())
    assert (again.sha256, again.interface, again.cost()) == (program.sha256, program.interface, program.cost())
    assert again.export() == program.export()
    for a, b in zip(run(program, SAMPLES)[0], run(again, SAMPLES)[0], strict=True):
        np.testing.assert_array_equal(a, b)


def test_another_process_gives_the_same_rows(program, tmp_path):
    (tmp_path / "program").write_bytes(program.export())
    code = (
        "import sys, numpy as np\n"
        "from healing_runtime import tensorlang as tl\n"
        "from tests.compile.line import run\n"
        "program = tl.load_program(open(sys.argv[1], 'rb').read())\n"
        f"np.save(sys.argv[2], run(program, {SAMPLES!r}.copy())[0])\n"
    ).replace("nan", "float('nan')")
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    command = [sys.executable, "-c", code, str(tmp_path / "program"), str(tmp_path / "rows.npy")]
    subprocess.run(command, env=environment, check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "rows.npy"), run(program, SAMPLES)[0])


def test_equal_sources_export_to_equal_bytes(program, source):
    assert tl.compile(tl.load(source), LINE, requirements(), control_hz=HZ).export() == program.export()


def test_a_batch_comes_back_too(source):
    batch = tl.compile(tl.load(source), LINE, requirements(), control_hz=HZ, lanes=3)
    again = tl.load_program(batch.export())
    rng = np.random.default_rng(1)
    sample = rng.normal(size=(3, sum(batch.interface.inputs))).astype(np.float32)
    rows = [np.asarray(p.tick(p.params, p.start().joined(), sample)[1]) for p in (batch, again)]
    np.testing.assert_array_equal(*rows)


def test_what_was_loaded_as_an_executable_cannot_be_exported(program):
    loaded = dataclasses.replace(program, portable=None, bounds=None)
    for ask in (loaded.export, loaded.cost):
        with pytest.raises(InputError, match="loaded as an executable"):
            ask()


# ---------------------------------------------------------------- bytes that are not ours
def test_bytes_that_are_no_program_are_refused(program):
    data = program.export()
    for other in (b"", b"HRP1", bytes(100), data[:-1], data + b"x", b"XXXX" + data[4:]):
        with pytest.raises(FileFormatError, match="no portable program"):
            tl.load_program(other)


def test_a_flipped_byte_is_found_before_anything_is_parsed(program, monkeypatch):
    monkeypatch.setattr(wire, "unpacked", lambda _: pytest.fail("parsed"))
    data = program.export()
    for at in range(0, len(data), 101):
        changed = bytearray(data)
        changed[at] ^= 0x55
        with pytest.raises(FileFormatError, match="damaged"):
            tl.load_program(bytes(changed))


def test_a_program_that_xla_does_not_compile_is_refused_in_one_line(program, monkeypatch):
    def fails(*_, **__):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of\nmemory")

    monkeypatch.setattr(portable.kernels, "compiled", fails)
    with pytest.raises(SubsetError, match=r"does not compile: JaxRuntimeError: RESOURCE_EXHAUSTED: out of memory\.$"):
        tl.load_program(program.export())


@pytest.mark.parametrize("error", [TypeError, ValueError, AttributeError, KeyError])
def test_a_defect_of_ours_is_not_said_to_be_the_programs(program, monkeypatch, error):
    def fails(*_, **__):
        raise error("ours")

    monkeypatch.setattr(portable.kernels, "compiled", fails)
    with pytest.raises(error, match="ours"):
        tl.load_program(program.export())


def test_the_file_is_written_when_it_is_asked_for_and_its_module_is_walked_once(source, program, monkeypatch):
    written, walked, write, check = [], [], portable.written, recheck.check
    monkeypatch.setattr(portable, "written", lambda p: written.append(p) or write(p))
    monkeypatch.setattr(recheck, "check", lambda exported: walked.append(exported.fun_name) or check(exported))
    tl.load_program(program.export())
    assert len(walked) == 1
    walked.clear()
    made = tl.compile(tl.load(source), LINE, requirements(), control_hz=HZ)
    assert sorted(walked) == ["contract", "control", "function"] and not written
    assert made.export() == program.export() and len(written) == 1


def altered(program, **changes):
    """The exported file with other contents."""
    found = portable.read(program.export())
    return portable.written(dataclasses.replace(found, **changes))


def test_a_custom_call_in_the_bytes_is_refused(program):
    lapack = jax.export.export(jax.jit(jnp.linalg.cholesky))(np.eye(3, dtype=np.float32))
    with pytest.raises(SubsetError, match="custom_call"):
        tl.load_program(altered(program, stablehlo=bytes(lapack.serialize())))


def test_bytes_that_do_not_fit_what_is_said_of_them_are_refused(program):
    other = jax.export.export(jax.jit(jnp.sin))(np.zeros(3, np.float32))
    wrong: dict = {
        "params": np.zeros(5, np.float32),
        "carry": Vectors(np.zeros(99, np.float32), program.carry.ints),
        "interface": dataclasses.replace(program.interface, packed_size=3),
        "stablehlo": bytes(other.serialize()),
    }
    for part, value in wrong.items():
        with pytest.raises(SubsetError, match="does not take and give"):
            tl.load_program(altered(program, **{part: value}))


def test_bytes_of_another_version_are_refused(program):
    header, blobs = wire.unpacked(program.export()[:-32])
    data = wire.packed({**header, "kind": "portable program, 99"}, blobs)
    with pytest.raises(FileFormatError, match="portable program, 99"):
        tl.load_program(data + hashlib.sha256(data).digest())


# ---------------------------------------------------------------- memory and cost
def test_memory_is_told_and_the_whole_carry_is_reused(program):
    memory = program.memory()
    inputs = 4 * (len(program.params) + sum(program.interface.inputs))
    assert memory.arguments == memory.carry + inputs
    assert memory.outputs >= memory.carry + 4 * program.interface.packed_size
    assert memory.aliased == memory.carry == sum(part.nbytes for part in program.carry) > 0
    assert memory.temporary >= 0 and memory.code >= 0


def test_cost_counts_every_trip_of_a_loop_and_what_judges(source, program):
    loop = "lax.fori_loop(0, 1000, lambda i, c: c * params['gain'], obs['position_m'])".replace("'", '"')
    text = SOURCE.replace('-params["gain"] * obs["position_m"]', loop)
    text = text.replace("import jax.numpy as jnp\n", "import jax.numpy as jnp\nfrom jax import lax\n")
    looping = portable.export_tick(traced(text), requirements(), HZ)
    alone = portable.export_tick(traced(SOURCE), (), HZ)
    assert looping.bounds.flops > 1000 + program.cost().flops
    assert program.cost().flops > alone.bounds.flops > 0
    assert program.cost().live_bytes >= program.memory().carry


# ---------------------------------------------------------------- devices
def test_a_device_that_is_not_here_is_refused_with_those_that_are(source):
    with pytest.raises(InputError, match=r"there is no device 'cuda' here; there is: cpu\.$"):
        tl.compile(tl.load(source), LINE, device="cuda")
    with pytest.raises(InputError, match="'gpu' is no device; give cpu, cuda or tpu"):
        tl.compile(tl.load(source), LINE, device="gpu")


def test_a_program_for_a_device_that_is_not_here_says_so_when_it_is_loaded(source):
    for_tpu = portable.export_tick(traced(SOURCE), requirements(), HZ, "tpu")
    assert portable.read(portable.written(for_tpu)).platform == "tpu"
    with pytest.raises(InputError, match="no device 'tpu' here"):
        tl.load_program(portable.written(for_tpu))


SECOND = """
import sys, jax
jax.config.update("jax_num_cpu_devices", 2)
from healing_runtime import tensorlang as tl
from healing_runtime.compile import portable
from tests.compile.line import run
first, second = jax.devices("cpu")
for wanted in (first, second):
    portable.device_of = lambda kind: wanted
    program = tl.load_program(open(sys.argv[1], "rb").read())
    rows, memory = run(program, [(0.9, 0.5)])
    print(memory.devices() == {wanted})
"""


def test_a_program_runs_on_the_device_that_was_found_for_it(program, tmp_path):
    """A process with two devices: what a tick gives back lies on the one that was taken."""
    (tmp_path / "program").write_bytes(program.export())
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    command = [sys.executable, "-c", SECOND, str(tmp_path / "program")]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert done.stdout == "True\n" * 2


def test_what_a_tick_gives_lies_on_the_device_that_was_asked_for(program):
    for result in program.tick(program.params, program.start().joined(), np.zeros(3, np.float32)):
        assert result.devices() == {devices.device_of("cpu")}


# ---------------------------------------------------------------- dtypes
def test_a_float64_program_ticks_in_float64(source):
    try:
        program = tl.compile(tl.load(source), LINE, requirements(), control_hz=HZ, dtype="float64")
        sample = np.array([1 / 3, 1 / 3, 0.0])
        memory, packed = program.tick(program.params, program.start().joined(), sample)
        assert np.asarray(packed).dtype == np.float64 and program.carried(memory).floats[0] == 1 / 3 * 0.1
        assert np.asarray(packed)[0] == -0.5 * (1 / 3)
        again = tl.load_program(program.export())
        np.testing.assert_array_equal(packed, again.tick(again.params, again.start().joined(), sample)[1])
    finally:
        jax.config.update("jax_enable_x64", False)


WAYS = {"compile": tl.compile, "verify": tl.verify}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("dtype", ["float16", "bogus", "", None, np.float32])
def test_another_dtype_is_refused(source, way, dtype):
    with pytest.raises(InputError, match="give 'float32' or 'float64'"):
        way(tl.load(source), LINE, dtype=dtype)


# ---------------------------------------------------------------- other arguments
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("rate", [0, -1, 48.0, "48", None, True, float("nan")])
def test_a_rate_that_is_no_whole_number_of_ticks_is_refused(source, way, rate):
    with pytest.raises(InputError, match="give a whole number of ticks a second"):
        way(tl.load(source), LINE, control_hz=rate)


@pytest.mark.parametrize("lanes", ["4", 2.5, 0, -1, True, 10**9])
def test_a_number_of_lanes_that_is_none_is_refused(source, lanes):
    with pytest.raises(InputError, match="a batch has 1 to 4096 lanes, a whole number, not"):
        tl.compile(tl.load(source), LINE, lanes=lanes)


def test_verifying_in_float64_leaves_the_process_as_it_was(source):
    assert [f for f in tl.verify(tl.load(source), plant=LINE, dtype="float64") if f.severity == "error"] == []
    assert jnp.zeros(1).dtype == np.float32
