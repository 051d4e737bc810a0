"""The simulated robots: PyBullet worlds, plants, faults, and their JAX twins.

Imports `healing_runtime.core` and itself, relatively, so that a workspace's own `sim/` can be loaded beside this one.
"""
