"""A fault that does nothing is refused when a robot is loaded, where it is written."""

import shutil

import pytest

from healing_runtime.core.errors import InputError
from healing_runtime.workspace.plants import load_robot

from .hangar import ROOT

HEAD = '"""A fault."""\n\nfrom .base import BodyFault, Parameters, SensorFault\n\n\n'
IDLE = {
    "`act` or `act_at`": """class Idle(BodyFault):
    kind = "idle"
    touches = "body"
    needs = ()
    Parameters = Parameters
    example = {}
""",
    "`sense`": """class Idle(SensorFault):
    kind = "idle"
    Parameters = Parameters
    example = {"signal": "altitude"}
""",
}


@pytest.mark.parametrize("method", IDLE)
def test_a_fault_without_an_effect_is_refused_where_it_is_written(method, tmp_path):
    shutil.copytree(ROOT / "sim", tmp_path / "sim")
    (tmp_path / "sim/faults/idle.py").write_text(HEAD + IDLE[method])
    with pytest.raises(InputError, match=f"the fault Idle does nothing; give it {method}") as refused:
        load_robot("lander", tmp_path / "sim")
    assert refused.value.where.path.endswith("sim/faults/idle.py") and refused.value.where.line == 6
    busy = IDLE[method] + "\n    def act(self, *_):\n        pass\n\n    sense = act\n"
    (tmp_path / "other").mkdir()
    shutil.copytree(ROOT / "sim", tmp_path / "other/sim")
    (tmp_path / "other/sim/faults/idle.py").write_text(HEAD + busy)
    assert "idle" in load_robot("lander", tmp_path / "other/sim").faults
