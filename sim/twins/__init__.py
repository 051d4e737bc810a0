"""One file a robot: its dynamics as pure JAX functions, to search on. PyBullet alone decides."""
