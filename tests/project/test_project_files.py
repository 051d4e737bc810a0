"""What the project's own files promise."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MAKEFILE = (ROOT / "Makefile").read_text()
README_TABLES = [*sorted((ROOT / "healing_runtime").rglob("README.md")), ROOT / "benchmarks/README.md"]


def pinned() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("==") for line in lines)


def bare_names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=;~! (]", r)[0].lower().replace("_", "-").replace(".", "-") for r in requirements}


def test_every_constraint_is_one_exact_version_and_names_no_host():
    text = (ROOT / "constraints.txt").read_text()
    for name, version in pinned().items():
        assert re.fullmatch(r"[a-z0-9-]+", name), name
        assert re.fullmatch(r"[0-9][0-9A-Za-z.]*", version), version
    assert "://" not in text
    assert "@" not in text


def test_everything_asked_for_is_pinned():
    asked = bare_names(PROJECT["project"]["dependencies"]) | bare_names(
        PROJECT["project"]["optional-dependencies"]["dev"]
    )
    assert asked <= set(pinned())


def test_the_wheel_carries_the_four_workspace_folders_under_one_private_name():
    carried = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert carried == {f: f"healing_runtime/catalogue/{f}" for f in ("controllers", "assertions", "scenarios", "sim")}


def test_ci_does_nothing_that_the_readme_does_not_say():
    commands = [
        line.strip()
        for line in (ROOT / ".ci" / "run").read_text().splitlines()
        if line.strip() and not line.startswith(("#", "set ", "cd "))
    ]
    readme = (ROOT / "README.md").read_text()
    assert commands == ["make lint", "make test"]
    for command in commands:
        assert command in readme


def test_every_make_target_that_a_document_names_exists():
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, flags=re.MULTILINE))
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        named = set(re.findall(r"`make ([a-z-]+)", page.read_text())) | set(
            re.findall(r"^\$? ?make ([a-z-]+)", page.read_text(), flags=re.MULTILINE)
        )
        assert named <= targets, page


@pytest.mark.parametrize("readme", README_TABLES, ids=lambda path: path.parent.name)
def test_the_readme_of_a_folder_names_every_file_in_it(readme):
    text = readme.read_text()
    files = sorted(path.stem for path in readme.parent.glob("*.py") if path.stem != "__init__")
    assert [stem for stem in files if not re.search(rf"`{stem}(\.py)?`", text)] == []


def test_the_environment_is_made_again_when_the_pins_change():
    rule = re.search(r"^\$\(STAMP\): (.*)$", MAKEFILE, flags=re.MULTILINE)
    assert rule is not None
    assert {"pyproject.toml", "constraints.txt"} <= set(rule[1].split())


def test_version_is_the_same_everywhere():
    import healing_runtime

    assert PROJECT["project"]["version"] == healing_runtime.__version__


def test_the_changelog_has_a_place_for_the_next_line():
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text()


OWN = {"healing_runtime", "sim", "tests"}
TWINS = {"pydantic_core"}
"""Released together with a package that is asked for, which pins its exact version."""


def imported(folder: str) -> dict[str, Path]:
    """Top-level names that the files of a folder import, and a file that does."""
    found: dict[str, Path] = {}
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            found |= {name.partition(".")[0]: path for name in names}
    local = {p.stem for p in (ROOT / folder).rglob("*.py")} | {p.name for p in (ROOT / folder).rglob("*") if p.is_dir()}
    return {name: path for name, path in found.items() if name not in sys.stdlib_module_names | local | OWN | TWINS}


def closure(names: set[str]) -> set[str]:
    """Distributions and all that they need in turn."""
    seen: set[str] = set()
    while names - seen:
        name = (names - seen).pop()
        seen.add(name)
        wanted = [r for r in importlib.metadata.requires(name) or [] if "extra ==" not in r]
        installed = {n for n in bare_names(wanted) if n in pinned()}
        names = names | installed
    return seen


OPTIONAL = {
    name
    for extra, wanted in PROJECT["project"]["optional-dependencies"].items()
    if extra != "dev"
    for name in bare_names(wanted)
}


def test_optional_packages_are_loaded_where_they_are_used():
    for path in (ROOT / "healing_runtime").rglob("*.py"):
        heads = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)]
        names = {a.name for node in heads if isinstance(node, ast.Import) for a in node.names}
        names |= {node.module for node in heads if isinstance(node, ast.ImportFrom) and node.module}
        assert not OPTIONAL & {name.partition(".")[0] for name in names}, path


@pytest.mark.parametrize("folder", ["healing_runtime", "sim", "tests", "benchmarks", "docs", "tools"])
def test_whatever_is_imported_is_asked_for(folder):
    asked = bare_names(PROJECT["project"]["dependencies"]) | OPTIONAL
    if folder not in ("healing_runtime", "sim"):
        asked = closure(asked | bare_names(PROJECT["project"]["optional-dependencies"]["dev"]))
    distributions = importlib.metadata.packages_distributions()
    for name, path in imported(folder).items():
        offered = bare_names(distributions.get(name, [f"no distribution has {name}"]))
        assert offered & asked, f"{path} imports {name}"
