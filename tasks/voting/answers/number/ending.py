r"""Where in a text its answer stands: the careful reading of one text, with its question.

    "The answer is 13. Wait, she also bakes with 4. So 9 are left."     →  "9"    (a correction undoes what is before it)
    "So she has 9 eggs left. Note that 3 were eaten."                   →  "9"    (a remark is no answer)
    "So 5 crates hold 120 liters. That is 32 gallons."                  →  "120"  (how many liters are asked for)
    "The answer is 9.\n\nQ: Rob has 5 cats and gets 6. How many?"       →  "9"    (another question is no part of the text)
    "She has 16 - 3 - 4 = 9 eggs. So she makes 9 * 2 ="                 →  null   (cut off before its answer)

First what is announced as the answer (`\boxed{}`, "####", "the answer is", "A:"), the last of them; else the last sentence with a
number that is neither a remark nor a check, unless one before it says much more of what is asked for.
"""

import re
from fractions import Fraction

from tasks.voting.answers.number import cues
from tasks.voting.answers.number.asked import COMMON, Asked, asked, given, stem
from tasks.voting.answers.number.plain import BOX, END, plain
from tasks.voting.answers.number.sentence import Choice, choose
from tasks.voting.answers.number.values import Number, combined, numbers, parts_of, spelled
from tasks.voting.answers.refusal import refuses

MOST, MORE = 9, 4  # what speaks for a sentence at most, and by how much an earlier sentence has to be better than a later one


def answer(text: str, question: str = "") -> str | None:
    """The answer of `text`, which replies to `question`, in canonical form, or None where it gives none."""
    body = _own(plain(text))
    if not body.strip() or (abs(len(body) - len(question)) < 40 and body.strip() == plain(question).strip()):
        return None
    for part in _parts(body):
        found = _announced(part, question) or _itemised(part, question) or _concluded(part, question)
        if found:
            return _converted(found.number, asked(question))
    return None


def _own(text: str) -> str:
    """`text` up to a next question that it goes on with; where it opens with its own question, what follows that."""
    if cues.has(text, cues.RUN_ON_WORDS):
        for match in cues.RUN_ON.finditer(text):
            head = text[: match.start()]
            if len(head) > 200 or re.search(r"\d", head):
                return cues.RULE.sub("", head)
    opening = cues.OWN_QUESTION.match(text)
    return text[opening.end() :] if opening else text


def _parts(text: str) -> list[str]:
    """What is to be read first, and what if nothing is found there: the text after its last correction, then all of it."""
    if not cues.has(text.lower(), cues.CORRECTION_WORDS):
        return [text]
    starts = [match.start() for match in cues.CORRECTION.finditer(text)]
    return [*(text[start:] for start in starts[-1:] if re.search(r"\d", text[start:])), text]


def _announced(text: str, question: str) -> Choice | None:
    """What is announced as the answer, last."""
    for start, end, loose in reversed(_announcements(text)[-20:]):
        after = text[end : end + 2000]
        if text[start] == BOX:
            after = after.split(END, 1)[0]
        line, _, rest = after.partition("\n")
        if not re.search(r"[^\W_]", line):
            line = rest.lstrip("\n ").partition("\n")[0]
        statement = cues.SENTENCE.split(line.strip(), maxsplit=1)[0]
        if loose and not _is_short(statement):
            continue
        choices = [choice for clause in cues.CLAUSE.split(statement) if (choice := choose(clause, asked(question), first=4.0))]
        if choices:
            return next((choice for choice in choices if choice.points > 0.0), choices[0])
    return None


def _announcements(text: str) -> list[tuple[int, int, bool]]:
    """Where each starts and ends, and whether only a short statement may follow it."""
    found = [(match.start(), match.end(), False) for match in cues.HASHES.finditer(text)] if "####" in text else []
    if cues.has(text.lower(), cues.ANNOUNCEMENT_WORDS):
        for match in cues.ANNOUNCEMENT.finditer(text):
            found.append((match.start(), match.end(), bool(match["bare"]) or match["how"][-1:] in ":>=\"'"))
    found += [(match.start(), match.end(), False) for match in re.finditer(BOX, text)]
    return sorted(found)


def _is_short(statement: str) -> bool:
    """Whether it is an answer ("$18 per day", "x = 42") and not the start of a solution ("She has 16 eggs and eats 3.")."""
    bare = re.sub(r"\([^()\n]*\)", "", statement)
    head, equals, tail = bare.rpartition("=")
    if equals and not re.search(r"\d", head):
        bare = tail
    found = numbers(bare) or spelled(bare)
    if len(found) != 1:
        return False
    before, after = bare[: found[0].start], bare[found[0].end :]
    if len(re.findall(r"[a-z]+", before, re.I)) > 2 or len(re.findall(r"[a-z]+", after, re.I)) > 6:
        return False
    return not re.search(r"\b(?:are|is|was|were|minus|plus|and|then)\b|[-+*/×÷=]", after, re.I)


def _itemised(text: str, question: str) -> Choice | None:
    """The amount that a list at the end of the text adds up to, where the line before it names that."""
    if not cues.has(text, ("\n-", "\n*", "\n•")):
        return None
    want = asked(question)
    match = cues.ITEMS.search(text, max(0, len(text) - 2000))
    total = choose(match[1], want) if match else None
    if not match or not total:
        return None
    parts = [choose(cues.BULLET.sub("", line), want) for line in match[2].splitlines() if line.strip()]
    values = [part.number.value if part else "" for part in [total, *parts]]
    if len(values) < 3 or not all(re.fullmatch(r"-?[\d.]{1,40}", value) for value in values):
        return None
    return total if sum(map(Fraction, values[1:])) == Fraction(values[0]) else None


def _concluded(text: str, question: str) -> Choice | None:
    """The number of the last sentence that has one and is no remark."""
    text = _before_checks(_before_another(text, asked(question)))
    if ("1. " in text or "1) " in text) and cues.FIRST_ITEM.search(text):
        text = cues.ITEM_NUMBER.sub(r"\1", text)
    aside = cues.ASIDE.search(text)
    text = text[: aside.start()] if aside and re.search(r"\d", text[: aside.start()]) else text
    sentences = [sentence for sentence in cues.SENTENCE.split(text) if sentence and not sentence.isspace()]
    if not sentences or refuses(text) or _is_cut_off(text, sentences):
        return None
    want = asked(question)
    if _answers_first(text, sentences) or _states_first(sentences, want):
        return choose(sentences[0], want)
    sentences = sentences[:-6] + [clause for sentence in sentences[-6:] for clause in _clauses(sentence)]
    results = _last_result(text)
    best: Choice | None = None
    strength = looked = 0
    for place in reversed(range(max(0, len(sentences) - 30), len(sentences))):
        sentence = cues.BULLET.sub("", sentences[place][-2000:], count=1)
        if _is_remark(sentence, sentences[:place], want):
            continue
        found = choose(sentence, want, results)
        concludes = cues.CONCLUSION.match(sentence) is not None
        if not found or (found.points <= -5.0 and not concludes):
            best = best or found
            continue
        # A sentence before the last is the answer where it says much more of what is asked for.
        speaks = _speaks(sentence, found, results, want)
        if looked == 0 or speaks >= strength + MORE:
            ends = found.points >= 20.0 or cues.CLAUSE.match(" " + sentence) is not None  # "= 18", "for a total of 18"
            best, strength = found, speaks + MORE * ends
        looked += 1
        if looked == 3 or concludes or strength + MORE > MOST:
            break
    return best


def _clauses(sentence: str) -> list[str]:
    """What `sentence` states one after the other; a remark stays whole."""
    return [sentence] if cues.REMARK.match(sentence) else cues.CLAUSE.split(sentence)


def _speaks(sentence: str, choice: Choice, results: frozenset[str], want: Asked) -> int:
    """How much speaks for a sentence as the one that answers."""
    said = {stem(word) for word in re.findall(r"[a-z]{3,}", sentence.lower())} & want.wanted
    concludes = 2 * bool(cues.CONCLUSION.match(sentence))
    value = choice.number.value
    return 2 * choice.fits + min(3, len(said)) + concludes + 2 * (value in results) - (value in given(want.text))


def _before_another(text: str, want: Asked) -> str:
    """`text` without a last question, on a line of its own, for something else than what is wanted."""
    for match in cues.ASKS.finditer(text) if "?" in text and want.units else ():
        line = text.rfind("\n", 0, match.start()) + 1
        if re.search(r"\d", text[:line]) and not asked(match[0]).units & want.units:
            return text[:line]
    return text


def _before_checks(text: str) -> str:
    """`text` without the check, the second method or the explanation that follows its answer."""
    if cues.has(text.lower(), cues.CHECK_WORDS):
        for match in cues.CHECK.finditer(text):
            head = text[: match.start()]
            short = len(head) < 80 and "\n" not in head.strip()
            if (short or not match["explains"]) and re.search(r"\d", head):
                return head
    return text


def _is_cut_off(text: str, sentences: list[str]) -> bool:
    """Whether the text ends within a calculation, or within a sentence that says nothing yet, before it concluded anything.

    Of 8,792 complete solutions of GSM8K none ends with a line that has neither a number nor an end; of those cut at random
    places 31 % do, and the last number before is the answer in 2 % of these.
    """
    end, last = text.rstrip(), sentences[-1].strip()
    unfinished = cues.UNFINISHED.search(end[-30:])
    if cues.OPEN_MARK.search(end[-200:]) or (unfinished and end[-1] in "-+*/×÷=≈($"):
        return True
    says_nothing = cues.FRAGMENT.fullmatch(last) and not cues.REMARK.match(last) and not spelled(last)
    if says_nothing and cues.CONCLUSION.match(last):
        return True
    return bool(unfinished or says_nothing) and not any(cues.THEREFORE.match(sentence) for sentence in sentences[:-1])


def _answers_first(text: str, sentences: list[str]) -> bool:
    """Whether the text is an answer ("9 eggs.") and its explanation, and not a calculation."""
    first = text.find(sentences[0]) + len(sentences[0]) + 1
    bare = cues.BARE.match(text[:first])
    return bool(bare and ("=" not in text or re.search(r"[$a-z]", bare[0]))) and not any(map(cues.CONCLUSION.match, sentences))


def _states_first(sentences: list[str], want: Asked) -> bool:
    """Whether the first sentence is the question with a new number in its place, and what follows explains without concluding."""
    if len(sentences) < 2 or "=" in sentences[0] or "=" in sentences[-1] or any(map(cues.CONCLUSION.match, sentences[1:])):
        return False
    repeated = {stem(word) for word in re.findall(r"[a-z]{3,}", sentences[0].lower())} & want.words - COMMON
    if len(repeated) < 3:
        return False
    later = max(
        len({stem(word) for word in re.findall(r"[a-z]{3,}", sentence.lower())} & want.words - COMMON) for sentence in sentences[1:]
    )
    if later >= len(repeated):
        return False
    stated = choose(sentences[0], want)
    return stated is not None and stated.fits and stated.number.value not in given(want.text)


def _is_remark(sentence: str, before: list[str], want: Asked) -> bool:
    """Whether `sentence` says something about an answer that was given `before` it."""
    if not any(re.search(r"\d", earlier) for earlier in before):
        return False
    in_brackets = sentence.lstrip().startswith("(") and sentence.rstrip(" .").endswith(")")
    if in_brackets or cues.REMARK.match(sentence) or cues.QUESTION.match(sentence):
        return True
    if cues.WHICH.match(sentence) and (not cues.WHICH_IS.match(sentence) or cues.SHARE.match(sentence)):
        return True
    if not want.compares and "=" not in sentence and cues.COMPARISON.match(sentence):
        return True
    if cues.IN_TOTAL.match(sentence) and cues.HOW_MANY_MORE.search(want.text):
        return True
    if cues.LEAVING.match(sentence) and not want.words & {"left", "remain", "remaining", "after", "leave"}:
        said, left = ({stem(word) for word in re.findall(r"[a-z]{4,}", part.lower())} & want.words for part in (before[-1], sentence))
        return bool(said and not left)
    return bool("would" not in want.words and cues.SUPPOSITION.match(sentence) and cues.CONCLUSION.match(before[-1]))


def _last_result(text: str) -> frozenset[str]:
    """The value that was calculated last, if any."""
    place = text.rfind("=")
    while place >= 0:
        if match := cues.RESULT.match(text, place):
            return frozenset(number.value for number in numbers(text[match.end() : match.end() + 40])[:1])
        place = text.rfind("=", 0, place)
    return frozenset()


def _converted(number: Number, want: Asked) -> str:
    """The value in the unit that is asked for, where a person would write it in two ways: $0.25 and 25 cents, 1 hour 30 minutes."""
    parts = parts_of(number.unit)
    if want.share and number.kind == "percent":
        return combined(number.value, Fraction(1, 100))
    if not parts or parts[0] not in want.units or (parts[0] == "cent" and "cents" not in want.text):
        return number.value
    # "How long" asks for hours and for minutes; then the question's own unit counts.
    as_likely = stem(number.unit) in want.units and (parts[0] not in want.text or number.unit in want.text)
    return number.value if as_likely else combined(number.value, Fraction(parts[1]))
