"""A loaded program runs in the thread that calls it, however much it computes."""

import subprocess
import sys
from pathlib import Path

SCRIPT = '''
import resource, sys, time
import numpy as np
from healing_runtime.compile import dispatch, export, programs
from healing_runtime.core.signals import Layout, Signal, SignalTable
from healing_runtime.language import controller, source, trace

TABLE = SignalTable(Layout((Signal("x", "m"),)), Layout((Signal("u", "N"),)), Layout((Signal("x", "m"),)))
TEXT = """
import jax.numpy as jnp

def init(params):
    return {}

def control(obs, state, params):
    return {"u_n": jnp.sum(jnp.sin(jnp.arange(3000.0) + obs["x_m"]))}, state
"""
if sys.argv[1] == "by default":
    dispatch.in_calling_thread = lambda: None
traced = trace.trace(controller.load(source.parse(TEXT)), TABLE, 0.1)
program = programs.load(programs.build(export.export_controller(traced, None, TABLE, 10), (), TABLE, 10))
carry, x = program.start(), np.zeros(1, np.float32)
everything, own = time.process_time(), time.thread_time()
for _ in range(2_000):
    carry, packed = program.tick(program.params, carry, x, x)
    np.asarray(packed)
everything, own = time.process_time() - everything, time.thread_time() - own
print((everything - own) / everything)
'''


def share_of_other_threads(tmp_path, how):
    (tmp_path / "script.py").write_text(SCRIPT)
    root = Path(__file__).parents[2]
    command = [sys.executable, str(tmp_path / "script.py"), how]
    environment = {"PYTHONPATH": str(root), "NPROC": "1", "JAX_PLATFORMS": "cpu", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def test_no_other_thread_works_for_a_tick(tmp_path):
    assert share_of_other_threads(tmp_path, "as loaded") < 0.05
    assert share_of_other_threads(tmp_path, "by default") > 0.2, "XLA no longer hands programs over: delete the setting"
