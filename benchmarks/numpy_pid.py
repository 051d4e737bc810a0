"""The usual way to fly a drone in PyBullet: a control loop in the manner of gym-pybullet-drones, written anew.

Forces on each rotor, a cascaded PID in NumPy with SciPy's rotations, kinematics read back and stacked into an
observation, as that project's `BaseAviary` and `DSLPIDControl` do (Panerati et al. 2021). With `effects`, drag and
ground effect too, which the quadrotor here has. No faults, no monitors, no record, no rotor lag: less than what it is
compared with.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pybullet as p
from scipy.spatial.transform import Rotation

MASS_KG, GRAVITY_MPS2, ARM_M = 0.027, 9.8, 0.028
KF, KM = 3.16e-10, 7.94e-12
INERTIA_KGM2 = [1.4e-5, 1.4e-5, 2.17e-5]
HALF_EXTENTS_M = [0.04, 0.04, 0.0125]
ROTORS_M = [[ARM_M, -ARM_M, 0.0], [-ARM_M, -ARM_M, 0.0], [-ARM_M, ARM_M, 0.0], [ARM_M, ARM_M, 0.0]]
DRAG = np.array([9.1785e-7, 9.1785e-7, 10.311e-7])
GROUND_EFFECT, PROPELLER_RADIUS_M, LOWEST_M = 11.36859, 0.0231348, 0.0377
DESCENT_MPS = 0.3


class Pid:
    """Position and attitude control; gains as in `DSLPIDControl` for the Crazyflie in cross configuration."""

    P_FOR, I_FOR, D_FOR = np.array([0.4, 0.4, 1.25]), np.array([0.05, 0.05, 0.05]), np.array([0.2, 0.2, 0.5])
    P_TOR, I_TOR, D_TOR = np.array([7e4, 7e4, 6e4]), np.array([0.0, 0.0, 500.0]), np.array([2e4, 2e4, 1.2e4])
    PWM2RPM_SCALE, PWM2RPM_CONST, MIN_PWM, MAX_PWM = 0.2685, 4070.3, 20000.0, 65535.0
    MIXER = np.array([[-0.5, -0.5, -1.0], [-0.5, 0.5, 1.0], [0.5, 0.5, -1.0], [0.5, -0.5, 1.0]])

    def __init__(self) -> None:
        self.last_rpy, self.integral_pos_e, self.integral_rpy_e = np.zeros(3), np.zeros(3), np.zeros(3)

    def control(self, dt_s: float, state: np.ndarray, target_pos: np.ndarray, target_vel: np.ndarray) -> np.ndarray:
        """Rotor speeds in rpm from the state vector of `Aviary.observe`."""
        position, quaternion, velocity = state[0:3], state[3:7], state[10:13]
        thrust, target_euler = self._position(dt_s, position, quaternion, velocity, target_pos, target_vel)
        return self._attitude(dt_s, thrust, quaternion, target_euler)

    def _position(
        self,
        dt_s: float,
        position: np.ndarray,
        quaternion: np.ndarray,
        velocity: np.ndarray,
        target_pos: np.ndarray,
        target_vel: np.ndarray,
    ) -> tuple[float, np.ndarray]:
        rotation = np.array(p.getMatrixFromQuaternion(quaternion)).reshape(3, 3)
        pos_e, vel_e = target_pos - position, target_vel - velocity
        self.integral_pos_e = np.clip(self.integral_pos_e + pos_e * dt_s, -2.0, 2.0)
        self.integral_pos_e[2] = np.clip(self.integral_pos_e[2], -0.15, 0.15)
        target_thrust = (
            np.multiply(self.P_FOR, pos_e)
            + np.multiply(self.I_FOR, self.integral_pos_e)
            + np.multiply(self.D_FOR, vel_e)
            + np.array([0.0, 0.0, MASS_KG * GRAVITY_MPS2])
        )
        scalar_thrust = max(0.0, np.dot(target_thrust, rotation[:, 2]))
        thrust = (math.sqrt(scalar_thrust / (4 * KF)) - self.PWM2RPM_CONST) / self.PWM2RPM_SCALE
        z_axis = target_thrust / np.linalg.norm(target_thrust)
        y_axis = np.cross(z_axis, np.array([1.0, 0.0, 0.0]))
        y_axis = y_axis / np.linalg.norm(y_axis)
        x_axis = np.cross(y_axis, z_axis)
        target_rotation = np.vstack([x_axis, y_axis, z_axis]).transpose()
        return thrust, Rotation.from_matrix(target_rotation).as_euler("XYZ", degrees=False)

    def _attitude(self, dt_s: float, thrust: float, quaternion: np.ndarray, target_euler: np.ndarray) -> np.ndarray:
        rotation = np.array(p.getMatrixFromQuaternion(quaternion)).reshape(3, 3)
        rpy = np.array(p.getEulerFromQuaternion(quaternion))
        w, x, y, z = Rotation.from_euler("XYZ", target_euler, degrees=False).as_quat()
        target_rotation = Rotation.from_quat([w, x, y, z]).as_matrix()
        error = np.dot(target_rotation.transpose(), rotation) - np.dot(rotation.transpose(), target_rotation)
        rot_e = np.array([error[2, 1], error[0, 2], error[1, 0]])
        rpy_rates_e = -(rpy - self.last_rpy) / dt_s
        self.last_rpy = rpy
        self.integral_rpy_e = np.clip(self.integral_rpy_e - rot_e * dt_s, -1500.0, 1500.0)
        self.integral_rpy_e[0:2] = np.clip(self.integral_rpy_e[0:2], -1.0, 1.0)
        torques = (
            -np.multiply(self.P_TOR, rot_e)
            + np.multiply(self.D_TOR, rpy_rates_e)
            + np.multiply(self.I_TOR, self.integral_rpy_e)
        )
        torques = np.clip(torques, -3200.0, 3200.0)
        pwm = np.clip(thrust + np.dot(self.MIXER, torques), self.MIN_PWM, self.MAX_PWM)
        return self.PWM2RPM_SCALE * pwm + self.PWM2RPM_CONST


class Aviary:
    """One drone above a plane, in a client of its own; `close` it."""

    def __init__(self, control_hz: int, physics_hz: int, *, effects: bool) -> None:
        self.client = p.connect(p.DIRECT)
        self.control_hz, self.physics_hz, self.effects = control_hz, physics_hz, effects

    def reset(self, position_m: list[float]) -> np.ndarray:
        """Begin anew; the first observation."""
        client = self.client
        p.resetSimulation(physicsClientId=client)
        p.setGravity(0, 0, -GRAVITY_MPS2, physicsClientId=client)
        p.setTimeStep(1.0 / self.physics_hz, physicsClientId=client)
        p.createMultiBody(0.0, p.createCollisionShape(p.GEOM_PLANE, physicsClientId=client), physicsClientId=client)
        box = p.createCollisionShape(p.GEOM_BOX, halfExtents=HALF_EXTENTS_M, physicsClientId=client)
        self.drone = p.createMultiBody(MASS_KG, box, basePosition=position_m, physicsClientId=client)
        p.changeDynamics(
            self.drone, -1, linearDamping=0, angularDamping=0, localInertiaDiagonal=INERTIA_KGM2, physicsClientId=client
        )
        self.last_rpm = np.zeros(4)
        self._read()
        return self.observe()

    def observe(self) -> np.ndarray:
        """Position, quaternion, roll-pitch-yaw, velocity, angular velocity, last action: 20 numbers."""
        state = [self.position, self.quaternion, self.rpy, self.velocity, self.rates, self.last_rpm]
        return np.hstack(state).reshape(20)

    def _read(self) -> None:
        self.position, self.quaternion = p.getBasePositionAndOrientation(self.drone, physicsClientId=self.client)
        self.rpy = p.getEulerFromQuaternion(self.quaternion)
        self.velocity, self.rates = p.getBaseVelocity(self.drone, physicsClientId=self.client)

    def step(self, rpm: np.ndarray) -> np.ndarray:
        """One control period."""
        for substep in range(self.physics_hz // self.control_hz):
            if self.effects and substep:
                self._read()
            forces, torques = np.array(rpm**2) * KF, np.array(rpm**2) * KM
            z_torque = -torques[0] + torques[1] - torques[2] + torques[3]
            self._lift(forces)
            p.applyExternalTorque(
                self.drone, -1, torqueObj=[0, 0, z_torque], flags=p.LINK_FRAME, physicsClientId=self.client
            )
            if self.effects:
                self._ground_effect(rpm)
                self._drag(rpm)
            p.stepSimulation(physicsClientId=self.client)
        self.last_rpm = rpm
        self._read()
        return self.observe()

    def _lift(self, forces: np.ndarray) -> None:
        for i in range(4):
            p.applyExternalForce(
                self.drone,
                -1,
                forceObj=[0, 0, forces[i]],
                posObj=ROTORS_M[i],
                flags=p.LINK_FRAME,
                physicsClientId=self.client,
            )

    def _ground_effect(self, rpm: np.ndarray) -> None:
        rotation = np.array(p.getMatrixFromQuaternion(self.quaternion)).reshape(3, 3)
        heights = np.clip(self.position[2] + np.array(ROTORS_M) @ rotation[2], LOWEST_M, np.inf)
        more = np.array(rpm**2) * KF * GROUND_EFFECT * (PROPELLER_RADIUS_M / (4 * heights)) ** 2
        if np.abs(self.rpy[0]) < np.pi / 2 and np.abs(self.rpy[1]) < np.pi / 2:
            self._lift(more)

    def _drag(self, rpm: np.ndarray) -> None:
        rotation = np.array(p.getMatrixFromQuaternion(self.quaternion)).reshape(3, 3)
        factors = -1 * DRAG * np.sum(np.array(2 * np.pi * rpm / 60))
        drag = np.dot(rotation.T, factors * np.array(self.velocity))
        p.applyExternalForce(
            self.drone, -1, forceObj=drag, posObj=[0, 0, 0], flags=p.LINK_FRAME, physicsClientId=self.client
        )

    def close(self) -> None:
        """Free the world."""
        p.disconnect(self.client)


def descend(aviary: Aviary, seconds: float) -> Any:
    """Fly down from 1.5 m at a constant speed, then stay low; the last observation."""
    pid, dt_s = Pid(), 1.0 / aviary.control_hz
    state, target = aviary.reset([0.3, -0.2, 1.5]), np.array([0.3, -0.2, 1.5])
    for tick in range(round(seconds * aviary.control_hz)):
        target = np.array([0.0, 0.0, max(1.5 - DESCENT_MPS * tick * dt_s, 0.1)])
        state = aviary.step(pid.control(dt_s, state, target, np.zeros(3)))
    return state
