"""Worker processes: they own the device and may die without taking the origin with them.

`pool` hands jobs out by the scheduler's policy, `process` is the origin's end of one worker,
`child` the worker's own, `wire` what goes between them.
"""
