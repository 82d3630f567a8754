"""`manyminds study`: what the studies of a lake found, in words and in figures. Nothing is computed."""

from collections.abc import Sequence

from rich.text import Text

from flows.terminal import console, plain, print_grid
from tasks.errors import UserError, nearest
from tasks.evaluation.studies.settings import KINDS
from tasks.lake.files import open_lake, read_table
from tasks.lake.tables import METRICS


def print_studies(url: str, names: Sequence[str]) -> None:
    """The question, the answer and the table of each study that is named, of all where none is.

    Raises UserError for a study that there is not, and for a lake without figures.
    """
    from tasks.report.studies import sections

    metrics = read_table(open_lake(url), METRICS)
    if metrics.is_empty():
        raise UserError(f"lake {url}: no figures; expected a lake that `manyminds run` has filled")
    made = sorted(set(metrics["study"]) - {"evaluation"})
    for name in names:
        if name not in made and name not in KINDS:
            raise UserError(f"lake {url}: no study {name!r}{nearest(name, KINDS)}")
    found = {section.study: section for section in sections(metrics)}
    for name in names or found:
        if name not in found:
            missing = "the tables do not tell." if name in made else "it was not made, or the tables do not tell."
            console.print(Text(f"\n{plain(name)}: {missing}"))
            continue
        section = found[name]
        console.print(Text(f"\n{plain(section.title)}", style="bold"))
        console.print(Text(plain(section.text)))
        if section.table:
            rows = [[cell if isinstance(cell, str) else " ".join(cell) for cell in row] for row in section.table.rows]
            print_grid(section.table.caption, section.table.columns, rows)
