"""Where names come from, and how a robot's folder is loaded."""

from __future__ import annotations

import sys

import pytest

from healing_runtime import workspace
from healing_runtime.core.errors import FileFormatError, InputError, NotFoundInCatalogue
from healing_runtime.workspace.opened import Workspace


def test_the_workspace_hides_the_catalogue(ws, root, tmp_path_factory):
    catalogue = tmp_path_factory.mktemp("catalogue")
    for name, text in {"cart/still": "# shipped\n", "cart/other": "# other\n"}.items():
        path = catalogue / "controllers" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    both = Workspace(root, catalogue)
    assert both.controller("cart/still").text == '"""Do nothing."""\n'
    assert both.controller("cart/other").text == "# other\n"
    assert both.controller_names() == ("cart/other", "cart/still")
    assert both.controller("cart/other").name == "cart/other"


def test_a_path_comes_first(ws, root):
    (root / "still.py").write_text("# here\n")
    assert ws.controller("still.py").text == "# here\n"


def test_listings(ws):
    mine = Workspace(ws.root, ws.root)
    assert mine.scenario_names() == ("cart/drop",)
    assert mine.scenario_names("cart") == ("cart/drop",)
    assert mine.scenario_names("rover") == ()
    assert mine.assertion_names() == ("cart/low",)
    assert mine.robot_names() == ("cart",)


def test_a_robot_is_loaded_as_a_private_package(ws, root):
    robot = ws.robot("cart")
    assert robot.initial().fuel_kg == 2.5
    assert robot is workspace.load_robot("cart", str(ws.sim_root("cart")))
    assert not {"sim", "robots", "constants"} & set(sys.modules)
    assert robot.initial.__module__.startswith("_healing_sim_")


def test_two_folders_do_not_clash(ws, root, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    for file in ("sim/robots/cart.py", "sim/constants.py"):
        (other / file).parent.mkdir(parents=True, exist_ok=True)
        (other / file).write_text((root / file).read_text().replace("2.5", "7.5"))
    assert workspace.load_robot("cart", other / "sim").initial().fuel_kg == 7.5
    assert ws.robot("cart").initial().fuel_kg == 2.5


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        ("def f(:\n", FileFormatError, ["bad.py:1", "not valid Python"]),
        ("\nx = 1 / 0\n", InputError, ["bad.py:2", "ZeroDivisionError"]),
        ("import surely_not_installed\n", InputError, ["bad.py:1", "surely_not_installed"]),
        ("ROBOT = 3\n", FileFormatError, ["bad.py", "ROBOT"]),
        ("from .cart import ROBOT\n", FileFormatError, ["bad.py", "named 'cart'"]),
    ],
)
def test_a_robot_that_cannot_be_loaded(root, code, kind, words):
    (root / "sim/robots/bad.py").write_text(code)
    with pytest.raises(kind) as error:
        workspace.load_robot("bad", root / "sim")
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_a_robot_name_is_never_a_path(ws):
    for name in ("../cart", "robots.cart", "", "os"):
        with pytest.raises(NotFoundInCatalogue):
            ws.robot(name)


def test_a_formula_is_located_at_its_first_character(root, ws):
    path = root / "assertions/cart/low.yaml"
    path.write_text(
        "robot: cart\nassertions:\n"
        "  - {id: plain, formula: always (a)}\n"
        '  - {id: quoted, formula: "always (a)"}\n'
        "  - id: block\n    formula: |\n\n      always\n        (a)\n"
    )
    places = {a.id: (a.where.line, a.where.column) for a in ws.assertion_file("cart/low").assertions}
    assert places == {"plain": (3, 26), "quoted": (4, 28), "block": (8, 7)}
