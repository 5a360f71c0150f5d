"""Mesos' words as values: offers, task statuses, task descriptions, the master's state, RecordIO.

Pure: parses and builds the JSON of the v1 HTTP API and decides nothing.  Sockets, drivers and
processes live in `etcdmesos.adapters` and `etcdmesos.embedded`, which both speak with these words.
"""
