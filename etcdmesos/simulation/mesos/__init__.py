"""A simulated Mesos: one leading master at a time, agents on hosts, under the virtual clock.

It does what a recorded Apache Mesos 1.12 does, as far as a controller can tell: offers and filters,
ACCEPT and its refusals, one unacknowledged update per task at a time, reconciliation, frameworks
that fail over or are removed, agents that are cut off, killed, restarted, removed or without power,
masters that fail over with a slow return of the agents.  Messages are lost only as connections
break or processes die, and calls end like calls over TCP (`network`).

Left out: roles but `*`, frameworks without checkpoint or PARTITION_AWARE, task groups, command
tasks, reservations, quota, revocable resources, operations, maintenance, several live masters, and
resources that run out for real.

Begin with `world.SimulatedMesos`.
"""
