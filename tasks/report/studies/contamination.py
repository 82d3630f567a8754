"""Not built yet."""

from tasks.report.figures import Figures
from tasks.report.studies import Section


def section(figures: Figures, evaluation: Figures) -> Section | None:
    """Nothing yet."""
    return None
