"""The export stage says why no executable is built."""

from __future__ import annotations

import dataclasses

import gate_kit as kit
import jax
import jax.numpy as jnp
import numpy as np
from kept_kit import COURSE

from healing_runtime.core.status import Stage
from healing_runtime.gate.build import exporter
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.policy import candidate_of
from healing_runtime.gate.records import Resume, Traced


def test_the_export_stage_refuses_what_the_builders_re_check_refuses(sandbox, exported):
    lapack = jax.export.export(jax.jit(jnp.linalg.cholesky))(np.eye(3, dtype=np.float32))
    hostile = dataclasses.replace(exported, control=bytes(lapack.serialize()))
    candidate = candidate_of(kit.proposal(kit.GOOD), kit.incident(), (Resume(0),), kit.source(kit.DROPS))
    candidate = dataclasses.replace(candidate, traced=Traced((), hostile))
    refusal = exporter(sandbox, COURSE, kit.TABLE, KeptPrograms.none())(candidate).stages[-1]
    assert (refusal.stage, refusal.accepted) == (Stage.EXPORT, False)
    assert "stablehlo.custom_call is not an operation of TensorLang" in refusal.reason
