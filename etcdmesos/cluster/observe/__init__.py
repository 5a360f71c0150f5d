"""Actions that take an event into the model: what was observed, and nothing else.

One module for each that says something.  No action here asks for anything of the cluster
(acknowledging an update is part of taking it in); what follows from an observation is for the
planners, which look at the whole model.
"""
