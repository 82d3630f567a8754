"""The embedded world: a small benchmark and a pool of tiny models that are really good at different things."""
