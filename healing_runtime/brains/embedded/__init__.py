"""A brain without network or key: it searches on the robot's twin, under the scenario's own assertions."""
