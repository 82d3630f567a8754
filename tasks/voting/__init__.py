"""Sampled texts become votes: what each says (`answers/`), and what the samples of a query agree on (`vote.py`)."""
