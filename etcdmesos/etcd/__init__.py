"""etcd's words, as values: what a member says of itself, and whom a quorum lists.

Pure, and of all sides: the controller, executors and whoever looks for a cluster.  How etcd is
asked is in `etcdmesos.adapters`.
"""
