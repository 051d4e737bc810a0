"""From a source to bytes and back, for a robot of one line."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import psutil
import pytest

from healing_runtime.compile import export, kernels, programs, wire
from healing_runtime.compile.carry import migrate
from healing_runtime.compile.vectors import Vectors
from healing_runtime.core.codec import plain
from healing_runtime.core.errors import SubsetError, WorkerFailed
from healing_runtime.core.status import Status
from tests.compile.line import HZ, SOURCE, TABLE, requirements, run, traced


@pytest.fixture(scope="module")
def exported():
    return export.export_controller(traced(SOURCE), None, HZ)


@pytest.fixture(scope="module")
def blob(exported):
    return programs.build(exported, requirements(), TABLE, HZ)


def test_one_packed_row_holds_action_verdicts_and_memory(blob):
    program = programs.load(blob)
    rows, _ = run(program, [(2.0, 0.5), (0.05, 3.0)])
    s = program.interface.slices
    assert rows[0][s["action"]] == -1.0
    assert rows[0][s["tripped"]] == 0.0, "a warning does not trip"
    assert program.interface.verdicts(rows[0])["near"].status == Status.FALSE
    assert program.interface.violated(rows[1]) == ("slow",) and rows[1][s["tripped"]] == 1.0
    assert rows[1][s["state_ints"]] == 2.0
    assert program.interface.atom_values(rows[0])["slow"] == {"speed < 2 m/s": 1.5}
    assert program.interface.verdicts(rows[1], ended=True)["home"].status == Status.TRUE
    assert program.interface.verdicts(rows[0], ended=True)["home"].status == Status.FALSE


def test_contract_asserts_trip_and_diagnostics_do_not(blob):
    program = programs.load(blob)
    assert set(program.interface.controller.contract) == {"not-too-far", "time-goes-on"}
    assert program.interface.controller.diagnostics == ("the integral stays small",)
    rows, _ = run(program, [(6.0, 0.0)])
    assert program.interface.violated(rows[0]) == ("controller/not-too-far",)
    rows, _ = run(program, [(4.9, 0.0)] * 8)
    assert all(program.interface.violated(row) == () for row in rows)
    assert rows[-1][program.interface.slices["diagnostics"]] < 0.0


def test_an_action_that_is_not_finite_trips(blob):
    program = programs.load(blob)
    rows, _ = run(program, [(float("inf"), 0.0)])
    assert "controller/finite-action" in program.interface.violated(rows[0])


def test_a_blob_crosses_a_pipe_and_its_hash_is_checked(blob):
    header, blobs = wire.blob_message(blob)
    header = json.loads(json.dumps(plain(header)))
    again = wire.read_blob(header, blobs)
    assert again.sha256 == blob.sha256
    np.testing.assert_array_equal(run(programs.load(again), [(1.0, 0.1)])[0], run(programs.load(blob), [(1.0, 0.1)])[0])
    for i, part in enumerate(blobs):
        if part:
            changed = bytearray(part)
            changed[len(part) // 2] ^= 1
            with pytest.raises(WorkerFailed, match="hash differs"):
                wire.read_blob(header, (*blobs[:i], bytes(changed), *blobs[i + 1 :]))


def test_the_exported_bytes_are_the_same_each_time(exported):
    again = export.export_controller(traced(SOURCE), None, HZ)
    assert (again.control, again.contract) == (exported.control, exported.contract)


@pytest.mark.parametrize("lowering", [kernels.lower, kernels.lower_as_one_kernel])
def test_donated_memory_is_aliased_whole(exported, lowering):
    from healing_runtime.compile import tick as ticks

    control, contract = (jax.export.deserialize(bytearray(b)) for b in (exported.control, exported.contract))
    composed = ticks.compose(ticks.Step(control.call, contract.call), exported.interface, requirements(), TABLE, HZ)
    carry = Vectors(
        np.concatenate([exported.state.floats, composed.monitor_start.floats]),
        np.concatenate([exported.state.ints, composed.monitor_start.ints]),
    )
    compiled = lowering(composed.function, exported.params, carry.joined(), np.zeros(3, np.float32)).compile()
    donated = sum(v.nbytes for v in carry)
    assert compiled.memory_analysis().alias_size_in_bytes == donated > 0


def test_one_kernel_gives_what_many_give():
    def function(x, y, unused):
        return {"sum": x + y, "waves": jnp.sin(x) * jnp.cumsum(y)}, jnp.where(x > 0.5, y, jnp.clip(x, 0.1, 0.2))

    x, y = np.linspace(0, 1, 5, dtype=np.float32), np.linspace(2, 3, 5, dtype=np.float32)
    plain = kernels.lower(function, x, y, x).compile()
    whole = kernels.lower_as_one_kernel(function, x, y, x).compile()
    assert whole.as_text().count("xla_cpu_small_call") == 1
    results = [jax.tree.leaves(f(x.copy(), jnp.array(y), x)) for f in (plain, whole)]
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_a_patch_is_judged_by_the_originals_contract_and_its_own_additions():
    original = traced(SOURCE)
    text = SOURCE.replace(
        '    assert obs["position_m"] < 5.0, "not too far"\n',
        '    assert action["velocity_mps"] < 0.9, "not too fast"\n',
    )
    patch = traced(text)
    blob = programs.build(export.export_controller(patch, original, HZ), requirements(), TABLE, HZ)
    program = programs.load(blob)
    assert program.interface.controller.contract == ("not-too-far", "time-goes-on", "not-too-fast")
    assert "controller/not-too-far" in program.interface.violated(run(program, [(6.0, 0.0)])[0][0])
    assert "controller/not-too-fast" in program.interface.violated(run(program, [(-2.0, 0.0)])[0][0])


def test_contract_asserts_see_the_originals_parameters():
    text = SOURCE.replace('obs["position_m"] < 5.0', 'obs["position_m"] * params["gain"] < 2.5')
    patch = traced(text.replace('"gain": 0.5', '"gain": 0.01'))
    program = programs.load(
        programs.build(export.export_controller(patch, traced(text), HZ), requirements(), TABLE, HZ)
    )
    assert "controller/not-too-far" in program.interface.violated(run(program, [(6.0, 0.0)])[0][0])


def test_a_patch_that_drops_a_state_key_the_contract_names_is_refused():
    text = SOURCE.replace('    assert next_state["ticks"] > state["ticks"], "time goes on"\n', "")
    text = text.replace(', "ticks": jnp.zeros((), jnp.int32)', "").replace(', "ticks": state["ticks"] + 1', "")
    with pytest.raises(SubsetError, match="'ticks'"):
        export.export_controller(traced(text), traced(SOURCE), HZ)


def test_memory_moves_by_name_and_monitors_move_whole(exported, blob):
    text = SOURCE.replace('return {"integral_m_s"', 'return {"bias_m": jnp.ones(()), "integral_m_s"')
    text = text.replace('next_state = {"integral_m_s"', 'next_state = {"bias_m": state["bias_m"], "integral_m_s"')
    new = programs.load(
        programs.build(export.export_controller(traced(text), traced(SOURCE), HZ), requirements(), TABLE, HZ)
    )
    old = programs.load(blob)
    samples = [(0.9, 0.5), (0.8, 1.5)]
    _, memory = run(old, samples)
    moved = migrate(old.interface, new.interface, old.carried(memory), new.start())
    sample = np.array([0.7, 0.7, 0.1], np.float32)
    _, was = old.tick(old.params, memory, sample)
    _, now = new.tick(new.params, moved.joined(), sample)
    was, now = np.asarray(was), np.asarray(now)
    for assertion, verdict in old.interface.verdicts(was).items():
        assert new.interface.verdicts(now)[assertion] == verdict
    memory = dict(zip([leaf.path for leaf in new.interface.controller.state if leaf.floating],
                      now[new.interface.slices["state_floats"]], strict=True))  # fmt: skip
    assert memory["bias_m"] == 1.0 and memory["integral_m_s"] == pytest.approx(0.24)
    assert now[new.interface.slices["state_ints"]] == 3.0


def test_nothing_is_compiled_that_the_re_check_refuses(exported, monkeypatch):
    lapack = jax.export.export(jax.jit(jnp.linalg.cholesky))(np.eye(3, dtype=np.float32))
    monkeypatch.setattr(kernels, "compiled", lambda *_, **__: pytest.fail("compiled"))
    for part in ("control", "contract"):
        with pytest.raises(SubsetError, match="custom_call"):
            hostile = dataclasses.replace(exported, **{part: bytes(lapack.serialize())})
            programs.build(hostile, requirements(), TABLE, HZ)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("ticks", "most_bytes"), [(200_000, 2 << 20), pytest.param(1_000_000, 4 << 20, marks=pytest.mark.slow)]
)
def test_resident_memory_is_flat_over_many_ticks(blob, ticks, most_bytes):
    """What leaks 5 bytes a tick would show over a million, what leaks 11 over fewer."""
    program, process = programs.load(blob), psutil.Process()
    sample = np.array([0.5, 0.5, 0.1], np.float32)

    def fly(count, memory):
        for _ in range(count):
            memory, packed = program.tick(program.params, memory, sample)
            np.asarray(packed)
        return memory

    memory = fly(20_000, program.start().joined())
    before = process.memory_info().rss
    memory = fly(ticks, memory)
    assert process.memory_info().rss - before < most_bytes
    assert program.carried(memory).ints[0] == 20_000 + ticks
