"""How far the sampling of a model is, as a progress artifact in the Prefect UI.

    1,240 of 3,600 samples · 2,310 tokens/s · 1 min 20 s left

A thread tells it, so that sampling never waits for the server. What the server does not take is logged and left out.
"""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import cast
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from tasks.report.markdown import escape_markdown
from tasks.sampling.sample import Progress
from tasks.sampling.shards import Shard
from tasks.steps.artifacts import key_of, not_shown

SECONDS_BETWEEN_UPDATES = 3.0
_LAST_WORD = 10.0  # seconds that the end of sampling waits, at most, for the server to take the last update

logger = logging.getLogger("manyminds")


@dataclass
class Sampling:
    """What the shards of a model have reported. Several threads report at once.

    `lacking`: samples that each shard lacks, as planned, in the order of `shards`; None: known of a shard when it begins.
    """

    shards: Sequence[Shard]
    lacking: Sequence[int] | None = None
    _wanted: dict[Shard, int] = field(default_factory=dict)  # when the shard began; a second try wants less
    _left: dict[Shard, int] = field(default_factory=dict)
    _drawn: dict[Shard, Progress] = field(default_factory=dict)  # in the latest try
    _rate: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        if self.lacking is not None:
            self._left = dict(zip(self.shards, self.lacking, strict=True))

    def report(self, shard: Shard, now: Progress, tokens_per_second: float) -> None:
        """What a shard says of itself, and the engine's rate for all shards, without the loading of the model."""
        with self._lock:
            self._wanted.setdefault(shard, now.wanted)
            self._left[shard] = now.wanted - now.done
            self._drawn[shard], self._rate = now, tokens_per_second

    def finish(self, shard: Shard) -> None:
        """The shard lacks nothing any more."""
        with self._lock:
            self._wanted.setdefault(shard, self._left.get(shard, 0))
            self._left[shard] = 0

    @property
    def has_begun(self) -> bool:
        """Whether any sample was drawn: the model is loaded."""
        return bool(self._drawn)

    @property
    def wanted(self) -> int:
        """Samples that were lacking at the start, of all shards of which that is known."""
        return sum(self._wanted.get(shard, left) for shard, left in self._left.items())

    @property
    def done(self) -> int:
        """Samples of these that are no longer lacking."""
        return self.wanted - sum(self._left.values())

    def now(self, has_ended: bool = False) -> tuple[float, str]:
        """Per cent, and the line that tells more. Where nothing was planned, shards that have not begun count as those that have."""
        with self._lock:
            known = len(self._left) / max(len(self.shards), 1)
            percent = 100 * known * self.done / self.wanted if self.wanted else 100 * known
            said = [f"{self.done:,} of {'' if known == 1 else 'at least '}{self.wanted:,} samples"]
            drawn, tokens = (sum(getattr(one, name) for one in self._drawn.values()) for name in ("done", "tokens"))
            left = sum(self._left.values())
            if has_ended and left:
                said.append("ended before all were drawn")
            if self._rate and tokens:
                said.append(f"{self._rate:,.0f} tokens/s")
                said += [f"{duration(left * tokens / drawn / self._rate)} left"] if left and not has_ended else []
            return percent, " · ".join(said)


@contextmanager
def shown_progress(model: str, shards: Sequence[Shard], lacking: Sequence[int] | None) -> Iterator[Sampling]:
    """Show what the shards report, for as long as the block lasts; the artifact is the flow run's."""
    sampling, ended = Sampling(shards, lacking), threading.Event()
    try:
        artifact = cast(UUID, create_progress_artifact(0.0, key_of("sampling", model), _described(model, sampling.now()[1])))
    except Exception as error:
        not_shown(f"progress of {model}", error)
        yield sampling
        return

    def tell() -> None:
        while not ended.wait(SECONDS_BETWEEN_UPDATES):
            if sampling.has_begun:  # an update while vLLM is imported, which sets up logging anew, was seen to lock up with Prefect's log
                update(has_ended=False)
        update(has_ended=True)

    def update(has_ended: bool) -> None:
        try:
            percent, said = sampling.now(has_ended)
            update_progress_artifact(artifact, round(percent, 1), description=_described(model, said))
        except Exception as error:
            not_shown(f"progress of {model}", error)

    teller = threading.Thread(target=copy_context().run, args=(tell,), name=f"progress of {model}", daemon=True)
    teller.start()
    try:
        yield sampling
    finally:
        ended.set()
        teller.join(_LAST_WORD)


def _described(model: str, said: str) -> str:
    return f"{escape_markdown(model)}: {said}"


def duration(seconds: float) -> str:
    """45 → "45 s", 80 → "1 min 20 s", 5400 → "1 h 30 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
