"""The built executables, as their users start them: real processes, real etcd."""
