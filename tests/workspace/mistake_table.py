"""The mistakes that authors of scenario files make, where each is told, and what is said of it.

`ROWS` are changes to the file `BASE`, which has no mistake. `…` in a message stands for a list
that grows with the catalogue.
"""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """A mistake that is made by writing `new` for `old`; `place` is the line and the column at which it is told."""

    old: str
    new: str
    place: str
    message: str


BASE = """\
robot: quadrotor
controller: quadrotor/landing_pid
assertions: [quadrotor/landing]
mission: landed
duration: 12 s
rates: {control_hz: 48, physics_hz: 240}
seed: 7
initial: {position_m: [0.3, -0.2, 1.5], velocity_mps: [0, 0, 0]}
environment: {gravity_mps2: 9.8, pad: {slope_deg: 0, friction: 0.8}}
reference: {position_m: [0, 0, 0]}
faults:
  - {kind: rotor_efficiency, rotor: 0, value: 0.8, start: 3 s, until: 5 s}
  - {kind: sensor_stuck, signal: altitude, start: 1 s, until: 2 s}
perturb: {position_m: {normal: 0.02}, faults: {value: {uniform: [-0.05, 0.05]}}}
policy: {on_violation: rewind, probation: 2 s, max_attempts: 8, wall_budget_s: 60}
acceptance: {min_robustness: 0.02, neighbourhood: {samples: 96, min_pass_rate: 0.9, confidence: 0.95}}
dtype: float32
healable: {label: unknown}
"""

ROWS = (
    Row(
        "robot: quadrotor",
        "robot: quadrocopter",
        "1:8",
        "robot: there is no robot 'quadrocopter'. Did you mean 'quadrotor'?",
    ),
    Row(
        "robot: quadrotor",
        "robot: [quadrotor]",
        "1:8",
        "robot: must be text; write it on the line of its key, or in quotes.",
    ),
    Row(
        "robot: quadrotor\n",
        "robot:\n",
        "1:1",
        "robot is empty; write it, or remove the key.",
    ),
    Row(
        "controller: quadrotor/landing_pid",
        "controller: quadrotor/landing_pdi",
        "2:13",
        "controller: there is no controller 'quadrotor/landing_pdi'. Did you mean '…'?",
    ),
    Row(
        "controller: quadrotor/landing_pid",
        "controller: 3",
        "2:13",
        "controller: must be text, not 3; put it in quotes.",
    ),
    Row(
        "[quadrotor/landing]",
        "quadrotor/landing",
        "3:13",
        "assertions: must be a list; begin each entry with '- '.",
    ),
    Row(
        "[quadrotor/landing]",
        "[lander/landing]",
        "3:14",
        "assertions 'lander/landing' are for the robot lander, not quadrotor; name another file.",
    ),
    Row(
        "[quadrotor/landing]",
        "[quadrotor/landin]",
        "3:14",
        "assertions[0]: there is no assertion file 'quadrotor/landin'. Did you mean '…'?",
    ),
    Row(
        "mission: landed",
        "mission: Landed",
        "4:10",
        "mission: \"Landed\" is not a name; use lower-case letters, digits and '_' ('-' in ids), a letter first.",
    ),
    Row(
        "mission: landed",
        "mission: lands",
        "4:10",
        "mission: no assertion file of this scenario has a mission 'lands'. Did you mean 'landed'?",
    ),
    Row(
        "mission: landed",
        "mission: landed\nmission: landed",
        "5:1",
        "the key 'mission' stands here twice; keep one.",
    ),
    Row(
        "dtype: float32",
        "dtype: double",
        "17:8",
        'dtype cannot be "double". Write one of: float32, float64.',
    ),
    Row(
        "dtype: float32",
        "d_type: float32",
        "17:1",
        "unknown key 'd_type'. Did you mean 'dtype'?",
    ),
    Row(
        "label: unknown",
        "label: maybe",
        "18:19",
        'healable.label cannot be "maybe". Write one of: no, unknown, yes.',
    ),
    Row(
        "label: unknown",
        "label: true",
        "18:19",
        "healable.label cannot be true. Write one of: no, unknown, yes.",
    ),
    Row(
        "label: unknown",
        "label: yes",
        "18:11",
        "healable: the label 'yes' is a claim; write why under 'reason'.",
    ),
    Row(
        "label: unknown",
        "label: no, reason: ' '",
        "18:11",
        "healable: the label 'no' is a claim; write why under 'reason'.",
    ),
    Row(
        "control_hz: 48",
        "control_hz: 50",
        "6:21",
        "control_hz 50 does not divide physics_hz 240; write control_hz 48 or 60, or a multiple of 50 as physics_hz.",
    ),
    Row(
        "control_hz: 48",
        "control_hz: 0",
        "6:21",
        "rates.control_hz: must be greater than or equal to 1, not 0; write one that is.",
    ),
    Row(
        "control_hz: 48",
        "control_hz: -48",
        "6:21",
        "rates.control_hz: must be greater than or equal to 1, not -48; write one that is.",
    ),
    Row(
        "control_hz: 48",
        "control_hz: 480",
        "6:21",
        "control_hz 480 does not divide physics_hz 240; write control_hz 240, or a multiple of 480 as physics_hz.",
    ),
    Row(
        "control_hz: 48",
        "control_hz: 1000000",
        "6:21",
        "rates.control_hz: must be less than or equal to 10000, not 1000000; write one that is.",
    ),
    Row(
        "control_hz: 48",
        "control_hz: 47.5",
        "6:21",
        "rates.control_hz: must be a valid integer, not 47.5; write a whole number.",
    ),
    Row(
        "control_hz: 48",
        "control_hz: 48 Hz",
        "6:21",
        'rates.control_hz: must be a valid integer, not "48 Hz"; write a whole number.',
    ),
    Row(
        "physics_hz: 240",
        "physics_hz: 240000",
        "6:37",
        "rates.physics_hz: must be less than or equal to 100000, not 240000; write one that is.",
    ),
    Row(
        "physics_hz: 240",
        "physics_hz: 0",
        "6:37",
        "rates.physics_hz: must be greater than or equal to 1, not 0; write one that is.",
    ),
    Row(
        "{control_hz: 48, physics_hz: 240}",
        "48",
        "6:8",
        "rates: must be a mapping; write 'key: value' lines.",
    ),
    Row(
        "duration: 12 s",
        "duration: 12",
        "5:11",
        "duration: '12' is not a duration; write for example '0.5 s' or '200 ms'.",
    ),
    Row(
        "duration: 12 s",
        "duration: -12 s",
        "5:11",
        "duration: a time is never negative; write one from 0 s on.",
    ),
    Row(
        "duration: 12 s",
        "duration: 0 s",
        "5:11",
        "duration: '0 s' is not a whole number of ticks at 48 Hz; write '0.0625 s'.",
    ),
    Row(
        "duration: 12 s",
        "duration: 1e9 s",
        "5:11",
        "duration: '1e9 s' is 48000000000 ticks; a run has at most 1,000,000, so '20833.3125 s'.",
    ),
    Row(
        "duration: 12 s\nrates: {control_hz: 48, physics_hz: 240}",
        "duration: 500000 s\nrates: {control_hz: 2, physics_hz: 50000}",
        "5:11",
        "duration: '500000 s' is 25000000000 physics steps; a run has at most 100,000,000, so '2000 s'.",
    ),
    Row(
        "duration: 12 s",
        "duration: 12.01 s",
        "5:11",
        "duration: '12.01 s' is not a whole number of ticks at 48 Hz; write '12 s' or '12.0625 s'.",
    ),
    Row(
        "duration: 12 s",
        "duration: .inf",
        "5:11",
        ".inf is not a finite number; write a finite one.",
    ),
    Row(
        "duration: 12 s",
        "duration: forever",
        "5:11",
        "duration: 'forever' is not a quantity; write a number and a unit, as in '0.5 m/s'.",
    ),
    Row(
        "duration: 12 s",
        "duration: 12 m",
        "5:11",
        "duration: '12 m' is not a duration; write for example '0.5 s' or '200 ms'.",
    ),
    Row(
        "seed: 7",
        "seed: -1",
        "7:7",
        "seed: must be greater than or equal to 0, not -1; write one that is.",
    ),
    Row(
        "seed: 7",
        "seed: 2147483648",
        "7:7",
        "seed: must be less than 2147483648, not 2147483648; write one that is.",
    ),
    Row(
        "seed: 7",
        "seed: 1.5",
        "7:7",
        "seed: must be a valid integer, not 1.5; write a whole number.",
    ),
    Row(
        "seed: 7",
        "seed: '7'",
        "7:8",
        'seed: must be a valid integer, not "7"; write a whole number.',
    ),
    Row(
        "seed: 7",
        "seed: true",
        "7:7",
        "seed: must be a valid integer, not true; write a whole number.",
    ),
    Row(
        "[0.3, -0.2, 1.5]",
        "[0.3, -0.2]",
        "8:23",
        "the key 'initial.position_m[2]' is missing; add it.",
    ),
    Row(
        "[0.3, -0.2, 1.5]",
        "[0.3, -0.2, high]",
        "8:35",
        "initial.position_m[2]: 'high' is not a quantity; write a number and a unit, as in '0.5 m/s'.",
    ),
    Row(
        "[0.3, -0.2, 1.5]",
        "[0.3, -0.2, 1.5 s]",
        "8:35",
        "initial.position_m[2]: '1.5 s' has the wrong dimension; write it in m.",
    ),
    Row(
        "[0.3, -0.2, 1.5]",
        "[0.3, -0.2, .nan]",
        "8:35",
        ".nan is not a finite number; write a finite one.",
    ),
    Row(
        "reference: {position_m: [0, 0, 0]}",
        "reference: {position_m: [0, 0, 1e31]}",
        "10:32",
        "reference.position_m[2]: 1e+31 is too large a number; write one that a robot can reach.",
    ),
    Row(
        "position_m: [0.3, -0.2, 1.5]",
        "position: [0.3, -0.2, 1.5]",
        "8:22",
        "initial.position[0]: 0.3 has no unit; write '0.3 m'.",
    ),
    Row(
        "velocity_mps: [0, 0, 0]",
        "velocity_kmh: [0, 0, 0]",
        "8:41",
        "unknown key 'velocity_kmh'. Did you mean 'velocity_mps'?",
    ),
    Row(
        "velocity_mps: [0, 0, 0]",
        "position: [0 m, 0 m, 1 m]",
        "8:41",
        "initial.position and position_m are the same quantity; keep one.",
    ),
    Row(
        "gravity_mps2: 9.8",
        "gravity_mps2: -9.8",
        "9:29",
        "environment.gravity_mps2: must be greater than 0, not -9.8; write one that is.",
    ),
    Row(
        "gravity_mps2: 9.8",
        "gravity_mps2: '9.8'",
        "9:30",
        "environment.gravity_mps2: the text '9.8' has no unit; write '9.8 m/s2', or 9.8 without quotes.",
    ),
    Row(
        "gravity_mps2: 9.8",
        "gravity: 9.8",
        "9:24",
        "environment.gravity: 9.8 has no unit; write '9.8 m/s2'.",
    ),
    Row(
        "gravity_mps2: 9.8",
        "mass_kg: -1",
        "9:15",
        "unknown key 'mass_kg'. Known keys: ….",
    ),
    Row(
        "slope_deg: 0",
        "slope_deg: 80",
        "9:51",
        "environment.pad.slope_deg: must be less than or equal to 30, not 80; write one that is.",
    ),
    Row(
        "friction: 0.8",
        "friction: -0.1",
        "9:64",
        "environment.pad.friction: must be greater than or equal to 0, not -0.1; write one that is.",
    ),
    Row(
        "friction: 0.8",
        "fricton: 0.8",
        "9:54",
        "unknown key 'fricton'. Did you mean 'friction'?",
    ),
    Row(
        "reference: {position_m: [0, 0, 0]}",
        "reference: {altitude_m: 0}",
        "10:13",
        "unknown key 'altitude_m'. Known keys: ….",
    ),
    Row(
        "kind: rotor_efficiency",
        "kind: rotor_efficency",
        "12:12",
        "the robot quadrotor cannot take a fault 'rotor_efficency'. Did you mean 'rotor_efficiency'?",
    ),
    Row(
        "kind: rotor_efficiency, rotor: 0, value: 0.8",
        "kind: push, force_n: 1",
        "12:12",
        "the robot quadrotor cannot take a fault 'push'. Faults of quadrotor: ….",
    ),
    Row(
        "kind: rotor_efficiency, ",
        "",
        "12:5",
        "the key 'faults[0].kind' is missing; add it.",
    ),
    Row(
        "value: 0.8",
        "value: 1.8",
        "12:47",
        "faults[0].value: must be less than or equal to 1, not 1.8; write one that is.",
    ),
    Row(
        "value: 0.8",
        "value: -0.2",
        "12:47",
        "faults[0].value: must be greater than or equal to 0, not -0.2; write one that is.",
    ),
    Row(
        "value: 0.8",
        "value: 80 %",
        "12:47",
        'faults[0].value: must be a valid number, not "80 %"; write a number without a unit.',
    ),
    Row(
        "rotor: 0",
        "rotor: 4",
        "12:37",
        "faults[0].rotor: must be less than or equal to 3, not 4; write one that is.",
    ),
    Row(
        "rotor: 0",
        "rotor: 1.5",
        "12:37",
        "faults[0].rotor: must be a valid integer, not 1.5; write a whole number.",
    ),
    Row(
        "rotor: 0, ",
        "",
        "12:5",
        "the key 'faults[0].rotor' is missing; add it.",
    ),
    Row(
        "signal: altitude",
        "signal: altimeter",
        "13:34",
        "faults[1].signal cannot be \"altimeter\". Did you mean 'altitude'?",
    ),
    Row(
        "signal: altitude",
        "signal: tilt",
        "13:34",
        'faults[1].signal cannot be "tilt". Write one of: altitude, angular_velocity, position, '
        "q_xyzw_world_body, velocity.",
    ),
    Row(
        "start: 3 s",
        "start: 12 s",
        "12:59",
        "faults[0].start: 12 s is not before the end of the flight, 12 s; start the fault earlier, or "
        "lengthen 'duration'.",
    ),
    Row(
        "start: 3 s",
        "start: 3",
        "12:59",
        "faults[0].start: '3' is not a duration; write for example '0.5 s' or '200 ms'.",
    ),
    Row(
        "start: 3 s",
        "start: -3 s",
        "12:59",
        "faults[0].start: a time is never negative; write one from 0 s on.",
    ),
    Row(
        "start: 3 s",
        "start: 6 s",
        "12:71",
        "faults[0]: 'until' is not after 'start'; give the time at which the fault ends.",
    ),
    Row(
        "start: 3 s",
        "start: .nan",
        "12:59",
        ".nan is not a finite number; write a finite one.",
    ),
    Row(
        "start: 3 s",
        "start: 3 s, start_s: 3",
        "12:64",
        "faults[0].start_s and start are the same time; keep one.",
    ),
    Row(
        "start: 3 s",
        "begin: 3 s",
        "12:52",
        "unknown key 'begin'. Known keys: ….",
    ),
    Row(
        "until: 5 s",
        "until: 3 s",
        "12:71",
        "faults[0]: 'until' is not after 'start'; give the time at which the fault ends.",
    ),
    Row(
        "start: 1 s, until: 2 s",
        "start: 1 s, ramp: 1 s",
        "13:62",
        "faults[1].ramp: sensor_stuck is on or off, it does not grow; leave out 'ramp'.",
    ),
    Row(
        "until: 5 s",
        "ramp: -1 s",
        "12:70",
        "faults[0].ramp: a time is never negative; write one from 0 s on.",
    ),
    Row(
        "until: 2 s}",
        "until: 2 s}\n  - {kind: sensor_dropout, signal: altitude, start: 1.5 s}",
        "14:5",
        "faults[2] (sensor_dropout) and faults[1] (sensor_stuck, line 13) both take sensor altitude, and "
        "their times overlap; end one before the other starts, or keep one.",
    ),
    Row(
        "until: 2 s}",
        "until: 2 s}\n  - {kind: sensor_stuck, signal: altitude, when: altitude < 1 m}",
        "14:5",
        "faults[2] (sensor_stuck) and faults[1] (sensor_stuck, line 13) both take sensor altitude, and "
        "their times overlap; end one before the other starts, or keep one.",
    ),
    Row(
        "until: 2 s}",
        "until: 2 s}\n  - {kind: payload, mass_kg: 1e9}",
        "14:30",
        "faults[2].mass_kg: must be less than or equal to 10000, not 1000000000.0; write one that is.",
    ),
    Row(
        "until: 2 s}",
        "until: 2 s}\n  - rotor_lag",
        "14:5",
        "faults[2]: must be a mapping; write 'key: value' lines.",
    ),
    Row(
        "start: 3 s, until: 5 s",
        "when: altitud < 1 m",
        "12:58",
        "'altitud' is no signal, constant or definition; did you mean 'altitude' or 'altitude_age'?",
    ),
    Row(
        "start: 3 s, until: 5 s",
        "when: altitude < 1 s",
        "12:69",
        "'altitude' is in m and '1 s' in s; make the units agree.",
    ),
    Row(
        "start: 3 s, until: 5 s",
        "when: altitude < 1",
        "12:69",
        "'1' has no unit and meets m; give '1' a unit, as in '1 m'.",
    ),
    Row(
        "start: 3 s, until: 5 s",
        "when: altitude",
        "12:58",
        "'altitude' has a unit and is not true or false by itself; compare it, as in 'altitude < …'.",
    ),
    Row(
        "start: 3 s, until: 5 s",
        "when: eventually (altitude < 1 m)",
        "12:58",
        "'eventually' looks ahead, and whether this holds must be known at each sample; look back with 'once'.",
    ),
    Row(
        "start: 3 s, until: 5 s",
        "when: observed(altitude) < 1 m",
        "12:58",
        "'observed(altitude)' is what a sensor says, and this reads what is true; write 'altitude'.",
    ),
    Row(
        "start: 3 s, until: 5 s",
        "when: 'once[0 s, 0.03 s] (altitude < 1 m)'",
        "12:69",
        "0.03 s is not a whole number of ticks at 48 Hz; write '1 ticks' (0.0208333 s) or '2 ticks' (0.0416667 s).",
    ),
    Row(
        "start: 3 s, until: 5 s",
        "when: true",
        "12:58",
        "faults[0].when: must be text, not true; put it in quotes.",
    ),
    Row(
        "start: 3 s, until: 5 s",
        "when: ''",
        "12:52",
        "faults[0].when is empty; write it, or remove the key.",
    ),
    Row(
        "start: 3 s, until: 5 s",
        "when: once[0 s, 1 s] (contact)",
        "12:62",
        "not valid YAML: expected ',' or '}', but got '['; close the bracket, or put a text that holds one in quotes.",
    ),
    Row(
        "position_m: {normal: 0.02}",
        "positon_m: {normal: 0.02}",
        "14:11",
        "perturb: unknown key 'positon_m'. Did you mean 'position_m'?",
    ),
    Row(
        "position_m: {normal: 0.02}",
        "position_m: {normal: -0.02}",
        "14:32",
        "perturb.position_m: a sigma is never negative; write its size.",
    ),
    Row(
        "position_m: {normal: 0.02}",
        "position_m: {normal: 0.02 kg}",
        "14:32",
        "perturb.position_m.normal: '0.02 kg' has the wrong dimension; write it in m.",
    ),
    Row(
        "position_m: {normal: 0.02}",
        "position_m: {gauss: 0.02}",
        "14:23",
        "perturb.position_m: write {normal: SIGMA} or {uniform: [LOW, HIGH]}.",
    ),
    Row(
        "position_m: {normal: 0.02}",
        "position_m: 0.02",
        "14:23",
        "perturb.position_m: write {normal: SIGMA} or {uniform: [LOW, HIGH]}.",
    ),
    Row(
        "position_m: {normal: 0.02}",
        "pad: {friction: {uniform: [-2, -1]}}",
        "14:37",
        "perturb.pad.friction: it is added to 0.8, and every draw lies below 0, which is not possible; "
        "write offsets that stay within.",
    ),
    Row(
        "position_m: {normal: 0.02}",
        "gravity_mps2: {uniform: [30, 40]}",
        "14:35",
        "perturb.gravity_mps2: it is added to 9.8, and every draw lies above 30, which is not possible; "
        "write offsets that stay within.",
    ),
    Row(
        "position_m: {normal: 0.02}",
        "seed: {uniform: [0, 9]}",
        "14:11",
        "perturb: unknown key 'seed'. Known keys: ….",
    ),
    Row(
        "uniform: [-0.05, 0.05]",
        "uniform: [0.3, 0.4]",
        "14:65",
        "perturb.faults.value: it is added to 0.8, and every draw lies above 1, which is not possible; "
        "write offsets that stay within.",
    ),
    Row(
        "uniform: [-0.05, 0.05]",
        "uniform: [0.05, -0.05]",
        "14:65",
        "perturb.faults.value: the lower bound is above the upper one; swap them.",
    ),
    Row(
        "uniform: [-0.05, 0.05]",
        "uniform: 0.05",
        "14:65",
        "perturb.faults.value: write {normal: SIGMA} or {uniform: [LOW, HIGH]}.",
    ),
    Row(
        "{value: {uniform: [-0.05, 0.05]}}",
        "{valu: {normal: 1}}",
        "14:48",
        "perturb.faults: no fault of this scenario has a number 'valu'. Did you mean 'value'?",
    ),
    Row(
        "{value: {uniform: [-0.05, 0.05]}}",
        "{start: {uniform: [12 s, 14 s]}}",
        "14:66",
        "perturb.faults.start: every draw lies after the end of the flight, 12 s; write earlier ones.",
    ),
    Row(
        "{value: {uniform: [-0.05, 0.05]}}",
        "{start: {uniform: [-1 s, 4 s]}}",
        "14:66",
        "perturb.faults.start: a time is never negative; begin at 0 s.",
    ),
    Row(
        "{value: {uniform: [-0.05, 0.05]}}",
        "{sensor_stuck.value: {normal: 1}}",
        "14:48",
        "perturb.faults: no fault of this scenario has a number 'sensor_stuck.value'. Known keys: ….",
    ),
    Row(
        "on_violation: rewind",
        "on_violation: rewnd",
        "15:24",
        "policy.on_violation cannot be \"rewnd\". Did you mean 'rewind'?",
    ),
    Row(
        "on_violation: rewind",
        "on_violation: failsafe",
        "15:24",
        "the policy 'failsafe' is not available; use rewind or freeze.",
    ),
    Row(
        "probation: 2 s",
        "probation: 2.01 s",
        "15:43",
        "policy.probation: '2.01 s' is not a whole number of ticks at 48 Hz; write '2 s' or '2.0625 s'.",
    ),
    Row(
        "probation: 2 s",
        "probation: 0 s",
        "15:43",
        "policy.probation: '0 s' is not a whole number of ticks at 48 Hz; write '0.0625 s'.",
    ),
    Row(
        "max_attempts: 8",
        "max_attempts: 0",
        "15:62",
        "policy.max_attempts: must be greater than or equal to 1, not 0; write one that is.",
    ),
    Row(
        "wall_budget_s: 60",
        "wall_budget_s: 0",
        "15:80",
        "policy.wall_budget_s: must be greater than 0, not 0; write one that is.",
    ),
    Row(
        "wall_budget_s: 60",
        "wall_budget_s: 60 s",
        "15:80",
        'policy.wall_budget_s: must be a valid number, not "60 s"; write a number without a unit.',
    ),
    Row(
        "wall_budget_s: 60",
        "approval: person",
        "15:75",
        'policy.approval cannot be "person". Write one of: auto, human.',
    ),
    Row(
        "min_robustness: 0.02",
        "min_robustness: -1",
        "16:30",
        "acceptance.min_robustness: must be greater than or equal to 0, not -1; write one that is.",
    ),
    Row(
        "samples: 96",
        "samples: 0",
        "16:61",
        "acceptance.neighbourhood.samples: must be greater than or equal to 1, not 0; write one that is.",
    ),
    Row(
        "min_pass_rate: 0.9",
        "min_pass_rate: 1",
        "16:80",
        "acceptance.neighbourhood.min_pass_rate: must be less than 1, not 1; write one that is.",
    ),
    Row(
        "confidence: 0.95",
        "confidence: 95",
        "16:97",
        "acceptance.neighbourhood.confidence: must be less than 1, not 95; write one that is.",
    ),
    Row(
        "start: 3 s",
        "start_s: 3 m",
        "12:61",
        "faults[0].start: '3 m' is not a duration; write for example '0.5 s' or '200 ms'.",
    ),
    Row(
        "start: 3 s",
        "start_s: -3",
        "12:61",
        "faults[0].start: a time is never negative; write one from 0 s on.",
    ),
    Row(
        "start: 3 s",
        "start_s: true",
        "12:61",
        "faults[0].start: must be text, not true; put it in quotes.",
    ),
    Row(
        "duration: 12 s",
        "duration: 12 s\nduration_s: 12",
        "6:1",
        "duration_s and duration are the same time; keep one.",
    ),
    Row(
        "on_violation: rewind",
        "on_violation: panic",
        "15:24",
        'policy.on_violation cannot be "panic". Write one of: freeze, rewind.',
    ),
    Row(
        "max_attempts: 8",
        "fallback: quadrotor/landing_pid",
        "15:58",
        "policy.fallback: 'quadrotor/landing_pid' is the controller itself: it fails where that fails; name another.",
    ),
    Row(
        "on_violation: rewind",
        "on_violation: panic",
        "15:24",
        'policy.on_violation cannot be "panic". Write one of: freeze, rewind.',
    ),
    Row(
        "max_attempts: 8",
        "fallback: quadrotor/level_decent",
        "15:58",
        "policy.fallback: there is no controller 'quadrotor/level_decent'. Did you mean 'quadrotor/level_descent'…?",
    ),
    Row(
        "probation: 2 s",
        "probation: 2 s, probation_s: 2",
        "15:48",
        "policy.probation_s and probation are the same time; keep one.",
    ),
    Row(
        "kind: rotor_efficiency, rotor: 0, value: 0.8",
        "kind: force_saturation, value: 0.8",
        "12:12",
        "the robot quadrotor cannot take a fault 'force_saturation'. Faults of quadrotor: ….",
    ),
    Row(
        "{min_robustness: 0.02,",
        "{regressions: yes,",
        "16:27",
        'acceptance.regressions cannot be "yes"; write true or false.',
    ),
    Row(
        "velocity_mps: [0, 0, 0]",
        "velocity_mps: [0, 1e10, 0]",
        "8:59",
        "initial.velocity_mps[1]: must be less than or equal to 1000, not 10000000000.0; write one that is.",
    ),
    Row(
        "[0.3, -0.2, 1.5]",
        "[-5000, -0.2, 1.5]",
        "8:24",
        "initial.position_m[0]: must be greater than or equal to -4000, not -5000; write one that is.",
    ),
    Row(
        "[0.3, -0.2, 1.5]",
        "[0.3, -0.2, 200 km]",
        "8:35",
        "initial.position_m[2]: must be less than or equal to 100000, not 200000.0; write one that is.",
    ),
    Row(
        "position_m: {normal: 0.02}",
        "position_m: {normal: 1e400 m}",
        "14:32",
        "perturb.position_m.normal: inf is too large a number; write one that a robot can reach.",
    ),
    Row(
        "position_m: {normal: 0.02}",
        "position_m: {normal: [1, 2, 3]}",
        "14:32",
        "perturb.position_m.normal: [1, 2, 3] is no number; write one.",
    ),
    Row(
        "[0.3, -0.2, 1.5]",
        "[0.3, -0.2, 1e400 m]",
        "8:35",
        "initial.position_m[2]: inf is too large a number; write one that a robot can reach.",
    ),
    Row(
        "probation: 2 s",
        "probation_s: 2.01",
        "15:45",
        "policy.probation: '2.01 s' is not a whole number of ticks at 48 Hz; write '2 s' or '2.0625 s'.",
    ),
    Row(
        "uniform: [-0.05, 0.05]",
        "uniform: [-0.05, true]",
        "14:73",
        "perturb.faults.value.uniform[1]: true is no number; write one.",
    ),
    Row(
        "uniform: [-0.05, 0.05]",
        "uniform: [-0.05, a]",
        "14:73",
        "perturb.faults.value.uniform[1]: 'a' is not a quantity; write a number and a unit, as in '0.5 m/s'.",
    ),
)
