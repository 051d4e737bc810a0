"""`heal assertions …`: one file a subcommand, found by themselves in the order of their `PLACE`."""

from __future__ import annotations

import importlib
import pkgutil

import typer

PLACE = 35


def register(program: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(
        help="Read, test, draw and attack assertions.",
        no_args_is_help=True,
        epilog="Example: heal assertions explain quadrotor/landing",
    )
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    for module in sorted(modules, key=lambda m: m.PLACE):
        module.register(group)
    program.add_typer(group, name="assertions")
