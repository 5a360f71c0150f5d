"""Making a cluster from a backup: a new one, or one in the place of a cluster that was lost.

`permission.py` says whether, `beginning.py` begins, `stages.py` goes from one stage to the next,
`seed.py` tells the one member that is restored what to do, `flip.py` has it take the place of what
was before; `observe.py` takes in what is heard, `telling.py` and `dry_run.py` say it to people.
`episode.py` is what the record keeps, `view.py` what is known beside it.  Pure; nothing in here
knows where backups lie.
"""
