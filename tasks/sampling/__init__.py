"""Samples models: what the plan says is missing becomes `generations`, shard by shard."""
