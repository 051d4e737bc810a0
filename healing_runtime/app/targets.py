"""What `heal check` is asked to look at: files, folders and catalogue names, each with its kind."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from healing_runtime import workspace
from healing_runtime.core.errors import InputError, NotFoundInCatalogue
from healing_runtime.workspace.document import read_document, suggestion
from healing_runtime.workspace.opened import refuse_special

Target = tuple[str, str]
"""Kind (`scenario`, `assertions`, `controller`) and path or name."""
_KINDS = (
    ("scenario", "scenarios", "*.yaml"),
    ("assertions", "assertions", "*.yaml"),
    ("controller", "controllers", "*.py"),
)


def targets(home: workspace.Workspace, names: Sequence[str]) -> tuple[list[Target], dict[str, InputError]]:
    """What the names stand for, the whole workspace if there are none; and what is wrong with each name that is.

    Raises:
        InputError: there is nothing at all to look at.
    """
    if not names:
        found = _everything(home.root)
        if not found:
            what = f"{home.root} holds no scenario, assertion file or controller; name one, or use heal init."
            raise InputError(what)
        return found, {}
    found, mistakes = [], {}
    for name in names:
        try:
            found += _targets_of(home, name)
        except InputError as error:
            mistakes[name] = error
    if not found:
        raise next(iter(mistakes.values()))
    return list(dict.fromkeys(found)), mistakes


def _everything(root: Path) -> list[Target]:
    """A workspace's own files; what only the catalogue holds is not looked at."""
    return [(kind, str(path)) for kind, folder, pattern in _KINDS for path in sorted((root / folder).rglob(pattern))]


def _targets_of(home: workspace.Workspace, name: str) -> list[tuple[str, str]]:
    if Path(name).is_file():
        return [(_kind_of(Path(name)), name)]
    kinds = {
        "scenario": home.scenario_names(),
        "assertions": home.assertion_names(),
        "controller": home.controller_names(),
    }
    found = [(kind, name) for kind, known in kinds.items() if name in known]
    if not found and Path(name).is_dir():
        return _folder(Path(name))
    if not found:
        refuse_special(Path(name))
        every = sorted({n for known in kinds.values() for n in known})
        nearest = difflib.get_close_matches(name, every, n=5, cutoff=0.0)
        near = suggestion(name, nearest, what="The nearest are")
        raise NotFoundInCatalogue(f"there is no file and no catalogue entry '{name}'.{near}")
    return found


def _folder(folder: Path) -> list[Target]:
    """Every file below a folder; of a workspace, those that lie where they belong."""
    if found := _everything(folder):
        return found
    paths = sorted(path for path in folder.rglob("*") if path.suffix in (".py", ".yaml", ".yml") and path.is_file())
    if not paths:
        raise InputError(f"{folder} holds no scenario, assertion file or controller; give another folder, or a file.")
    return [(_kind_of(path), str(path)) for path in paths]


def _kind_of(path: Path) -> str:
    """By suffix, and a YAML file by its keys: only a scenario names a controller."""
    if path.suffix == ".py":
        return "controller"
    if path.suffix not in (".yaml", ".yml"):
        raise InputError(f"{path} is neither .py nor .yaml; give a controller, an assertion file or a scenario.")
    try:
        value = read_document(path).value
    except InputError:
        # It is read again as a file of this kind, which says what is wrong with it.
        return "assertions"
    return "scenario" if isinstance(value, dict) and {"controller", "duration"} & set(value) else "assertions"
