"""What a user did that cannot work, said in one line.

`UserError("votes.parquet: row 12: column 'score' is 'abc', expected a number from 0 to 1")`

The command line prints the message and exits with code 2; nothing else is ever shown for it, so the message has to name
the file, row or key and what was expected there.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path


class UserError(ValueError):
    """Bad input. Its text is all that the user will see."""


class ModelUnusable(UserError):
    """A model that cannot be loaded: none of its shards need be tried."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Say which known word was probably meant: `"; did you mean 'temperature'?"`, or list them all."""
    words = sorted(known)
    if not words:
        return "; there are none to choose from"
    close = get_close_matches(word, words, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else f"; expected one of {', '.join(words)}"


def beside(place: Path, ending: str = "") -> str:
    """The same for a file or folder that is not there: what lies in its folder and has nearly its name. Nothing if there is none."""
    try:
        there = {entry.stem: entry for entry in sorted(place.parent.iterdir()) if entry.name.endswith(ending)}
    except OSError:
        return ""
    close = get_close_matches(place.stem, there, n=1)
    return f"; did you mean {str(there[close[0]])!r}?" if close else ""


class ShardsFailed(RuntimeError):
    """Some shards could not be sampled. Its text names them; all others are in the lake, and the next run does only these."""


class Stopped(RuntimeError):
    """Somebody ended the run; what was being done is not tried again."""
