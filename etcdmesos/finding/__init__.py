"""Where a cluster is: from what the Mesos master, the scheduler and etcd say to endpoints.

Pure: who reads is in `etcdmesos.adapters.cluster_finder`; who wants to know uses
`etcdmesos.discovery`.
"""
