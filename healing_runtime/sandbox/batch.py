"""Worlds in lockstep: many flights of one robot in this process, with one XLA call a tick for all of them.

For searches alone. Where XLA does not make one kernel of the program, it orders the sums of a batch in another way than
those of one lane, so a lane's commands differ from those of the same flight alone in their last bits, and the flight
with them. How far is not bounded: a stable loop keeps it there, an unstable one (late or dropped commands) makes more
of it with every tick, and a touchdown or a limit that a last bit decides parts two flights in one tick.
`docs/python.md` says what was measured. Only with itself a batch agrees bit for bit, in any lane and beside any others.
A flight that carries a verdict is flown by `loop.rollout.fly`, with the executable of the live loop; gate, repair and
supervisor may not even import this.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Self

from healing_runtime import stl, workspace
from healing_runtime.compile.programs import Program
from healing_runtime.core.errors import InputError
from healing_runtime.core.plant import Robot
from healing_runtime.core.records import FinalVerdict, Scenario, Trace
from healing_runtime.core.status import Severity
from healing_runtime.loop.rollout import final_verdicts
from healing_runtime.sandbox import lockstep
from healing_runtime.workspace import Workspace

MOST_WORLDS = 512
"""Bullet gives out 1,024 clients in a process, and other plants want some, too."""
MOST_BYTES = 4 * 2**30
"""What the samples of the lanes that fly together may take: their flights are kept whole until the last one ends."""


class Glimpse(NamedTuple):
    """What a lane showed: enough to search by, and nothing that a verdict may rest on.

    The rows of a trace lie in those of all lanes that flew together: copy what is kept for longer than they are.
    """

    trace: Trace
    verdicts: tuple[FinalVerdict, ...]
    trip_tick: int | None
    tripped: tuple[str, ...]


class Batch:
    """As many worlds of one robot as the program has lanes, each with a plant of its own. Close it, or use `with`.

    `home` is where the names of the scenarios' controllers and assertion files are looked up (once each), to hold what
    stands there against what the program was compiled from. A program knows the hash of its controller's source, of its
    requirements the ids, severities, scales and formulas as written, and of its robot how long the signal vectors are.
    It does not know the constants and definitions of an assertion file, nor a robot's name: what differs in these alone
    is taken for the same.

    Raises:
        InputError: the program is no batch, is another robot's, or has more lanes than there can be worlds; the robot's
            plant is none; or an argument is something else than a robot, a program, a workspace.
    """

    def __init__(self, robot: Robot, program: Program, home: Workspace) -> None:
        _must_be(robot, Robot, "a robot, as workspace.open().robot(name) gives one")
        _must_be(program, Program, "a program, as tensorlang.compile(..., lanes=N) gives one")
        _must_be(home, Workspace, "a workspace, as workspace.open() gives one")
        shape, table = program.carry.floats.shape, robot.signals
        if len(shape) != 2:
            raise InputError("this program ticks one flight; compile it for a batch, with lanes=N.")
        if shape[0] > MOST_WORLDS:
            raise InputError(f"a process has room for {MOST_WORLDS} worlds; compile for that many lanes or less.")
        if program.interface.inputs != (table.observed.size, table.true.size):
            raise InputError(f"this program does not read the signals of '{robot.name}'; compile it for that robot.")
        self.lanes: int = shape[0]
        self._robot, self._program, self._home = robot, program, home
        self._sources: dict[str, str] = {}
        self._requirements: dict[tuple[str, ...], tuple[Any, ...]] = {}
        self._plants = [workspace.new_plant(robot) for _ in range(self.lanes)]
        self._fit = self._closed = False

    def fly(self, scenarios: Iterable[Scenario]) -> list[Glimpse]:
        """Fly each scenario from its start to its end or its first trip, `lanes` at a time, in their order.

        They may differ in everything but what the program was compiled for: the robot, the controller, the assertions,
        the mission, the control rate and the dtype. A lane's flight does not depend on what flies beside it.

        Raises:
            InputError: the batch is closed; or a scenario is none, is not what the program was compiled for, has faults
                that wait, says what no scenario file could say, lasts too long to be kept, or is none that the robot
                can fly; or the robot's own code raises.
        """
        if self._closed:
            raise InputError("this batch is closed; make another one.")
        if not isinstance(scenarios, Iterable):
            raise InputError(f"a batch flies any number of scenarios, not a {type(scenarios).__name__}; give a list.")
        wanted = [self._fitting(scenario) for scenario in scenarios]
        rounds = (wanted[i : i + self.lanes] for i in range(0, len(wanted), self.lanes))
        with workspace.own_mistakes(self._robot):
            return [glimpse for together in rounds for glimpse in self._round(together)]

    def close(self) -> None:
        """Free the worlds; closing twice is allowed."""
        for plant in self._plants:
            plant.close()
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _fitting(self, given: Any) -> Scenario:
        """The scenario as it is flown. InputError where it is none, none of this batch, or no file could say it."""
        if not isinstance(given, Scenario):
            hint = "; give its '.scenario'" if isinstance(getattr(given, "scenario", None), Scenario) else ""
            raise InputError(f"a batch flies scenarios, not a {type(given).__name__}{hint}.")
        scenario = workspace.as_a_record(given)
        interface = self._program.interface
        wanted = {
            "robot": (scenario.robot, self._robot.name),
            "control_hz": (scenario.control_hz, interface.control_hz),
            "dtype": (scenario.dtype, interface.controller.dtype),
        }
        for what, (has, needs) in wanted.items():
            if has != needs:
                raise InputError(f"'{scenario.name}' has {what} {has}, this batch {needs}; fly it in another batch.")
        for what in self._differences(scenario):
            has = getattr(scenario, what)
            raise InputError(
                f"'{scenario.name}' has {what} {has}, and this batch was compiled from something else; "
                "fly it in another batch."
            )
        if scenario.triggers:
            raise InputError(f"'{scenario.name}' has faults that wait for a formula; fly it alone.")
        scenario = workspace.completed(scenario, self._robot)
        self._must_be_kept(scenario)
        return scenario

    def _differences(self, scenario: Scenario) -> Iterator[str]:
        """Which of `controller`, `assertions` and `mission` are not what the program was compiled from."""
        interface = self._program.interface
        if self._source_sha256(scenario.controller) != interface.controller.source_sha256:
            yield "controller"
        bound = self._bound(scenario.assertions)
        compiled = [_identity(r, r.formula) for r in interface.requirements]
        judging = [_identity(r, r.text) for r in stl.judging(bound, scenario.mission)]
        if [r for r in judging if not r.mission] != [r for r in compiled if not r.mission]:
            yield "assertions"
        missions = [r for r in compiled if r.mission]
        if [r for r in judging if r.mission] != missions or bool(missions) != (scenario.mission is not None):
            yield "mission"

    def _source_sha256(self, controller: str) -> str:
        if controller not in self._sources:
            self._sources[controller] = self._home.controller(controller).sha256
        return self._sources[controller]

    def _bound(self, assertions: tuple[str, ...]) -> tuple[Any, ...]:
        if assertions not in self._requirements:
            files = [self._home.assertion_file(name) for name in assertions]
            hz = self._program.interface.control_hz
            self._requirements[assertions] = stl.bind(files, self._robot.signals, hz)
        return self._requirements[assertions]

    def _must_be_kept(self, scenario: Scenario) -> None:
        """No more samples than a process can keep."""
        ticks, table = scenario.duration_ticks, self._robot.signals
        sample = table.observed.size + table.true.size + table.action.size + self._program.interface.packed_size
        most = MOST_BYTES // (8 * sample * self.lanes) - 1
        if ticks > most:
            raise InputError(
                f"'{scenario.name}' has duration_ticks {ticks}, and {self.lanes} lanes can keep {most}; "
                "shorten it, or compile for fewer lanes."
            )

    def _round(self, scenarios: Sequence[Scenario]) -> list[Glimpse]:
        for plant, scenario in zip(self._plants, scenarios, strict=False):
            plant.reset(scenario, scenario.seed)
            if not self._fit:
                workspace.must_sample(plant, self._robot)
                self._fit = True
        plants, last_ticks = self._plants[: len(scenarios)], [s.duration_ticks for s in scenarios]
        lanes = lockstep.fly(plants, self._program, last_ticks)
        return [self._glimpse(scenario, lane) for scenario, lane in zip(scenarios, lanes, strict=True)]

    def _glimpse(self, scenario: Scenario, lane: lockstep.Lane) -> Glimpse:
        observed = self._robot.signals.observed.size
        sensed, true = lane.samples[:, :observed], lane.samples[:, observed:]
        trace = Trace(scenario.name, scenario.control_hz, 0, sensed, true, lane.action, lane.packed)
        violated = self._program.interface.violated(lane.packed[-1]) if lane.tripped else ()
        tick = len(lane.samples) - 1 if lane.tripped else None
        return Glimpse(trace, final_verdicts(self._program, trace), tick, violated)


class _Identity(NamedTuple):
    """What tells a requirement from another, as far as a program knows."""

    id: str
    severity: Severity
    mission: bool
    scale: float
    formula: str


def _identity(requirement: Any, formula: str) -> _Identity:
    r = requirement
    return _Identity(r.id, r.severity, r.mission, float(r.scale), formula)


def _must_be(given: Any, kind: type, what: str) -> None:
    if not isinstance(given, kind):
        raise InputError(f"a batch is made of {what}, not of a {type(given).__name__}.")
