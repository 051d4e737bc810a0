import pytest

from healing_runtime.supervisor.machine import TRANSITIONS, Event, Machine, Mode


def test_the_story_of_a_heal_is_a_path_through_the_table():
    told = []
    machine = Machine(lambda tick, event, before, after: told.append((tick, event, before, after)))
    for tick, event in enumerate([Event.VIOLATION, Event.PAUSE, Event.REPAIR, Event.ACCEPTED, Event.SWAP]):
        machine.fire(event, tick)
    assert machine.mode is Mode.PROBATION
    machine.fire(Event.ROLLED_BACK, 9)
    assert machine.mode is Mode.HELD
    machine.fire(Event.FINISH, 10)
    assert machine.mode is Mode.ENDED
    assert told[0] == (0, Event.VIOLATION, Mode.NOMINAL, Mode.TRIPPED)
    assert len(told) == 7


def test_new_code_flies_only_through_ready():
    assert {before for (before, event), after in TRANSITIONS.items() if after is Mode.PROBATION} == {Mode.READY}
    assert {before for (before, event), after in TRANSITIONS.items() if after is Mode.READY} == {
        Mode.REPAIRING,
        Mode.AWAITING,
    }
    assert {before for (before, event), after in TRANSITIONS.items() if after is Mode.AWAITING} == {Mode.READY}


def test_every_mode_can_end_and_an_ended_run_stays_ended():
    for mode in Mode:
        assert ((mode, Event.FINISH) in TRANSITIONS) == (mode is not Mode.ENDED)
    assert not any(before is Mode.ENDED for before, _ in TRANSITIONS)


def test_a_transition_that_is_not_in_the_table_is_a_defect():
    machine = Machine(lambda *_: None)
    with pytest.raises(RuntimeError, match="no transition from nominal on swap"):
        machine.fire(Event.SWAP, 0)


def test_a_journal_that_fails_stops_the_transition():
    def journal(*_):
        raise OSError("disk full")

    machine = Machine(journal)
    with pytest.raises(OSError, match="disk full"):
        machine.fire(Event.VIOLATION, 3)
    assert machine.mode is Mode.NOMINAL


def test_the_fallback_takes_over_from_anywhere_and_keeps_the_robot_to_the_end():
    for mode in Mode:
        flies = mode not in (Mode.FALLBACK, Mode.ENDED)
        assert ((mode, Event.FALL_BACK) in TRANSITIONS) == flies
    assert {event: after for (mode, event), after in TRANSITIONS.items() if mode is Mode.FALLBACK} == {
        Event.FINISH: Mode.ENDED
    }
