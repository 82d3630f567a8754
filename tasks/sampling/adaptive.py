"""Which samples to draw next, where sampling a query stops once its vote is decided.

k = 10: the first five of each query at once (with fewer nothing can be decided), then as many as it takes at least, mostly one
at a time, as long as the samples that are still to come could change the vote. Queries are independent, so while one waits for
its sixth sample others keep the engine busy. Which samples are drawn depends on the texts alone, not on the order in which they
come.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping

import polars as pl

from tasks.sampling.engines import Completion

# Rows (query_id, sample, text), all samples there are of each of these queries  →  how many more each needs at least until its
# vote is decided; 0: it is.
Decided = Callable[[pl.DataFrame], Mapping[str, int]]
Wanted = list[tuple[str, int]]  # (query_id, sample)


class Draws:
    """What is drawn and still to be drawn of a shard's queries."""

    def __init__(self, missing: Iterable[tuple[str, int]], present: pl.DataFrame, k: int, decided: Decided) -> None:
        """`missing`: samples that the lake lacks, of queries that are not decided; `present`: its rows (query_id, sample, text)."""
        self._decided = decided
        self._first = (k + 1) // 2
        self._left: dict[str, deque[int]] = {}
        self._under_way: dict[str, int] = {}
        self._texts: dict[str, dict[int, str]] = {}
        for query_id, sample in missing:
            self._left.setdefault(query_id, deque()).append(sample)
        for query_id, sample, text in present.select("query_id", "sample", "text").iter_rows():
            if query_id in self._left:
                self._texts.setdefault(query_id, {})[sample] = text

    def first(self) -> Wanted:
        """To be asked for at the start: of each query the first half, or the next sample where that is there already."""
        wanted: Wanted = []
        for query_id, samples in self._left.items():
            count = max(1, sum(sample < self._first for sample in samples))
            wanted += self._ask(query_id, count)
        return wanted

    def next(self, completions: Iterable[Completion]) -> Wanted:
        """To be asked for now that these have come."""
        complete = []
        for one in completions:
            self._texts.setdefault(one.query_id, {})[one.sample] = one.text
            self._under_way[one.query_id] -= 1
            if self._under_way[one.query_id] == 0 and self._left[one.query_id]:
                complete.append(one.query_id)
        if not complete:
            return []
        rows = [(query_id, sample, text) for query_id in complete for sample, text in sorted(self._texts[query_id].items())]
        schema = {"query_id": pl.String, "sample": pl.Int32, "text": pl.String}
        needed = self._decided(pl.DataFrame(rows, schema=schema, orient="row"))
        return [wanted for query_id in complete for wanted in self._ask(query_id, needed[query_id])]

    def _ask(self, query_id: str, count: int) -> Wanted:
        samples = [self._left[query_id].popleft() for _ in range(count)]
        self._under_way[query_id] = self._under_way.get(query_id, 0) + count
        return [(query_id, sample) for sample in samples]
