"""Where things are wired together: one file a job, each with plain functions that the commands call.

`flights` run and replay · `check` static checks · `scaffold` a new workspace · `catalogue` what there is ·
`history` the ledger · `doctor` this machine · `bench` the speed benchmarks.
"""
