"""When a backup is taken, of which member, and what becomes of it.  Pure.

`choosing` picks the member, `taking` plans, `preceding` knows what a backup comes before, `observe`
takes in what was heard, `telling` says it to people.  Nothing of this is in the record: what counts
is what lies at the target, and a new holder reads that.
"""
