"""`heal`: one short file a command; each has a `PLACE` in the help and a `register(app)`.

Nothing heavy is imported here: a command imports what it needs when it runs.
"""
