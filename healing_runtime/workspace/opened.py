"""A workspace and its catalogue: where names come from.

Names resolve as path, then workspace, then catalogue. In a checkout the catalogue is the repository root; in an
installed wheel it is `healing_runtime/catalogue`. Robots come from the workspace's `sim/`, the catalogue's, or a
package that the entry-point group `healing_runtime.robots` names: `rover = "my_package.sim"` stands for a package
that holds `robots/rover.py`.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import healing_runtime
from healing_runtime.core.errors import InputError, NotFoundInCatalogue
from healing_runtime.core.plant import Robot
from healing_runtime.core.records import AssertionFile, Source
from healing_runtime.workspace.assertions import Reading, read_assertions, resolve_assertions
from healing_runtime.workspace.document import display, read_document, read_text, suggestion
from healing_runtime.workspace.plants import load_robot, robots_in
from healing_runtime.workspace.scenario import LoadedScenario, Lookups, ScenarioReading, read_scenario
from healing_runtime.workspace.validation import in_order

ENTRY_POINTS = "healing_runtime.robots"
_SUFFIX = {"scenarios": ".yaml", "assertions": ".yaml", "controllers": ".py"}
_NOUN = {"scenarios": "scenario", "assertions": "assertion file", "controllers": "controller"}
_NAME = re.compile(r"[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*")


def catalogue_root() -> Path:
    """The folder that holds the shipped `controllers assertions scenarios sim`."""
    package = Path(healing_runtime.__file__ or healing_runtime.__path__[0] + "/__init__.py").resolve().parent
    shipped = package / "catalogue"
    return shipped if shipped.is_dir() else package.parent


@dataclasses.dataclass(frozen=True)
class Workspace:
    """A folder with `controllers assertions scenarios sim runs`, and the catalogue behind it."""

    root: Path
    catalogue: Path

    @property
    def runs(self) -> Path:
        """Where run folders and the ledger are kept by default."""
        return self.root / "runs"

    def scenario(
        self, name_or_path: str | Path, *, seed: int | None = None, policy: str | None = None
    ) -> LoadedScenario:
        """Read a scenario and resolve everything it names; `seed` and `policy` take the place of the file's.

        Raises:
            InputError: file:line:column, what is wrong, what to do.
        """
        reading, loaded = self.scenario_reading(name_or_path, seed=seed, policy=policy)
        if loaded is None:
            raise in_order(reading.mistakes)
        return loaded

    def scenario_reading(
        self, name_or_path: str | Path, *, seed: int | None = None, policy: str | None = None
    ) -> tuple[ScenarioReading, LoadedScenario | None]:
        """A scenario as far as it can be read, with every mistake in it; loaded where there is none.

        Raises:
            InputError: there is no such file, or it is no YAML.
        """
        path = self._find("scenarios", str(name_or_path), None)
        document = read_document(path, lenient=True)
        lookups = Lookups(
            robot=self.robot,
            controller=lambda name: self._reference("controllers", name, path.parent),
            assertions=lambda name: self._reference("assertions", name, path.parent),
            assertion_file=self.assertion_file,
        )
        name = self._name_of("scenarios", path) or f"{document.value.get('robot')}/{path.stem}"
        reading = read_scenario(document, name, lookups, seed=seed, policy=policy)
        if reading.scenario is None:
            return reading, None
        fallback_at = document.where(("policy", "fallback"))
        about = (document.text, document.sha256, reading.notes, reading.triggers, fallback_at)
        return reading, LoadedScenario(reading.scenario, path, *about)

    def controller(self, name: str, base: Path | None = None) -> Source:
        """A controller's source text, not parsed. A relative path is looked for in `base` first."""
        path = self._find("controllers", name, base)
        text, sha256 = read_text(path)
        return Source(self._name_of("controllers", path) or path.stem, display(path), text, sha256)

    def assertion_file(self, name: str, base: Path | None = None) -> AssertionFile:
        """An assertion file, its form checked, its formulas still text."""
        path = self._find("assertions", name, base)
        return resolve_assertions(read_document(path), self._name_of("assertions", path) or path.stem)

    def assertion_reading(self, name: str) -> Reading:
        """An assertion file as far as it can be read, with every mistake of its form."""
        path = self._find("assertions", name, None)
        return read_assertions(read_document(path), self._name_of("assertions", path) or path.stem)

    def robot(self, name: str) -> Robot:
        """A robot by name; imports the `sim/` folder it lies in."""
        return load_robot(name, self.sim_root(name))

    def sim_root(self, robot: str) -> Path:
        """The `sim/` folder that holds a robot, for `load_robot` in another process. NotFoundInCatalogue if none."""
        for folder in self._sim_folders():
            if robot in robots_in(folder):
                return folder
        if (packaged := _entry_point_folder(robot)) is not None:
            return packaged
        hint = suggestion(robot, self.robot_names(), what="Robots here")
        raise NotFoundInCatalogue(f"there is no robot '{robot}'.{hint}")

    def scenario_sha256(self, name: str) -> str:
        """The hash of a scenario's file, which is not resolved. InputError where it is not there or no text."""
        return read_text(self._find("scenarios", name, None))[1]

    def assertion_sha256(self, name: str) -> str:
        """The hash of an assertion file, which is not read further. InputError where it is not there or no text."""
        return read_text(self._find("assertions", name, None))[1]

    def scenario_names(self, robot: str | None = None) -> tuple[str, ...]:
        """All scenarios of workspace and catalogue, sorted; of one robot, those in its folder."""
        return tuple(n for n in self._names("scenarios") if robot is None or n.partition("/")[0] == robot)

    def controller_names(self) -> tuple[str, ...]:
        """All controllers of workspace and catalogue, sorted."""
        return self._names("controllers")

    def assertion_names(self) -> tuple[str, ...]:
        """All assertion files of workspace and catalogue, sorted."""
        return self._names("assertions")

    def robot_names(self) -> tuple[str, ...]:
        """All robots, sorted; nothing is imported."""
        packaged = {point.name for point in importlib.metadata.entry_points(group=ENTRY_POINTS)}
        return tuple(sorted(packaged.union(*(robots_in(folder) for folder in self._sim_folders()))))

    def _roots(self) -> tuple[Path, ...]:
        return (self.root,) if self.root == self.catalogue else (self.root, self.catalogue)

    def _sim_folders(self) -> Iterator[Path]:
        return (root / "sim" for root in self._roots() if (root / "sim" / "robots").is_dir())

    def _names(self, kind: str) -> tuple[str, ...]:
        found: set[str] = set()
        for root in self._roots():
            folder = root / kind
            for path in folder.rglob(f"*{_SUFFIX[kind]}"):
                name = path.relative_to(folder).with_suffix("").as_posix()
                if _NAME.fullmatch(name) and path.is_file():
                    found.add(name)
        return tuple(sorted(found))

    def _find(self, kind: str, name: str, base: Path | None) -> Path:
        """Path (from `base`, then the current folder), then workspace, then catalogue."""
        for folder in (base, Path()):
            if folder is not None and (path := folder / Path(name).expanduser()).is_file():
                return path.resolve()
        if _NAME.fullmatch(name):
            for root in self._roots():
                if (path := root / kind / f"{name}{_SUFFIX[kind]}").is_file():
                    return path.resolve()
        refuse_special(Path(name) if base is None else base / name)
        refuse_special(Path(name))
        if Path(name).suffix or Path(name).is_absolute():
            raise NotFoundInCatalogue(f"there is no file {name}; check the path.")
        hint = suggestion(name, self._names(kind), what="There are")
        raise NotFoundInCatalogue(f"there is no {_NOUN[kind]} '{name}'.{hint or ' Check the name.'}")

    def _reference(self, kind: str, name: str, base: Path) -> str:
        """What finds the file from anywhere: its name, or the whole path of one that lies elsewhere."""
        path = self._find(kind, name, base)
        return self._name_of(kind, path) or str(path)

    def _name_of(self, kind: str, path: Path) -> str | None:
        """`<robot>/<stem>` of a file that lies where its kind belongs."""
        for root in self._roots():
            folder = (root / kind).resolve()
            if path.is_relative_to(folder):
                return path.relative_to(folder).with_suffix("").as_posix()
        return None


def open_workspace(start: Path | str | None = None) -> Workspace:
    """The workspace at or above `start` (the current folder): the nearest folder that holds `scenarios/`, else `start`.

    Raises:
        InputError: `start` is not a folder.
    """
    begin = Path.cwd() if start is None else Path(start).resolve()
    if not begin.is_dir():
        raise InputError(f"{display(begin)} is not a folder; give the folder of a workspace.")
    root = next((f for f in (begin, *begin.parents) if (f / "scenarios").is_dir()), begin)
    return Workspace(root, catalogue_root())


def refuse_special(path: Path) -> None:
    """Raise InputError for a path where something other than a file is; nothing for a path where nothing is."""
    if path.is_dir():
        raise InputError(f"{path} is a folder; give a file in it.")
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is not a regular file; give a file.")


def _entry_point_folder(robot: str) -> Path | None:
    for point in importlib.metadata.entry_points(group=ENTRY_POINTS, name=robot):
        spec = importlib.util.find_spec(point.value)
        folders = (spec.submodule_search_locations or ()) if spec else ()
        for folder in folders:
            if robot in robots_in(Path(folder)):
                return Path(folder)
    return None
