"""etcd-mesos: runs an etcd cluster on Mesos and keeps it alive.

The packages below are the library; nothing is imported here, so that the executor, which must
stay small and start quickly, pays only for what it uses.
"""
