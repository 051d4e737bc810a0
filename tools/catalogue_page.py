"""Write the tables of docs/catalogue.md anew, from the scenario files alone.

A table stands below a line `<!-- labels -->` or `<!-- landings -->`, up to the next empty line. A scenario that says
nothing under `healable` is one that its controller survives; a bracket is what its second comment line says.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from healing_runtime import workspace
from healing_runtime.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/catalogue.md"
BRACKET = re.compile(r"# landing_pid (?:bears this; it )?((?:bears|fails at) [^;]*?)(?:; here .*|\.)")


def main() -> None:
    """Rewrite the page."""
    PAGE.write_text(written(PAGE.read_text(), workspace.open(ROOT)))


def written(page: str, home: Workspace) -> str:
    """The page with its tables as the scenario files have it."""
    for mark, rows in (("labels", labels(home)), ("landings", landings(home))):
        page = re.sub(
            rf"(<!-- {mark} -->\n\n).*?\n\n", lambda m, r=rows: m[1] + "\n".join(r) + "\n\n", page, flags=re.S
        )
    return page


def label_of(home: Workspace, name: str) -> str:
    """`yes no unknown`, or `survived`."""
    scenario = home.scenario(name).scenario
    return scenario.healable if scenario.healable_reason else "survived"


def labels(home: Workspace) -> list[str]:
    """How many of a robot's scenarios have which label."""
    kinds = ("survived", "yes", "no", "unknown")
    rows = [f"| robot | {' | '.join(kinds)} |", "|---|---|---|---|---|"]
    for robot in home.robot_names():
        count = Counter(label_of(home, name) for name in home.scenario_names(robot))
        rows.append(f"| {robot} | {' | '.join(str(count[kind]) for kind in kinds)} |")
    return rows


def landings(home: Workspace) -> list[str]:
    """Every scenario of the quadrotor: what is wrong, where the sound controller fails, the label."""
    rows = ["| scenario | what is wrong | the sound controller | label |", "|---|---|---|---|"]
    for name in home.scenario_names("quadrotor"):
        loaded = home.scenario(name)
        scenario = loaded.scenario
        wrong = ", ".join(f"`{kind}`" for kind in dict.fromkeys(fault.kind for fault in scenario.faults))
        if not wrong:
            sound = scenario.controller == "quadrotor/landing_pid"
            wrong = "the surroundings" if sound and scenario.healable_reason else "-" if sound else "the controller"
        found = next((BRACKET.fullmatch(line) for line in loaded.text.splitlines() if BRACKET.fullmatch(line)), None)
        rows.append(f"| `{name}` | {wrong} | {found[1] if found else '-'} | {label_of(home, name)} |")
    return rows


if __name__ == "__main__":
    main()
