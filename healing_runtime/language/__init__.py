"""TensorLang: a subset of Python with `jax.numpy` in which controllers are written.

`source` and `ownership` work on text alone and never import JAX; everything else does.
"""
