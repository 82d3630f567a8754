"""Votes, scores and routes → metrics: is routing worth it for this pool? See `evaluate.py`."""
