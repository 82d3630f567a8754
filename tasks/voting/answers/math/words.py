r"""Answers in words.

"\text{Evelyn}", "Evelyn"     →  "\text{evelyn}"
"\text{June } 20"             →  "\text{june 20}"
"no solutions"                →  "\emptyset"
"five"                        →  "5"
"xyz", "5 apples"             →  null: a product, a number
"""

import re

NUMERALS = {
    name: number for number, name in enumerate(re.findall(r"\w+", "zero one two three four five six seven eight nine ten eleven twelve"))
}
_NOTHING, _EVERYTHING = r"\emptyset", r"\mathbb{R}"
_PHRASES = {
    **{name: str(number) for name, number in NUMERALS.items()},
    **dict.fromkeys(("one half", "one-half", "half"), "0.5"),
    **dict.fromkeys(("no solution", "no solutions", "no real solution", "no real solutions"), _NOTHING),
    **dict.fromkeys(("all real numbers", "all reals", "the set of all real numbers"), _EVERYTHING),
    "dne": r"\text{does not exist}",
}


def in_words(text: str) -> str | None:
    """The canonical spelling of `text`, in one notation, where it is words; else null."""
    is_text = text.startswith("\\text{")
    words = " ".join(re.sub(r"\\text\{([^{}]*)\}", r" \1 ", text).lower().split()).strip(" .,:;()\"'")
    words = re.sub(r"^(?:a|an|the) (?=[a-z]{2})", "", words)
    if words == "dne":
        return _PHRASES[words]
    if not re.fullmatch(r"[a-z][a-z0-9'’ ,.-]*", words) or (not is_text and not is_word(words)):
        return text[6:-1].strip() if is_text and len(words) == 1 and text.endswith("}") else None
    if len(words) == 1:
        return re.sub(r"\\text\{\s*|\s*\}|[().]", "", text).strip()
    return _PHRASES.get(words, f"\\text{{{words}}}")


def is_word(words: str) -> bool:
    """Rather a word than the product of its letters, which would be few, or in order."""
    longest = max(re.findall(r"[a-z]+", words), key=len)
    if len(longest) < 3:
        return words in ("yes", "no")
    return bool(set(longest) & set("eiou")) or (len(longest) > 3 and list(longest) != sorted(longest))
