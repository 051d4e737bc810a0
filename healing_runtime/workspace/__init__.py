"""The files of a workspace: names, YAML with positions, scenarios, assertion files, controllers, robots."""

from healing_runtime.workspace.assertions import Reading
from healing_runtime.workspace.fitness import must_sample, new_plant, own_mistakes, set_up
from healing_runtime.workspace.made import as_a_record, completed
from healing_runtime.workspace.opened import Workspace, catalogue_root
from healing_runtime.workspace.opened import open_workspace as open
from healing_runtime.workspace.plants import load_robot
from healing_runtime.workspace.resolved import must_be_legal, must_be_written
from healing_runtime.workspace.scenario import LoadedScenario

__all__ = [
    "LoadedScenario",
    "Reading",
    "Workspace",
    "as_a_record",
    "catalogue_root",
    "completed",
    "load_robot",
    "must_be_legal",
    "must_be_written",
    "must_sample",
    "new_plant",
    "open",
    "own_mistakes",
    "set_up",
]
