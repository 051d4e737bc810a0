"""What may not be a fallback is refused before anything flies, in the words of `heal check`."""

import pytest

from healing_runtime import workspace
from healing_runtime.app.check import check
from healing_runtime.core.errors import InputError
from tests.supervisor.falling import falling_in, run


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return falling_in(tmp_path_factory.mktemp("own"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("lander/no_such", r"own\.yaml:8:\d+: policy\.fallback: there is no controller 'lander/no_such'"),
        ("no/such.py", r"own\.yaml:8:\d+: policy\.fallback: there is no file no/such\.py"),
        ("lander/falls", r"own\.yaml:8:\d+: policy\.fallback: 'lander/falls' is the controller itself"),
        ("lander/falls_too", r"own\.yaml:8:\d+: policy\.fallback: 'lander/falls_too' is a copy of the controller"),
        (
            "own.yaml",
            r"own\.yaml:8:\d+: policy\.fallback: \S*scenarios/lander/own\.yaml:\d+:\d+ is no controller: not Python",
        ),
        (
            "cartpole/hold",
            r"own\.yaml:8:\d+: policy\.fallback: \S*hold\.py:\d+.*: the fallback 'cartpole/hold' may not fly the "
            r"lander: .*not a key of obs",
        ),
        pytest.param(
            "lander/lost",
            r"lost\.py: the fallback 'lander/lost' may not fly the lander: flight 1 of 32 .* not finite at tick 0 ",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_fallback_that_may_not_fly_is_refused_before_anything_does(made, name, said):
    home = made(name)
    before = set(home.runs.iterdir()) if home.runs.is_dir() else set()
    with pytest.raises(InputError, match=said) as refused:
        run(home, brain="none")
    assert refused.value.exit_code == 2 and "\n" not in str(refused.value)
    assert (set(home.runs.iterdir()) if home.runs.is_dir() else set()) == before


def test_check_looks_at_the_fallback_as_at_the_controller(made, monkeypatch):
    monkeypatch.chdir(made("cartpole/hold").root)
    report = check(["lander/own"])
    (error,) = [f for f in report.document["findings"] if f["severity"] == "error"]
    assert (error["path"], error["line"]) == ("scenarios/lander/own.yaml", 8)
    with pytest.raises(InputError) as refused:
        run(workspace.open(), brain="none")
    assert error["message"] == refused.value.message, "the words of heal run"
    report = check(["cartpole/hold"])
    places = {f["path"].rpartition("controllers/")[2] for f in report.document["findings"] if f["severity"] == "error"}
    assert places == {"cartpole/hold.py"}, "asked for by its own name, it has the place to itself"
