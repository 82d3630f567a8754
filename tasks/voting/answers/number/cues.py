r"""The words by which a text shows where its answer is: each pattern with what it is for, and a text that it finds.

All are linear in the length of a text, and those that would have to be looked for everywhere have a few of their words beside them
(`…_WORDS`): where none of these is in the text, which is quicker to see, the pattern is not tried.
"""

import re

from tasks.voting.answers.number.plain import BOLD, BOX, END

_D = rf"[ \t{BOLD}{BOX}{END}]"  # a space or a mark

# What follows is no part of the text: "\nQ: Rob has 5 cats", "Human: Hi", "</s>".
RUN_ON = re.compile(
    rf"(?:\A|\n){_D}*(?:#+ *)?{_D}*(?:Q|Question|Problem|New question|Next question|Human|User|Student|Example \d+|Exercise"
    rf"|Follow-up|Bonus)(?: ?\d+)?{_D}*:"
    r"|(?:\n|(?<=[.!?\d)] ))(?:Question|Q|Human|User): ?(?=[A-Z\d])"
    r"|</s>|<\|[a-z_]+\|>|<(?:start|end)_of_turn>|\[/?INST\]|### ?(?:Instruction|Question|Problem|Human|User|Input)\b"
)
RUN_ON_WORDS = (
    "Q",
    "Problem",
    "question",
    "Human",
    "User",
    "Student",
    "Ex",
    "Follow-up",
    "Bonus",
    "PROBLEM",
    "</s>",
    "<|",
    "turn>",
    "INST]",
    "###",
)
RULE = re.compile(r"\n *(?:-{3,}|\*{3,}|_{3,})\s*\Z")  # the line above it
OWN_QUESTION = re.compile(rf"{_D}*(?:Q|Question)\s*:[^\n]*\n+(?=.)")  # at the start: "Question: How many?\n9 eggs"

# What was said before no longer counts: "Wait, she also bakes with 4."
CORRECTION = re.compile(
    r"\b(?:wait\b|actually,|correction\b|i (?:made|see) (?:a|an|my|the) (?:mistake|error)|(?:i )?apologi[sz]e|i'm sorry|sorry\b"
    r"|let(?: me|'s) (?:correct|re-?do|re-?calculate|re-?consider|try again|fix)|hold on\b|oops\b"
    r"|(?:that|this) (?:is|was|seems) (?:wrong|incorrect|not right|not correct)|on second thought|scratch that|my mistake)",
    re.I,
)
CORRECTION_WORDS = (
    *(
        "wait",
        "actually",
        "correct",
        "made",
        "see",
        "sorry",
        "apolog",
        "let me",
        "let's",
        "hold on",
        "oops",
        "wrong",
        "not right",
        "thought",
    ),
    *("scratch", "mistake"),
)

# The answer was given: "To check: 9 + 7 = 16.", "Alternatively, …"; after a short answer also "Explanation: …".
CHECK = re.compile(
    rf"(?:\n|(?<=[.!?)] )){_D}*(?:#+ *)?(?:"
    r"(?:to |let's |let us |we can |i will |you can )?(?:double[- ]?)?(?:check|verify|confirm)(?:ing)?\b"
    r"|verification\b|proof\b|alternative(?:ly| method| solution)|another way\b"
    r"|(?P<explains>(?:here(?:'s| is) (?:the|a|how)|explanation|the breakdown|breakdown|reasoning|justification|calculations?)\b))",
    re.I,
)
CHECK_WORDS = (
    *("check", "verif", "confirm", "proof", "alternative", "another way", "here", "explanation", "breakdown", "reasoning", "justification"),
    "calculation",
)

# The answer follows: "The answer to this is", "Final answer:", "<answer>", "\nA:".
ANNOUNCEMENT = re.compile(
    rf"\b(?:answer|final result)\b(?! choices)(?:{_D}+(?:to|for|of|in)\b[^.\n:=,]{{1,80}}?)?"
    rf"(?:,? ?(?:therefore|then|thus|here|in [a-z]+),?)?{_D}*(?:\([^)\n]{{0,30}}\))?{_D}*"
    rf"(?P<how>(?:is|are|was|would be|will be|should be|must be|comes to|equals)\b{_D}*"
    rf"(?:therefore|thus|then|that)?\b{_D}*:?|[\"']? ?:|=|>|→)"
    rf"|(?:\A|\n){_D}*(?P<bare>A|Ans|Answer|Final answer|Result){_D}*(?::|\n)",
    re.I,
)
ANNOUNCEMENT_WORDS = ("answer", "a:", "a\n", "ans", "result")
HASHES = re.compile(rf"####+{_D}*(?:(?:final )?answer|a|ans)?{_D}*:?{_D}*(?=[-$€£¥₹(]?{_D}*[-$€£]?{_D}*\.?\d)", re.I)

# Ends of sentences; of clauses that state something of their own: "…, so they need 4 buses", "…, which is 60%".
SENTENCE = re.compile(rf"\n+|(?<=[.!?])[\"')\]{END}]*\s+(?=[\"'(\[{BOLD}{BOX}]*[A-Z\d$-])|(?<=[a-z)]\.)(?=[A-Z][a-z])|\s\|\s|(?<=\|)\s*\n")
CLAUSE = re.compile(
    r",?\s(?=(?:so(?! (?:that (?!is)|far|many|much|on)\b)|therefore|hence|thus|giving|leaving|for a total|meaning|making"
    r"|which (?:is|was|means|gives|leaves|makes|rounds))\b)|;\s"
)

# A paragraph in brackets at the end: "\n(If the raise was compounded, it would be $9.)"
ASIDE = re.compile(r"\n[ \t]*\([^()]{20,2000}\)\s*\Z")

# A sentence that gives no answer.
REMARK = re.compile(
    r"\A\W*(?:note\b|notice\b|remember\b|keep in mind|please\b|i hope\b|hope (?:this|that)\b|let me know|if you (?:have|need|want|would)"
    r"|feel free|for (?:reference|context|comparison)\b|assuming\b|remark\b|p\.?s\.|fun fact|as a (?:check|side note)|interestingly\b"
    r"|(?:this|that|it)(?: is|'s) because\b"
    r"|by the way|however, if\b|don't forget|step \d+:?\W*\Z"
    r"|(?:this|the|our|my) (?:answer|calculation|solution|result|assum)[a-z]*\b.*\b(?:assum|check|correct|match))",
    re.I,
)
COMPARISON = re.compile(  # "This is 5 more than before."
    r"\A\W*(?:this|that|it|which) (?:is|would be|was)\b.*\b(?:more|less|fewer|higher|lower|greater|times|because|since|due to)\b", re.I
)
QUESTION = re.compile(r"\A\W*(?:do|does|did|would|can|could|is|are|have|what|how|which|any|need|want)\b.*\?\W*\Z", re.I)
SUPPOSITION = re.compile(r"\A\W*(?:in|over|for|per) (?:an?|one|each) (?:week|month|year)\b.*\b(?:would|could|might)\b", re.I)
ASKS = re.compile(r"\bhow (?:many|much|long|far|old)\b[^.?\n]{0,300}\?", re.I)
WHICH = re.compile(r"which (?:is|was|rounds)\b", re.I)
WHICH_IS = re.compile(  # "which rounds up to 4"
    rf"which (?:is|was|rounds)(?: equal| equivalent| the same as| a total of| about| approximately| up| down| off| to| [a-z]+ed)*"
    rf"{_D}*[-$€£]{{0,2}}\d",
    re.I,
)
LEAVING = re.compile(r"(?:leaving|making the|which leaves)\b", re.I)
SHARE = re.compile(r"which (?:is|was) \d[\d./]*%? of\b", re.I)  # "which was 3/5 of the $110"
IN_TOTAL = re.compile(r"for a total\b", re.I)
HOW_MANY_MORE = re.compile(r"how (?:many|much) (?:more|fewer|less|additional)\b", re.I)  # of a question

# A sentence that concludes; and one that surely does.
CONCLUSION = re.compile(
    r"\A\W*(?:so\b|therefore|thus|hence|in total|altogether|in conclusion|finally|overall|total|as a result|consequently|in all\b"
    r"|this means|that means|final)",
    re.I,
)
THEREFORE = re.compile(r"\A\W*(?:therefore|thus|hence|in conclusion|overall|altogether|in total)\b", re.I)

# Ends of texts that were cut off: "16 - 3 =", "so she sells the", "9*2 = $<<9*2="; a sentence without a number and without an end.
UNFINISHED = re.compile(
    r"(?:[-+*/×÷=≈(]|(?<!\d)\$|\b(?:is|are|the|an?|of|and|to|for|by|with|at|that|so|which|from|will|per|then|therefore|thus|because"
    r"|since|or|if))\s*\Z",
    re.I,
)
OPEN_MARK = re.compile(r"<<[^<>]*>?\Z")
FRAGMENT = re.compile(r"[A-Z][^\d.!?:]*[a-z,]")

# The dress of a line: "- ", "1. "; a list at the end with a line before it: "She earns $9 in all:\n- $4 …\n- $5 …".
BULLET = re.compile(rf"\A{_D}*[-+•*]{_D}+")
FIRST_ITEM = re.compile(rf"^{_D}*\(?1[.)] ", re.M)
ITEM_NUMBER = re.compile(rf"^({_D}*)\(?\d{{1,2}}[.)](?={_D}+\S)", re.M)
ITEMS = re.compile(r"(?:\A|\n)([^\n]*\d[^\n]*):[ \t]*\n+((?:[ \t]*[-*•][^\n]*\n?)+)\s*\Z")
BARE = re.compile(r"\A\W*[\d.,]+%?(?: [a-z]+){0,3}(?:\.|\n)\s*\Z", re.I)  # "9 eggs."
RESULT = re.compile(rf"={_D}*(?:about |approximately )?(?=[-$€£]?{_D}*[-$]?\.?\d)")  # "= $18"


def has(text: str, words: tuple[str, ...]) -> bool:
    """Whether any of the words is in the text."""
    return any(word in text for word in words)
