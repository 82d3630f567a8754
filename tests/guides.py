"""What the README and the guides tell a reader to write and to run, taken from their Markdown.

A page is followed from top to bottom, in one shell, in a fresh checkout:

    Save this as `mine.toml`:          a block after a line that ends in a name and a colon is that file
    ```toml                            (`diff`: what is added to that file, with a line or two around it)
    …
    ```
    ```bash
    manyminds plan mine.toml           run
    manyminds run mine.toml            # needs a GPU: read, and not run; `from here on`: nor what follows in the block
    ```
    ```python                          run, as it stands
    ```text                            what a reader sees, not what he types

Inline code counts too, where it is a whole command: `manyminds study --lake lakes/demo`; it may be followed by "(needs a GPU)".
"""

import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_FILES = [ROOT / "README.md", ROOT / "infra/findings.md", *sorted((ROOT / "infra/guides").glob("*.md"))]
PAGES = {path.relative_to(ROOT).as_posix(): path for path in _FILES}
PROGRAMS = ("manyminds", "make", "pip", "prefect", "python", "pytest", "docker")
NEEDS = re.compile(r"#.*\bneeds (a GPU|the hub|a key|Docker|PostgreSQL|the data|a display)\b")
ELLIPSIS = "…"
RUN = ("bash", "inline", "python")
_FENCE = re.compile(r"```(\w*)\s*$")
_INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)( \(needs [^)]+\))?")
_FILE_BEFORE = re.compile(r"`([\w./-]+\.\w+)`[^`]*:$")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file that it is (or changes), and its text; or the inline code `language` "inline"."""

    line: int
    language: str
    file: str | None
    text: str


@dataclass(frozen=True)
class Command:
    """One logical line of a shell, without its comment; `needs` says what a machine must have for it, if not every one has it."""

    line: int
    text: str
    needs: str | None


def blocks(markdown: str) -> Iterator[Block]:
    """All of a page, in order."""
    language, start, file, content = None, 0, None, []
    before = ""
    for number, line in enumerate(markdown.splitlines(), start=1):
        fence = _FENCE.match(line)
        if fence and language is None:
            named = _FILE_BEFORE.search(before)
            language, start, file, content = fence[1], number, named and named[1], []
        elif line == "```" and language is not None:
            yield Block(start, language, file, "\n".join(content) + "\n")
            language, before = None, ""
        elif language is not None:
            content.append(line)
        else:
            before = line or before
            yield from (Block(number - 1, "inline", None, f"{code}  #{mark}") for code, mark in _INLINE.findall(line) if _is_command(code))


def commands(block: Block) -> list[Command]:
    """The commands of a `bash` block or of inline code. Raises ValueError for a quote that is not closed."""
    found: list[Command] = []
    gathered, needs_all = "", None
    for offset, line in enumerate(block.text.splitlines(), start=1):
        gathered += line if not gathered else f"\n{line}"
        if not _is_whole(gathered):
            continue
        text, gathered = gathered, ""
        marked = NEEDS.search(text)
        needs = needs_all or (marked[1] if marked else None)
        if marked and "from here on" in text:
            needs_all = marked[1]
        if bare := _without_comment(text):
            found.append(Command(block.line + offset, bare, needs))
    if gathered:
        raise ValueError(f"line {block.line}: a quote is not closed in {gathered!r}")
    return found


def _is_command(code: str) -> bool:
    """Whether inline code is a whole command, and not the mention of one (`manyminds plan`, `make`)."""
    words = code.split()
    return words[0] in PROGRAMS and len(words) > (1 if words[0] in ("make", "pytest") else 2) and ELLIPSIS not in code


def _is_whole(text: str) -> bool:
    if text.endswith("\\"):
        return False
    try:
        shlex.split(text, comments=True)
    except ValueError:
        return False
    return True


def _without_comment(text: str) -> str:
    """A comment is what follows two spaces and "#", or stands alone on the line."""
    return re.sub(r"(^|\s{2,})#[^\n]*$", "", text).strip()


def apply(change: str, text: str) -> str:
    """The text with a `diff` block applied: "+" lines added, "-" lines taken out, others there exactly once. Raises ValueError."""
    for hunk in re.split(r"^@@.*\n", change, flags=re.MULTILINE):
        lines = [line or " " for line in hunk.splitlines()]
        before = "".join(f"{line[1:]}\n" for line in lines if line[0] in " -")
        after = "".join(f"{line[1:]}\n" for line in lines if line[0] in " +")
        if text.count(before) != 1:
            raise ValueError(f"there {text.count(before)} times:\n{before}")
        text = text.replace(before, after)
    return text


if __name__ == "__main__":
    verb, block, name = sys.argv[1:]
    file, content = Path(name), Path(block).read_text(encoding="utf-8")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if verb == "copy" else apply(content, file.read_text(encoding="utf-8")), encoding="utf-8")
