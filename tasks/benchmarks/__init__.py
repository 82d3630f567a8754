"""Benchmarks, and outcomes or generations made elsewhere, become the table `queries`. One file per benchmark."""
