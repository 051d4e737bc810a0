"""Loading a robot from a `sim/` folder as a private package.

The package is named by the hash of the folder's path, so that a workspace's `sim/` and the catalogue's never clash and
no generic top-level name enters the process. Relative imports inside the folder work as in any package.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.machinery
import importlib.util
import re
import sys
import traceback
from pathlib import Path
from types import ModuleType

from healing_runtime.core.errors import FileFormatError, InputError, Location, NotFoundInCatalogue
from healing_runtime.core.plant import Robot
from healing_runtime.core.platform import quiet_import
from healing_runtime.workspace.document import display, suggestion
from healing_runtime.workspace.models import NAME_PATTERN

PRIVATE = "_healing_sim_"
"""What the names of all private packages begin with."""


def robots_in(sim_root: Path) -> tuple[str, ...]:
    """The names of the robots in a `sim/` folder, sorted."""
    return tuple(sorted(p.stem for p in (sim_root / "robots").glob("*.py") if re.match(NAME_PATTERN, p.stem)))


def load_robot(name: str, sim_root: Path | str) -> Robot:
    """Import `<sim_root>/robots/<name>.py` and give its `ROBOT`. This runs the folder's code.

    Raises:
        NotFoundInCatalogue: there is no such robot.
        FileFormatError: the file does not export a `ROBOT` of that name.
        InputError: importing it failed; the place is the last line of the folder's own code.
    """
    root = Path(sim_root).resolve()
    if name not in robots_in(root):
        hint = suggestion(name, robots_in(root), what="Robots there")
        raise NotFoundInCatalogue(f"there is no robot '{name}' in {display(root)}.{hint}")
    package = _private_package(root)
    try:
        with quiet_import():
            module = importlib.import_module(f"{package}.robots.{name}")
    except Exception as error:
        raise _import_failure(error, root) from error
    where = Location(display(root / "robots" / f"{name}.py"))
    robot = getattr(module, "ROBOT", None)
    if not isinstance(robot, Robot):
        raise FileFormatError("exports no ROBOT; write ROBOT = Robot(...), as in core/plant.py.", where=where)
    if robot.name != name:
        raise FileFormatError(f"ROBOT is named '{robot.name}'; name it '{name}', as the file.", where=where)
    return robot


def _private_package(root: Path) -> str:
    name = PRIVATE + hashlib.sha256(str(root).encode()).hexdigest()[:16]
    if name not in sys.modules:
        initial = root / "__init__.py"
        if initial.is_file():
            spec = importlib.util.spec_from_file_location(name, initial, submodule_search_locations=[str(root)])
        else:
            spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = [str(root)]
        assert spec is not None
        _execute(spec, root)
    return name


def _execute(spec: importlib.machinery.ModuleSpec, root: Path) -> ModuleType:
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    if spec.loader is None:
        return module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[spec.name]
        raise _import_failure(error, root) from error
    return module


def _import_failure(error: Exception, root: Path) -> InputError:
    if isinstance(error, InputError):
        return error
    cause = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, SyntaxError) and error.filename:
        where = Location(display(Path(error.filename)), error.lineno or 0, error.offset or 0)
        return FileFormatError(f"not valid Python: {error.msg}; correct it.", where=where)
    own = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).is_relative_to(root)]
    where = Location(display(Path(own[-1].filename)), own[-1].lineno or 0) if own else Location(display(root))
    return InputError(f"this robot cannot be loaded: {type(error).__name__}: {cause}; correct the file.", where=where)
