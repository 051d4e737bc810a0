"""`heal catalogue list | show`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from healing_runtime.cli import output

PLACE = 70


def register(program: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(
        help="What there is to fly.", no_args_is_help=True, epilog="Example: heal catalogue show quadrotor"
    )
    group.command("list", epilog="Example: heal catalogue list")(list_names)
    group.command("show", epilog="Example: heal catalogue show lander/neuro_lander --json")(show)
    program.add_typer(group, name="catalogue")


def list_names(as_json: output.JsonFlag = False) -> None:
    """List robots, scenarios, controllers and assertion files."""
    from healing_runtime.app import catalogue

    names = catalogue.names()
    output.emit(names, as_json, lambda: _list(names))


def show(
    name: Annotated[str, typer.Argument(help="A robot, scenario, controller or assertion file, as 'list' shows it.")],
    as_json: output.JsonFlag = False,
) -> None:
    """Show a robot's signals and faults, or a file.

    A name that a scenario and a controller share shows both.
    """
    from healing_runtime.app import catalogue

    entries = catalogue.show(name)
    output.emit({"name": name, "entries": entries}, as_json, lambda: [line for e in entries for line in _entry(e)])


def _list(names: dict[str, list[str]]) -> list[str]:
    return [line for kind, found in names.items() for line in (kind, *(f"  {n}" for n in found), "")][:-1]


def _entry(entry: dict[str, Any]) -> list[str]:
    if entry["kind"] == "robot":
        return _robot(entry)
    lines = [f"{entry['kind']} {entry['name']}  ({entry['path']})", ""]
    return [*lines, *entry["text"].rstrip().splitlines(), ""]


def _robot(entry: dict[str, Any]) -> list[str]:
    lines = [f"robot {entry['name']}: {entry['description']}"]
    for kind in ("observed", "action", "true"):
        rows = [
            (s["name"], s["key"], s["unit"] or "-", "x".join(map(str, s["shape"])) or "-", _limits(s), s["description"])
            for s in entry["signals"][kind]
        ]
        lines += ["", f"{kind} signals", *output.table(rows, ("signal", "key", "unit", "shape", "limits", "meaning"))]
    figures = [(c["name"], _figure(c["value"]), c["unit"] or "-", c["source"]) for c in entry["constants"]]
    lines += ["", *output.table(figures, ("constant", "value", "unit", "source"))] if figures else []
    for section in ("initial", "environment", "reference"):
        rows = [(key, output.number(value)) for key, value in entry[section].items()]
        lines += ["", f"{section} (of a scenario file)", *output.table(rows, ("key", "default"))] if rows else []
    faults = [(f["kind"], f["touches"], ", ".join(f["parameters"]), _written(f["example"])) for f in entry["faults"]]
    return [*lines, "", *output.table(faults, ("fault", "touches", "parameters", "for example")), ""]


def _written(example: dict[str, Any]) -> str:
    """Parameters as a line of a scenario file has them."""
    return ", ".join(f"{key}: {str(value).replace(chr(39), '')}" for key, value in example.items())


def _figure(value: Any) -> str:
    """A number to five digits, or several, as they stand in a table."""
    return ", ".join(f"{number:.5g}" for number in (value if isinstance(value, list) else [value]))


def _limits(signal: dict[str, Any]) -> str:
    low, high = signal["low"], signal["high"]
    return "" if low == "-inf" and high == "inf" else f"{output.number(low)} … {output.number(high)}"
