"""The controller of the cluster: pure.

`controller.step(model, event, now)` is the one door.  Events go in, the next model, the record to
save and the commands to release come out.  No clock, no random, no threads, no I/O in here, and no
import of anything that has them (a test says so).
"""
