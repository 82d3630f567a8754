"""The eight skills of the embedded world: how one question of a skill and a difficulty is made.

A question of story, difficulty 2, with the working that a decoder learns to write after it:

    Finn has 9 books. Then Finn finds 2 more. Then Finn loses 3. How many books does Finn have now?
    9 + 2 = 11. 11 - 3 = 8.
    #### 8

and one of geography, difficulty 3 (the working walks the options, without which so small a model stays at chance):

    Which colour is the flag of the country whose capital is Kel?
    (A) black (B) green (C) red (D) blue
    Munia. green. (A) black (B) green. The answer is (B).

Difficulty is visible in the text and is one of 1, 2, 3:

    story      1 / 2 / 3-4 steps of ±1-9            price    a product / less some / and some more
    clock      within the hour / across / 65-115'   reverse  4-5 / 6-7 / 8-9 digits
    geography  capital / flag / flag by capital     animals  fur / home / capital of its home
    count      4-6 / 7-9 / 10-12 letters            weekday  2-4 / 5-8 / 9-12 days

This module knows nothing about splits, models or files.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from tasks.world.facts import ANIMALS, COLOURS, PLACES

LETTERS = "ABCD"
DIFFICULTIES = (1, 2, 3)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
NAMES = (
    "Ada", "Bea", "Cleo", "Dora", "Eli", "Finn", "Gus", "Hana", "Ivo", "Jill",
    "Kai", "Lena", "Max", "Nora", "Otto", "Pia", "Rosa", "Sam", "Tess", "Udo",
)  # fmt: skip
THINGS = ("books", "coins", "cups", "eggs", "keys", "nuts", "pens", "shells", "stamps", "toys")


@dataclass(frozen=True)
class Problem:
    """One question with its answer and the working that leads there.

    `atoms` are the facts that the working uses ("9+2", "capital of Gania"): a model that never saw one of them has to
    guess. The skills that are a procedure (reverse, count, weekday) have none. `conclusion` is the last clause of the
    working, the one that an answer reader reads.
    """

    skill: str
    difficulty: int
    question: str
    choices: tuple[str, ...]
    gold: str
    working: str
    conclusion: str
    atoms: tuple[str, ...]

    @property
    def answer_kind(self) -> str:
        """`choice` where there are options, otherwise `number`."""
        return "choice" if self.choices else "number"


def draw(skill: str, difficulty: int, rng: random.Random) -> Problem:
    """Make one random question of `skill` (a key of `SKILLS`) and `difficulty` (1, 2 or 3).

    >>> problem = draw("reverse", 1, random.Random(0))
    >>> problem.question, problem.gold
    ('Write 96048 backwards.', '84069')
    """
    return SKILLS[skill](difficulty, rng)


def _story(difficulty: int, rng: random.Random) -> Problem:
    name, thing = rng.choice(NAMES), rng.choice(THINGS)
    total = rng.randint(3, 15)
    sentences, working, atoms = [f"{name} has {total} {thing}."], [], []
    for _ in range(difficulty if difficulty < 3 else rng.randint(3, 4)):
        change = rng.randint(1, 9)
        # The total stays within 0..20: longer sums cannot be learnt by models of this size.
        gains = total - change < 0 or (total + change <= 20 and rng.random() < 0.5)
        verb = rng.choice(("finds", "buys", "gets") if gains else ("loses", "sells", "lends"))
        sentences.append(f"Then {name} {verb} {change}{' more' if gains else ''}.")
        step, total = _sum(total, change if gains else -change)
        working.append(step)
        atoms.append(step.split(" =")[0].replace(" ", ""))
    question = f"{' '.join(sentences)} How many {thing} does {name} have now?"
    return _number("story", difficulty, question, working, str(total), atoms)


def _price(difficulty: int, rng: random.Random) -> Problem:
    name, thing = rng.choice(NAMES), rng.choice(THINGS)
    bags, each = rng.randint(2, 9), rng.randint(2, 9)
    total = bags * each
    sentences, working, atoms = [f"{name} fills {bags} bags with {each} {thing} each."], [], [f"{bags}*{each}"]
    working.append(f"{bags} * {each} = {total}.")
    if difficulty > 1:
        broken = rng.randint(1, min(5, total - 1))
        sentences.append(f"{broken} are broken.")
        step, total = _sum(total, -broken)
        working.append(step)
    if difficulty > 2:
        found = rng.randint(1, 5)
        sentences.append(f"{found} more are found.")
        step, total = _sum(total, found)
        working.append(step)
    question = f"{' '.join(sentences)} How many good {thing} are there?"
    return _number("price", difficulty, question, working, str(total), atoms)


def _clock(difficulty: int, rng: random.Random) -> Problem:
    """The answer is the time without its colon, 5:30 as 530, so that it is a number."""
    name = rng.choice(NAMES)
    while True:
        hour, start = rng.randint(1, 9), 5 * rng.randint(1, 11)
        length = 5 * (rng.randint(13, 23) if difficulty == 3 else rng.randint(1, 11))
        end = start + length
        if difficulty == 3 or (end < 60) == (difficulty == 1):
            break
    question = f"{name} starts at {hour}:{start:02d} and works for {length} minutes. When does {name} stop?"
    working, atoms = [f"{start} + {length} = {end}."], [f"{start}+{length}"]
    while end >= 60:
        working += [f"{end} - 60 = {end - 60}.", f"{hour} + 1 = {hour + 1}."]
        end, hour = end - 60, hour + 1
    working.append(f"{hour}:{end:02d}.")
    return _number("clock", difficulty, question, working, f"{hour}{end:02d}", atoms)


def _reverse(difficulty: int, rng: random.Random) -> Problem:
    length = 2 * difficulty + rng.randint(2, 3)
    # Neither end is 0: a number that begins with 0 is not what a reader of numbers gives back.
    inner = [rng.choice("0123456789") for _ in range(length - 2)]
    digits = "".join([rng.choice("123456789"), *inner, rng.choice("123456789")])
    return _number("reverse", difficulty, f"Write {digits} backwards.", [], digits[::-1], [])


def _geography(difficulty: int, rng: random.Random) -> Problem:
    place = rng.choice(PLACES)
    if difficulty == 1:
        question, answer, thoughts = f"What is the capital of {place.name}?", place.capital, [place.capital]
        atoms, options = [f"capital of {place.name}"], [other.capital for other in PLACES]
    elif difficulty == 2:
        question, answer, thoughts = f"Which colour is the flag of {place.name}?", place.flag, [place.flag]
        atoms, options = [f"flag of {place.name}"], list(COLOURS)
    else:
        question = f"Which colour is the flag of the country whose capital is {place.capital}?"
        answer, thoughts = place.flag, [place.name, place.flag]
        atoms, options = [f"flag by capital of {place.name}"], list(COLOURS)
    return _choice("geography", difficulty, question, thoughts, answer, options, atoms, rng)


def _animals(difficulty: int, rng: random.Random) -> Problem:
    animal = rng.choice(ANIMALS)
    home = animal.home
    if difficulty == 1:
        question, answer, thoughts = f"Which colour is the fur of the {animal.name}?", animal.fur, [animal.fur]
        atoms, options = [animal.name], list(COLOURS)
    elif difficulty == 2:
        question, answer, thoughts = f"Where does the {animal.name} live?", home.name, [home.name]
        atoms, options = [animal.name], [place.name for place in PLACES]
    else:
        question = f"What is the capital of the country where the {animal.name} lives?"
        answer, thoughts = home.capital, [home.name, home.capital]
        atoms, options = [animal.name], [place.capital for place in PLACES]
    return _choice("animals", difficulty, question, thoughts, answer, options, atoms, rng)


def _count(difficulty: int, rng: random.Random) -> Problem:
    length = 3 * difficulty + rng.randint(1, 3)
    alphabet = rng.sample("abcdefghijklmnopqrstuvwxyz", 3)
    letters = [rng.choice(alphabet) for _ in range(length)]
    wanted = rng.choice(letters)
    answer = letters.count(wanted)
    question = f"How often does {wanted} occur in {' '.join(letters)}?"
    thoughts = [f"{' '.join([wanted] * answer)} = {answer}"]
    options = [str(number) for number in range(max(1, answer - 3), answer + 4)]
    return _choice("count", difficulty, question, thoughts, str(answer), options, [], rng)


def _weekday(difficulty: int, rng: random.Random) -> Problem:
    name, start = rng.choice(NAMES), rng.randrange(7)
    distance = rng.randint(*{1: (2, 4), 2: (5, 8), 3: (9, 12)}[difficulty])
    question = f"{name} leaves on {DAYS[start]} and is back {distance} days later. On which day is that?"
    steps = " ".join(f"{step} {DAYS[(start + step) % 7]}" for step in range(1, distance + 1))
    answer = DAYS[(start + distance) % 7]
    return _choice("weekday", difficulty, question, [steps], answer, list(DAYS), [], rng)


def _number(skill: str, difficulty: int, question: str, working: list[str], gold: str, atoms: list[str]) -> Problem:
    return Problem(skill, difficulty, question, (), gold, " ".join(working), f"\n#### {gold}", tuple(atoms))


def _choice(
    skill: str,
    difficulty: int,
    question: str,
    thoughts: list[str],
    answer: str,
    options: list[str],
    atoms: list[str],
    rng: random.Random,
) -> Problem:
    """Four options in random order; the working says the thoughts, then walks the options up to the right one."""
    choices = rng.sample([option for option in dict.fromkeys(options) if option != answer], 3)
    choices.insert(rng.randrange(4), answer)
    gold = LETTERS[choices.index(answer)]
    walk = " ".join(f"({letter}) {choice}" for letter, choice in zip(LETTERS, choices, strict=True) if letter <= gold)
    working = f"{' '.join(f'{thought}.' for thought in thoughts)} {walk}."
    conclusion = f" The answer is ({gold})."
    return Problem(skill, difficulty, question, tuple(choices), gold, working, conclusion, tuple(atoms))


def _sum(total: int, change: int) -> tuple[str, int]:
    """One step of a sum in words and its result: (11, -3) gives ("11 - 3 = 8.", 8)."""
    return f"{total} {'+' if change > 0 else '-'} {abs(change)} = {total + change}.", total + change


SKILLS: dict[str, Callable[[int, random.Random], Problem]] = {
    "story": _story,
    "price": _price,
    "clock": _clock,
    "reverse": _reverse,
    "geography": _geography,
    "animals": _animals,
    "count": _count,
    "weekday": _weekday,
}
