"""How sections on studies write figures.

between_brackets(figure)  "(95 % interval 2.1 to 10.3)"        listed(["a", "b", "c"])  "a, b and c"
paragraphs(["One.", "Two."], ["Three."])   two paragraphs
"""

from collections.abc import Sequence

from tasks.report.figures import Figure, between


def between_brackets(figure: Figure) -> str:
    """The interval of a share, or that there is none."""
    return "(too few questions for an interval)" if figure.ci_low is None else f"(95 % interval {between(figure)})"


def sign(figure: Figure) -> int:
    """Whether the interval is above (1) or below (-1) zero; 0 where it is neither, or where there is none."""
    return int((figure.ci_low or 0) > 0) - int((figure.ci_high or 0) < 0)


def paragraphs(*parts: Sequence[str]) -> str:
    """Sentences as a section's text, each part a paragraph of its own; empty ones are left out."""
    cut = (" ".join(sentence for sentence in part if sentence) for part in parts)
    return "\n".join(part for part in cut if part)


def listed(names: Sequence[str], last: str = "and") -> str:
    return f"{', '.join(names[:-1])} {last} {names[-1]}" if len(names) > 1 else names[0]
