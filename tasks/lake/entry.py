"""What a listing says of a file."""

from datetime import datetime
from typing import NamedTuple


class Entry(NamedTuple):
    """When it was written, and how many bytes it has."""

    changed: datetime
    size: int
