import jax
import numpy as np
import pytest

from healing_runtime.compile import export, programs
from healing_runtime.compile.inlet import inlet_for
from tests.compile.line import HZ, SOURCE, TABLE, requirements, traced
from tests.loop.integrator import program as of_a_few_lines

SAMPLES = np.array([[2.0, 2.0, 0.5], [0.05, 0.05, 3.0], [-1.0, -1.0, 0.1]], np.float32)


@pytest.fixture(scope="module")
def program():
    exported = export.export_controller(traced(SOURCE), None, HZ)
    return programs.load(programs.build(exported, requirements(), TABLE, HZ))


def test_what_is_written_is_what_the_executable_reads(program):
    inlet = inlet_for(3, np.float32, program.params)
    memory = again = program.start().joined()
    for sample in SAMPLES:
        inlet.values[:] = sample
        memory, packed = program.call(program.params, memory, inlet.sample)
        again, expected = program.tick(program.params, again, sample)
        np.testing.assert_array_equal(packed, expected)


def test_nothing_is_copied_on_a_device_that_shares_its_memory(program):
    inlet = inlet_for(3, np.float32, program.params)
    assert isinstance(inlet.sample, jax.Array) and inlet.sample.dtype == np.float32
    inlet.values[1] = 7.0
    assert inlet.sample[1] == 7.0


def test_each_loop_has_its_own(program):
    one, other = inlet_for(3, np.float32, program.params), inlet_for(3, np.float32, program.params)
    one.values[:] = 1.0
    assert (other.values == 0.0).all() and (np.asarray(other.sample) == 0.0).all()


def test_what_a_device_does_not_share_is_handed_over_each_time(program):
    """float64 becomes float32 on the way to a device; and a program of a few lines in NumPy lies on none."""
    for inlet in (inlet_for(3, np.float64, program.params), inlet_for(3, np.float64, of_a_few_lines(0.5).params)):
        assert inlet.sample is inlet.values and inlet.values.dtype == np.float64


def test_a_loop_calls_what_jax_calls(program):
    assert program.call is program.tick._call
    assert of_a_few_lines(0.5).call is not None
