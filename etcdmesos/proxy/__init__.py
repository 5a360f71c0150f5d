"""What the proxy runs, and when: one front of etcd's own before the cluster as it is now.

Pure: the door is `controller.step`.  Finding the cluster is `etcdmesos.finding`'s, running the
front an adapter's.
"""
