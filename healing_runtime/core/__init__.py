"""The vocabulary every other room speaks: signals, units, records, protocols, status codes, errors.

Nothing here imports another package of the house, and nothing here imports JAX except `margins`.
"""
