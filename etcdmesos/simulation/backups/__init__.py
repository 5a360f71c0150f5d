"""Backups in the simulated world: the place they are sent to, and the ways there.

What a scheduler does at the place is the real code of `adapters.backups` on a simulated Target; the
rest are counterparts of the real ports.  Nothing is decided here, and no fault is drawn.
"""
