"""Policies: from confidences to one model for each query. `rules.py` has them, `routes.py` makes the table."""
