r"""Units of measure after a number, which stay, since 3 cm are not 3 m; and things counted, which go.

"12 \text{ square centimeters}", "12\text{cm}^2"     →  "12", "cm^2"
"72 \text{ miles per hour}"                          →  "72", "mi/h"
"5 apples", "5\text{ ways}"                           →  "5", ""
"5x"                                                 →  "5x", ""
"""

import re

from tasks.voting.answers.math.words import is_word

_UNITS = {
    "m": "m meter meters metre metres",
    "cm": "cm centimeter centimeters centimetre centimetres",
    "mm": "mm millimeter millimeters",
    "km": "km kilometer kilometers kilometre kilometres",
    "in": "in inch inches",
    "ft": "ft foot feet",
    "yd": "yd yard yards",
    "mi": "mi mile miles",
    "g": "g gram grams",
    "kg": "kg kilogram kilograms",
    "mg": "mg milligram milligrams",
    "lb": "lb lbs pound pounds",
    "oz": "oz ounce ounces",
    "s": "s sec second seconds",
    "min": "min minute minutes",
    "h": "h hr hrs hour hours",
    "day": "day days",
    "week": "week weeks",
    "month": "month months",
    "year": "yr year years",
    "l": "l liter liters litre litres",
    "ml": "ml milliliter milliliters",
    "mi/h": "mph",
    "km/h": "kmh kph",
    "cent": "cent cents ¢",
    "dollar": "dollar dollars usd",
    "am": "am",
    "pm": "pm",
    "rad": "rad radian radians",
}
_UNIT = {name: unit for unit, names in _UNITS.items() for name in names.split()}
_TRAILING_TEXT = re.compile(r"^(.*?[\w})!%.])\s*\\text\{([^{}]*)\}\s*(\^\s*\{?\s*[23]\s*\}?)?$", re.DOTALL)
_TRAILING_WORDS = re.compile(r"^([-+$\d.,/\s]*\d[\d.,]*|.*\})\s*(?<!\\)\b([a-zA-Z][a-zA-Z/. ]*)(\^\s*\{?\s*[23]\s*\}?)?$", re.DOTALL)


def without_unit(text: str) -> tuple[str, str]:
    """`text`, in one notation, without what follows its number; and the unit, empty where it names none."""
    is_text = _TRAILING_TEXT.match(text)
    found = is_text or _TRAILING_WORDS.match(text)
    if not found:
        return text, ""
    words = re.split(r"[\s/-]+", found[2].lower().replace(".", "").strip())
    name = " ".join(words)
    if not is_text and (len(name) < 2 or not (is_word(name) or any(word in _UNIT for word in words))):
        return text, ""
    power = found[3] and found[3].strip("^{} \t")
    if {"square", "squared", "sq"} & set(words):
        power = "2"
    if {"cubic", "cubed", "cu"} & set(words):
        power = "3"
    units = [_UNIT[word] for word in words if word in _UNIT]
    per = "/".join(units)
    return found[1], per + (f"^{power}" if power and per else "")
