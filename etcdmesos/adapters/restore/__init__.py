"""The scheduler's side of restoring: backups found, read back, and lent to the one executor.

`port` carries the core's commands out, `saved` makes a snapshot of what was saved from a sandbox,
and `relay` passes the bytes on.  Executors get no way to the target and no credentials.
"""
