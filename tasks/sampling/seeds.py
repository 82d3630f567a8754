"""A sample's seed follows from what the sample is: `sample_seed(0, "5f0c…", "ledger", "r41d0…", 3)` is the same everywhere.

So it does not matter which worker draws a sample, in what company, or after how many interruptions.
"""

from tasks.lake.fingerprints import fingerprint

_LARGEST = 2**63 - 1


def sample_seed(run_seed: int, query_id: str, model: str, recipe_id: str, sample: int) -> int:
    """The seed of one sample, 0 … 2⁶³-1, by hashing."""
    return int(fingerprint("seed", run_seed, query_id, model, recipe_id, sample), 16) & _LARGEST
