"""The state charts, as data.  Installed as ``etcdmesos.statecharts``; read by ``etcdmesos.chart``.

The YAML files are the source; the pictures and tables beside them are generated from them.
"""
