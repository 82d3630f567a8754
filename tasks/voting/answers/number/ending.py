"""Where in a text its answer stands: the careful reading of one text, with its question.

    "The answer is 13. Wait, she also bakes with 4. So 9 are left."     →  "9"    (a correction undoes what is before it)
    "So she has 9 eggs left. Note that 3 were eaten."                   →  "9"    (a remark is no answer)
    "The answer is 9.\\n\\nQ: Rob has 5 cats and gets 6. How many?"       →  "9"    (another question is no part of the text)
    "She has 16 - 3 - 4 = 9 eggs. So she makes 9 * 2 ="                 →  null   (cut off before its answer)

First what announces an answer (`\\boxed{}`, "####", "the answer is", "A:"), the last of them; else the last sentence with a number
that is neither a remark nor a check.
"""

import re
from fractions import Fraction

from tasks.voting.answers.number.asked import Asked, asked, stem
from tasks.voting.answers.number.plain import BOLD, BOX, END, plain
from tasks.voting.answers.number.sentence import Choice, choose
from tasks.voting.answers.number.values import Number, combined, numbers, parts_of, spelled
from tasks.voting.answers.refusal import refuses

_D = rf"[ \t{BOLD}{BOX}{END}]"  # a space or a mark
RUN_ON = re.compile(
    rf"(?:\A|\n){_D}*(?:#+ *)?{_D}*(?:Q|Question|Problem|New question|Next question|Human|User|Student|Example \d+|Exercise)(?: ?\d+)?{_D}*:"
    r"|(?:\n|(?<=[.!?\d)] ))(?:Question|Q|Human|User): ?(?=[A-Z\d])"
    r"|</s>|<\|[a-z_]+\|>|<(?:start|end)_of_turn>|\[/?INST\]|### ?(?:Instruction|Question|Problem|Human|User|Input)\b",
)
_CORRECTS = re.compile(
    r"\b(?:wait\b|actually,|correction\b|i (?:made|see) (?:a|an|my|the) (?:mistake|error)|(?:i )?apologi[sz]e|i'm sorry|sorry\b|let me (?:correct|re-?do|re-?calculate|re-?consider|try again|fix)"
    r"|let's (?:correct|re-?do|re-?calculate|re-?consider|fix|try again)|hold on\b|oops\b|(?:that|this) (?:is|was|seems) (?:wrong|incorrect|not right|not correct)|on second thought|scratch that|my mistake)",
    re.I,
)
_CHECKS = re.compile(
    rf"(?:\n|(?<=[.!?)] )){_D}*(?:#+ *)?(?:(?:to |let's |let us |we can |i will |you can )?(?:double[- ]?)?(?:check|verify|confirm)(?:ing)?\b|verification\b|proof\b|alternative(?:ly| method| solution)|another way\b"
    r"|(?:here(?:'s| is) (?:the|a|how)|explanation|the breakdown|breakdown|reasoning|justification|calculations?)\b)",
    re.I,
)
_ANSWER = re.compile(
    rf"\b(?:answer|final result)\b(?! choices)(?:{_D}+(?:to|for|of|in)\b[^.\n:=,]{{1,80}}?)?(?:,? ?(?:therefore|then|thus|here|in [a-z]+),?)?{_D}*(?:\([^)\n]{{0,30}}\))?{_D}*"
    rf"(?P<how>(?:is|are|was|would be|will be|should be|must be|comes to|equals)\b{_D}*(?:therefore|thus|then|that)?\b{_D}*:?|[\"']? ?:|=|>|→)"
    rf"|(?:\A|\n){_D}*(?P<bare>A|Ans|ANSWER|Answer|Final [Aa]nswer|FINAL ANSWER|Solution|Total|Result){_D}*(?::|\n)",
    re.I,
)
_HASHES = re.compile(rf"####+{_D}*(?:(?:final )?answer|a|ans)?{_D}*:?{_D}*(?=[-$€£¥₹(]?{_D}*[-$€£]?{_D}*\.?\d)", re.I)
_CLAUSES = re.compile(
    r",?\s(?=(?:so(?! (?:that (?!is)|far|many|much|on)\b)|therefore|giving|leaving|for a total|making|which (?:is|means|gives|leaves|makes|rounds))\b)|;\s"
)
_SENTENCE = re.compile(rf"\n+|(?<=[.!?])[\"')\]{END}]*\s+(?=[\"'(\[{BOLD}{BOX}]*[A-Z\d$-])|(?<=[a-z)]\.)(?=[A-Z][a-z])|\s\|\s|(?<=\|)\s*\n")
_REMARK = re.compile(
    rf"\A\W*(?:note\b|notice\b|remember\b|keep in mind|please\b|i hope\b|hope (?:this|that)\b|let me know|if you (?:have|need|want|would)|feel free|for (?:reference|context|comparison)\b"
    rf"|(?:this|the|our|my) (?:answer|calculation|solution|result|assum)[a-z]*\b.*\b(?:assum|check|correct|match)|assuming\b|remark\b|p\.?s\.|fun fact|as a (?:check|side note)|interestingly\b|by the way|don't forget|step \d+:?\W*\Z)",
    re.I,
)
_COMPARISON = re.compile(r"\A\W*(?:this|that|it|which) (?:is|would be|was)\b.*\b(?:more|less|fewer|higher|lower|greater|times|because|since|due to)\b", re.I)
_ASKS = re.compile(r"\A\W*(?:do|does|did|would|can|could|is|are|have|what|how|which|any|need|want)\b.*\?\W*\Z", re.I)
_CONCLUDES = re.compile(r"\A\W*(?:so\b|therefore|thus|hence|in total|altogether|in conclusion|finally|overall|total|as a result|consequently|in all\b|this means|that means|final)", re.I)
_THEN_LEFT = re.compile(r"(?:leaving|which leaves)\b", re.I)
_WHICH = re.compile(r"which (?:is|rounds)\b", re.I)
_WHICH_IS = re.compile(rf"which (?:is|rounds)(?: equal| equivalent| the same as| a total of| about| approximately| up| down| off| to| [a-z]+ed)*{_D}*[-$€£]{{0,2}}\d", re.I)
_THEREFORE = re.compile(r"\A\W*(?:therefore|thus|hence|in conclusion|overall|altogether|in total)\b", re.I)
_FRAGMENT = re.compile(r"[A-Z][^\d.!?:]*[a-z,]")  # no number, no end
_HYPOTHESIS = re.compile(r"\A\W*(?:in|over|for|per) (?:an?|one|each) (?:week|month|year)\b.*\b(?:would|could|might)\b", re.I)
_BULLET = re.compile(rf"\A{_D}*[-+•*]{_D}+")
_ENUMERATED = re.compile(rf"^({_D}*)\(?\d{{1,2}}[.)](?={_D}+\S)", re.M)
_UNFINISHED = re.compile(r"(?:[-+*/×÷=≈(]|(?<!\d)[,$]|\b(?:is|are|the|an?|of|and|to|for|by|with|at|that|so|which|from|will|per|then|therefore|thus|because|since|or|if))\s*\Z", re.I)
_RESULT = re.compile(rf"={_D}*(?:about |approximately )?(?=[-$€£]?{_D}*[-$]?\.?\d)")


def answer(text: str, question: str = "") -> str | None:
    """The answer of `text`, which replies to `question`, in canonical form, or None where it gives none."""
    body = _own(plain(text))
    if not body.strip() or (abs(len(body) - len(question)) < 40 and body.strip() == plain(question).strip()):
        return None
    want = asked(question)
    for part in _parts(body):
        found = _marked(part, want) or _itemised(part, want) or _unmarked(part, want)
        if found:
            return _converted(found.number, want)
    return None


def _own(text: str) -> str:
    """`text` up to a next question that it goes on with; where it opens with its own question, what follows that."""
    for match in RUN_ON.finditer(text) if _has(text, "Q", "Problem", "question", "Human", "User", "Student", "Ex", "PROBLEM", "</s>", "<|", "turn>", "INST]", "###") else ():
        head = text[: match.start()]
        if re.search(r"\d", head) or len(head) > 200:
            return head
    opening = re.match(rf"{_D}*(?:Q|Question)\s*:[^\n]*\n+(?=.)", text)
    return text[opening.end() :] if opening else text


def _parts(text: str) -> list[str]:
    """What is to be read first, and what if nothing is found there: the text after its last correction, then all of it."""
    cues = ("wait", "actually", "correct", "made", "see", "sorry", "apolog", "let me", "let's", "hold on", "oops", "wrong", "not right", "thought", "scratch", "mistake")
    corrections = [match.start() for match in _CORRECTS.finditer(text)] if _has(text.lower(), *cues) else []
    tails = [text[start:] for start in corrections[-1:] if re.search(r"\d", text[start:])]
    return [*tails, text]


def _has(text: str, *words: str) -> bool:
    """Whether any of the words is there: quicker than the pattern that would have to look for them everywhere."""
    return any(word in text for word in words)


def _marked(text: str, want: Asked) -> Choice | None:
    """What is announced as the answer, last."""
    for start, end, loose in reversed(_markers(text)[-20:]):
        after = text[end : end + 2000]
        if text[start] == BOX:
            after = after.split(END, 1)[0]
        line, _, rest = after.partition("\n")
        if not re.search(r"[^\W_]", line):
            line = rest.lstrip("\n ").partition("\n")[0]
        statement = _first_sentence(line)
        if loose and not _is_short(statement):
            continue
        choices = [choice for clause in _CLAUSES.split(statement) if (choice := choose(clause, want, first=4.0))]
        if choices:
            return next((choice for choice in choices if choice.points > 0.0), choices[0])
    return None


def _markers(text: str) -> list[tuple[int, int, bool]]:
    """Where each starts and ends, and whether only a short statement may follow it."""
    found = [(match.start(), match.end(), False) for match in _HASHES.finditer(text)] if "####" in text else []
    if _has(text.lower(), "answer", "a:", "a\n", "ans", "solution", "total:", "total\n", "result"):
        found += [(match.start(), match.end(), bool(match["bare"]) or match["how"][-1:] in ":>=\"'") for match in _ANSWER.finditer(text)]
    found += [(match.start(), match.end(), False) for match in re.finditer(BOX, text)]
    return sorted(found)


def _first_sentence(line: str) -> str:
    """Up to its end; a box that is still open is not left."""
    return _SENTENCE.split(line.strip(), maxsplit=1)[0] if line.strip() else ""


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
    return len(re.findall(r"[a-z]+", before, re.I)) <= 2 and len(re.findall(r"[a-z]+", after, re.I)) <= 6 and not re.search(
        r"\b(?:are|is|was|were|minus|plus|and|then)\b|[-+*/×÷=]", after, re.I
    )


_ITEMS = re.compile(r"(?:\A|\n)([^\n]*\d[^\n]*):[ \t]*\n+((?:[ \t]*[-*•][^\n]*\n?)+)\s*\Z")


def _itemised(text: str, want: Asked) -> Choice | None:
    """The amount that a list at the end of the text adds up to, where the line before it names that."""
    match = _ITEMS.search(text, max(0, len(text) - 2000)) if _has(text, "\n-", "\n*", "\n•") else None
    total = choose(match[1], want) if match else None
    if not match or not total:
        return None
    parts = [choose(_BULLET.sub("", line), want) for line in match[2].splitlines() if line.strip()]
    values = [part.number.value if part else "" for part in [total, *parts]]
    if len(values) < 3 or not all(re.fullmatch(r"-?[\d.]{1,40}", value) for value in values):
        return None
    return total if sum(map(Fraction, values[1:])) == Fraction(values[0]) else None


_BARE = re.compile(r"\A\W*[\d.,]+%?(?: [a-z]+){0,3}(?:\.|\n)\s*\Z", re.I)


def _unmarked(text: str, want: Asked) -> Choice | None:
    """The number of the last sentence that has one and is no remark."""
    text = _before_checks(text)
    if ("1. " in text or "1) " in text) and re.search(rf"^{_D}*\(?1[.)] ", text, re.M):
        text = _ENUMERATED.sub(r"\1", text)
    sentences = [sentence for sentence in _SENTENCE.split(text) if sentence and not sentence.isspace()]
    if not sentences or refuses(text) or _is_cut_off(text, sentences):
        return None
    sentences = sentences[:-6] + [clause for sentence in sentences[-6:] for clause in _CLAUSES.split(sentence)]
    results = _results(text)
    first = text.find(sentences[0]) + len(sentences[0])
    if len(sentences) > 1 and _BARE.match(text[: first + 1]) and "=" not in text and not any(map(_CONCLUDES.match, sentences)):
        return choose(sentences[0], want)
    best: Choice | None = None
    looked = 0
    for place in range(len(sentences) - 1, -1, -1):
        sentence = _BULLET.sub("", sentences[place], count=1)
        if _is_remark(sentence, sentences[:place], want):
            continue
        found = choose(sentence, want, results)
        concludes = _CONCLUDES.match(sentence) is not None
        if not found or (found.points <= -5.0 and not concludes):
            best = best or found
            continue
        if looked == 0 or (best and not best.fits and found.fits and concludes and found.number.value in results):
            best = found
        looked += 1
        if looked == 3 or concludes or best.fits:
            break
    return best


def _before_checks(text: str) -> str:
    """`text` without the check, the second method or the explanation that follows its answer."""
    cues = ("check", "verif", "confirm", "proof", "alternative", "another way", "here", "explanation", "breakdown", "reasoning", "justification", "calculation")
    for match in _CHECKS.finditer(text) if _has(text.lower(), *cues) else ():
        head = text[: match.start()]
        short = len(head) < 80 and "=" not in head
        explains = re.search(r"here|explanation|breakdown|reasoning|justification|calculation", match[0], re.I)
        if re.search(r"\d", head) and (short or not explains):
            return head
    return text


def _is_remark(sentence: str, before: list[str], want: Asked) -> bool:
    if not any(re.search(r"\d", earlier) for earlier in before):
        return False
    if sentence.lstrip().startswith("(") and sentence.rstrip(" .").endswith(")"):
        return True
    if _THEN_LEFT.match(sentence) and not want.words & {"left", "remain", "remaining", "after", "leave"}:
        said = [{stem(word) for word in re.findall(r"[a-z]{4,}", part.lower())} for part in (before[-1], sentence)]
        if said[0] & want.words and not said[1] & want.words:
            return True
    if _REMARK.match(sentence) or _ASKS.match(sentence):
        return True
    if _WHICH.match(sentence) and not _WHICH_IS.match(sentence):
        return True
    if not want.compares and "=" not in sentence and _COMPARISON.match(sentence):
        return True
    return bool(_HYPOTHESIS.match(sentence) and "would" not in want.words and before and _CONCLUDES.match(before[-1]))


def _is_cut_off(text: str, sentences: list[str]) -> bool:
    """Whether the text ends within a calculation, or within a sentence that says nothing yet, before it concluded anything.

    Of 8,792 complete solutions of GSM8K none ends with a line that has neither a number nor an end; of those cut at random
    places, 31 % do, and the last number before is the answer in 2 % of these.
    """
    end = text.rstrip()
    if re.search(r"<<[^<>]*\Z", end[-200:]):
        return True
    last = sentences[-1]
    unfinished = _UNFINISHED.search(end[-30:])
    if unfinished and end[-1] in "-+*/×÷=≈($":
        return True
    says_nothing = _FRAGMENT.fullmatch(last.strip()) and not _REMARK.match(last) and not spelled(last)
    if says_nothing and _CONCLUDES.match(last):
        return True
    return bool(unfinished or says_nothing) and not any(_THEREFORE.match(sentence) for sentence in sentences[:-1])


def _results(text: str) -> frozenset[str]:
    """The value that was calculated last."""
    place = text.rfind("=")
    while place >= 0:
        if match := _RESULT.match(text, place):
            return frozenset(number.value for number in numbers(text[match.end() : match.end() + 40])[:1])
        place = text.rfind("=", 0, place)
    return frozenset()


def _converted(number: Number, want: Asked) -> str:
    """The value in the unit that is asked for, where a person would write it in two ways: $0.25 and 25 cents, 1 hour 30 minutes."""
    if number.unit:
        parts = parts_of(number.unit)
        if parts and parts[0] in want.units and (parts[0] != "cent" or "cents" in want.text) and number.unit not in want.units:
            return combined(number.value, Fraction(parts[1]))
    return number.value
