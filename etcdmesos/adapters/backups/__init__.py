"""The places where backups lie: one file each, and what they share.

A target is spoken to by the scheduler, which has the credentials; an executor only gets a way in
for one snapshot.  Nothing here decides what is backed up, when, or what may go.
"""
