"""What is printed, for people and for programs.

What is printed of questions, answers and model names is untrusted text: control characters are replaced, and nothing in it
is taken for markup.
"""

import json
import math
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from rich.columns import Columns
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

RIGHT, WRONG = "✓", "✗"

console = Console(highlight=False)


def plain(value: object) -> str:
    """Untrusted text for a terminal: what cannot be printed becomes a replacement character, a space of any kind a space."""
    text = str(value).replace("\r\n", "\n").expandtabs(4)
    return "".join(_printable(character) for character in text)


def _printable(character: str) -> str:
    if character.isprintable() or character == "\n":
        return character
    return " " if character.isspace() and ord(character) > 0x9F else "\N{REPLACEMENT CHARACTER}"


def shortened(text: str, length: int, keep_end: bool = False) -> str:
    """At most so many characters of a text, on one line: its beginning, or its end."""
    line = " ".join(plain(text).split())
    if len(line) <= length:
        return line
    return f"… {line[-max(length - 2, 1) :].lstrip()}" if keep_end else f"{line[: max(length - 2, 1)].rstrip()} …"


def coloured(text: str, style: str = "") -> Text:
    """Untrusted text in which the marks of what is right and wrong have their colours."""
    shown = Text(plain(text), style=style)
    shown.highlight_regex(RIGHT, "green")
    shown.highlight_regex(WRONG, "red")
    return shown


def print_text(text: str, indent: int = 0, style: str = "") -> None:
    """Untrusted text, wrapped at the width of the terminal."""
    for line in coloured(text, style).wrap(console, max(console.width - indent, 20), overflow="fold"):
        line.rstrip()
        console.print(Text(" " * indent).append_text(line) if line else Text(), soft_wrap=True)


def print_grid(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table; numbers to the right. A list is laid out side by side, each of its texts whole."""
    cells = [[value if isinstance(value, str | list) else _number(value) for value in cells] for cells in rows]
    grid = Grid(title=title, title_justify="left")
    for place, column in enumerate(columns):
        numeric = bool(cells) and all(_is_number(row[place]) for row in cells)
        grid.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        grid.add_row(*(Columns(map(coloured, cell), padding=(0, 2)) if isinstance(cell, list) else coloured(cell) for cell in row))
    console.print(grid)


def print_json(value: object) -> None:
    """One JSON document on standard output, for programs."""
    print(json_text(value, indent=1))


def json_text(value: object, indent: int | None = None) -> str:
    """JSON for standard output.

    Numbers that are not finite are null, moments are text (ISO 8601, UTC), and what a terminal would obey is escaped.
    """
    is_unicode = (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    text = json.dumps(_as_json(value), ensure_ascii=not is_unicode, indent=indent)
    return re.sub(r"[^\n -~]", lambda found: found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1], text)


def _as_json(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): _as_json(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(one) for one in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _is_number(cell: str | list[str]) -> bool:
    return isinstance(cell, str) and (not cell or cell.replace(",", "").replace(".", "").strip("-–% ").isdigit())


def _number(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
