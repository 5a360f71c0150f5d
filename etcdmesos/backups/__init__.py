"""What a backup is called, what is known of it, which ones may go: pure.

Where backups lie and how they get there is in `etcdmesos.adapters.backups`, when one is taken in
`etcdmesos.cluster.backups`.
"""
