r"""Reads an option from the first or the last sentence of a text that says no letter as its answer.

    "Yes, because ice is lighter."             →  "A" (options: yes, no)
    "It isn't Lyon; the capital is Paris."     →  "B"
    "Oxygen, nitrogen and hydrogen are not."   →  the option that is left
    "B has the shortest year."                 →  "B"
    "Its axis is tilted as it orbits"          →  "A" (options: "The axis of its orbit is tilted", "It is nearer")

This is the last thing that is tried, and a text that is cut off in its last sentence says nothing by it.
"""

import re

from tasks.voting.answers.choice.attitudes import OF_OTHERS
from tasks.voting.answers.choice.options import LETTERS, Options, lower, mentions
from tasks.voting.answers.choice.restated import words

# What follows is said of others: "Paris, while Lyon is smaller"
_CONTRAST = re.compile(r"\b(?:while|whereas|unlike|instead of|rather than|followed by|(?:more|less|other|\w+er) than|(?<=, )not)\b")
_DENIED = re.compile(
    r"\b(?:not|never|neither|nor|cannot|unlike|than|instead|if|except|some|many|could|might|may|wrong|incorrect|mistake\w*"
    r"|misconception|myth|unlikely|thought|people|textbooks?)\b|n't\b"
)

_CALLED_TRUE = re.compile(r"\b(?:true|correct)\b")
_REMARK = re.compile(r"\([^()\n]{3,300}[.!]\)\s*$")
_WOULD = re.compile(r"\b(?:would|could|might)\b")


def read_unmarked(text: str, options: Options, question: str) -> str | None:
    """The option that the last sentence is about, or with which the first begins."""
    text = _REMARK.sub("", text)
    return (
        _last_letter(text, options)
        or _leading_text(text, options)
        or _last_sentence(text, options, question)
        or _paraphrased(text, options)
    )


def _last_letter(text: str, options: Options) -> str | None:
    """The letter of which the last sentence says something: "B has the shortest year"."""
    if not any(verb in text for verb in (" is the", " has ", " satisfies ", " meets ", " gives ")):
        return None
    match = re.search(r"(?:^|[.;!\n]\s?|\bthat\s)([A-Z])\s(?:is the|has|satisfies|meets|gives)\b[^.!?\n]*[.!]?\s*$", text[-300:])
    return options.letters.get(match[1]) if match and not _DENIED.search(match[0]) else None


def _leading_text(text: str, options: Options) -> str | None:
    """The option whose text is how a text begins: "Yes, because …"."""
    first = re.split(r"(?<=[.!?])\s|\n", text.strip(), maxsplit=1)[0]
    found = mentions(options, lower(first))
    begins = len(found) == 1 and not first[: found[0].start].strip("\"'(# ")
    if begins and re.match(r"[\"')]*(?:$|[.,:;!]|\s-|\s(?:because|since|as)\b)", first[found[0].end :]):
        return found[0].letter
    return None


def _last_sentence(text: str, options: Options, question: str) -> str | None:
    """The option that the last sentence names by its text, without denying it."""
    sentences = [one for one in re.split(r"(?<=[.!?;])\s|\n", text.strip()) if re.search(r"\w", one)]
    if not sentences or sentences[-1].rstrip().endswith("?"):
        return None
    if len(sentences) > 1 and not re.search(r"[.!)\"']\W*$", sentences[-1]):
        return None  # cut off
    sentences = _nearest_to_the_question(sentences, options)
    sentence = next((one for one in reversed(sentences) if not _WOULD.search(one.rpartition(";")[0] or one)), sentences[-1])
    parts = re.split(r";|\bbut\b|=", lower(sentence))
    clauses = [(clause, mentions(options, clause)) for clause in parts if len(parts) == 1 or not _WOULD.search(clause)]
    clause, found = next(((clause, found) for clause, found in reversed(clauses) if found), ("", []))
    around = clause
    for one in found:
        around = around[: one.start] + "_" * (one.end - one.start) + around[one.end :]
    contrast = next((match.start() for match in _CONTRAST.finditer(around) if match.start() > found[0].start), None)
    if contrast and not _DENIED.search(around[:contrast]):
        denied = words(around[contrast:]) if around.startswith("not ", contrast) else frozenset()
        if denied and denied <= options.asked and not options.asks_for_false:
            return None  # "not the capital of France", which was asked for
        around, found = around[:contrast], [one for one in found if one.start < contrast]
    if options.asks_for_false and _CALLED_TRUE.search(around):
        return None
    if _DENIED.search(around) and not options.asks_for_false:
        left = set(LETTERS[: len(options.texts)]) - {one.letter for one in found}
        return left.pop() if len(left) == 1 and len(options.texts) > 2 else None
    if all_of_them := options.sets.get(frozenset(one.letter for one in found)):
        return all_of_them
    asked = {one.letter for one in mentions(options, lower(question))}
    verb = max((match.end() for match in re.finditer(r"\b(?:is|are|was|were)\b", around)), default=0)
    for letters in (
        {one.letter for one in found},
        {one.letter for one in found} - asked,
        {one.letter for one in found if one.start >= verb},
    ):
        if len(letters) == 1:
            return letters.pop()
    return None


def _nearest_to_the_question(sentences: list[str], options: Options) -> list[str]:
    """All sentences, or, where several each name another option, the one with most words of the question."""
    said = [one for one in sentences if not (one.rstrip().endswith("?") or _DENIED.search(one) or _WOULD.search(one))]
    named = [(sentence, {one.letter for one in mentions(options, lower(sentence))}) for sentence in said]
    about = [(len(words(lower(sentence)) & options.asked), sentence, letters) for sentence, letters in named if len(letters) == 1]
    order = [letter for _, _, letters in about for letter in letters]
    if len(set(order)) < 2:
        return sentences
    most = max(count for count, _, _ in about)
    if len(order) > 2 and most < 2 and order == sorted(set(order)):
        return [""]  # it only goes through the options
    best = [sentence for count, sentence, _ in about if count == most]
    return best if len(best) == 1 else sentences


def _paraphrased(text: str, options: Options) -> str | None:
    """The option most of whose words, those that no other option has, stand in a sentence that denies and asks nothing."""
    sentences = [one for one in re.split(r"(?<=[.!?])\s|\n", lower(text.strip())) if one]
    said = [words(one) for one in sentences if not (one.endswith("?") or _DENIED.search(one) or OF_OTHERS.search(one))]
    of = [words(option) for option in options.texts]
    own = {letter: one.difference(*of[:place], *of[place + 1 :]) for place, (letter, one) in enumerate(zip(LETTERS, of, strict=False))}
    shares = {letter: max((len(one & sentence) for sentence in said), default=0) / len(one) for letter, one in own.items() if one}
    best, *others = sorted(shares, key=lambda letter: -shares[letter]) or [""]
    if not best or options.asks_for_false or shares[best] < 0.5 or any(shares[other] > shares[best] / 2 for other in others):
        return None
    only = len(sentences) == 1 and said[0] <= options.asked | of[LETTERS.index(best)]  # the sentence says nothing else
    return best if only or shares[best] * len(own[best]) >= max(2, 0.6 * len(own[best])) else None
