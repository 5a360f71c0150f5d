"""A simulated ZooKeeper: znodes, sessions that expire, and what schedulers use it for.

`tree` is what is stored, `service` the servers, `client` what kazoo is to a process; `record_store`
and `election` have the manners of `adapters.record_zookeeper` and `adapters.election`.
"""
