"""The guards that every test runs under, and what importing the package costs."""

import socket
import subprocess
import sys
import warnings

import pytest
from pytest_socket import SocketConnectBlockedError

import healing_runtime


def test_the_network_is_off():
    with socket.socket() as outside, pytest.warns(UserWarning), pytest.raises(SocketConnectBlockedError):
        outside.connect(("192.0.2.1", 80))


def test_loopback_is_on():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass


def test_a_warning_is_an_error():
    with pytest.raises(DeprecationWarning):
        warnings.warn("old", DeprecationWarning, stacklevel=1)


def test_public_names_are_those_that_are_promised():
    assert set(healing_runtime.__all__) == {
        "Approve",
        "Reject",
        "RunResult",
        "Runtime",
        "__version__",
        "load_scenario",
        "resume",
        "stl",
        "tensorlang",
    }
    for name in healing_runtime.__all__:
        assert getattr(healing_runtime, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = healing_runtime.nothing


def test_importing_the_package_and_asking_for_help_loads_nothing_heavy():
    code = (
        "import sys; from healing_runtime.cli.main import execute; execute(['--help']);"
        "heavy = {'jax', 'numpy', 'pybullet', 'pydantic', 'rich', 'scipy'};"
        "print(sorted(heavy & {m.partition('.')[0] for m in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_what_every_flight_and_every_zygote_starts_with_loads_none_of_scipys_large_packages():
    code = (
        "import importlib, sys; from healing_runtime.sandbox.zygote import DEFAULT_MODULES;"
        "names = (*DEFAULT_MODULES, 'healing_runtime.app.check', 'healing_runtime.app.flights');"
        "[importlib.import_module(name) for name in names];"
        "print(sorted({'scipy.special', 'scipy.stats', 'scipy.optimize', 'scipy.linalg'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
