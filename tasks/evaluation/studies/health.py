"""Not built yet."""

from tasks.config import Settings
from tasks.evaluation.figures import Row
from tasks.evaluation.studies import Tables


def study(tables: Tables, settings: Settings, bootstrap: int, seed: int) -> list[Row]:
    """Nothing yet."""
    return []
