"""Coming back from the loss of a majority: a new cluster is grown from the best survivor.

Watched and decided in `quorum_loss.py`, `safety.py` and `permission.py`; carried out stage by
stage in `stages.py`, by `ordering.py` (what each executor is to do), `ranking.py` (who becomes the
seed), `verifying.py` (whether it serves) and `flip.py` (the new cluster takes the old one's place);
told in `telling.py` and `dry_run.py`.  Pure; nothing in here knows etcd's or Mesos' wire.
"""
