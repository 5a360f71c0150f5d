"""What turns the outside into events and commands into calls.

One file per peer.  Nothing here decides, and nothing outside of `etcdmesos.adapters` and the
daemons imports it.
"""
