r"""Words in a clause that change what it says of an option; all in small letters.

    "the answer is not B"              NEGATED
    "the answer could be B"            HEDGED
    "many would say the answer is B"   OF_OTHERS: not what the text itself says
    "if it were hotter, B would be"    HYPOTHETICAL

Only the words of the clause are looked at, not those of its neighbours.
"""

import re

NEGATED = re.compile(
    r"\b(?:not|cannot|never|neither|nor|hardly|no longer|far from|no way|wrong to|false that"
    r"|(?<!no )(?<!without )(?<!without a )doubt|anything but|unlikely)\b|n't\b"
)
HYPOTHETICAL = re.compile(
    r"\b(?:if|unless|had|were|suppose|assum\w+|pretend)\b.*\b(?:would|could|might|were)\b|\bwould have been\b|\b(?:would"
    r"|'d) have (?!to\b)\w+(?!.*\bbut\b)|\b(?:in that case"
    r"|otherwise)\b|^\W*(?:suppose|assume|let)\b(?!')"
    r"|\bwithout\b.*\bwould\b|\bcorrect if\b|\bif it were\b"
)
HEDGED = re.compile(
    r"\b(?:might|may|could|tempting|tempted|seems?|appears?|perhaps|possible|plausible|almost|nearly|partly|partially|if)\b"
)
OF_OTHERS = re.compile(
    r"\b(?:people|students?|whether|someone|somebody|others|(?:many|some|most)(?!\s?$|\s(?:appropriate|likely|suitable|accurate"
    r"|consistent|probably"
    r"|correct|plausible|of the))|published|textbooks?|author|claims?|mistake(?:nly)?|mistaken|wrongly|incorrectly|falsely|misconception"
    r"|trap|distractor|at first|initially|originally|first|thought|was going|were going|considered|you (?:might|may|could|said|chose"
    r"|picked)|your|used to|last year"
    r"|(?:friend|teacher|classmate|colleague|he|she|they)s?\s(?:say|said|think|believe|insist|claim)\w*)\b"
)
