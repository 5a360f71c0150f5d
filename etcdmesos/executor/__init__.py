"""The executor's core: pure.

`controller.Controller.step(model, event, now)` is the one door, as in `etcdmesos.cluster`: events
go in, the next model, the record to save and the commands to release come out.  No clock, no
random, no threads, no I/O in here, and no import of anything that has them.
"""
