"""A seeded, virtual world in which the real controller can be put through years of failures.

`clock`, `network` and `hosts` are the ground; `etcd` is a simulated etcd that stands on it.
Everything is deterministic: one seed, one trace.
"""
