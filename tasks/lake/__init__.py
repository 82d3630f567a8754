"""The lake: six Parquet tables, one direction. See `tables.py` for what each column means."""
