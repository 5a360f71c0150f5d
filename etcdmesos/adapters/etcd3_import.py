"""Imports python-etcd3 and gRPC: the one place that does, because it takes long and warns.

Who needs them imports this late, when it is first used.
"""

from __future__ import annotations

import warnings

import grpc

with warnings.catch_warnings():
    # The generated code of etcd3 0.12 is older than protobuf 3.20 would like; nothing to be done.
    warnings.simplefilter("ignore", DeprecationWarning)
    import etcd3

__all__ = ["CHANNEL_OPTIONS", "etcd3", "grpc"]

CHANNEL_OPTIONS = (
    # Otherwise channels to one address share connections, and with them their back-off.
    ("grpc.use_local_subchannel_pool", 1),
    # etcd is never behind the HTTP proxy that some environment variable names.
    ("grpc.enable_http_proxy", 0),
)
