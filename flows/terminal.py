"""What is printed, for people and for programs.

What is printed of questions, answers and model names is untrusted text: control characters are replaced, and nothing in it
is taken for markup.
"""

import json
import math
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

console = Console(highlight=False)


def plain(value: object) -> str:
    """Untrusted text for a terminal: what cannot be printed becomes a replacement character."""
    return "".join(character if character.isprintable() or character == "\n" else "\N{REPLACEMENT CHARACTER}" for character in str(value))


def print_grid(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table; numbers to the right."""
    cells = [[value if isinstance(value, str) else _number(value) for value in cells] for cells in rows]
    grid = Grid(title=title, title_justify="left")
    for place, column in enumerate(columns):
        numeric = bool(cells) and all(
            row[place].replace(",", "").replace(".", "").strip("-–% ").isdigit() or not row[place] for row in cells
        )
        grid.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        grid.add_row(*(Text(plain(cell)) for cell in row))
    console.print(grid)


def print_json(value: object) -> None:
    """One JSON document on standard output, for programs; numbers that are not finite are null. Control characters are escaped."""
    print(json.dumps(_finite(value), ensure_ascii=False, indent=1))


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _number(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
