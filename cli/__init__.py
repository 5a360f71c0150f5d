"""The commands.  Installed as ``etcdmesos.cli``; they parse flags and wire things, no policy."""
