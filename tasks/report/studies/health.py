"""The section on health stands on top of the page, below the alarms that are raised: everything that was looked at, and what was found."""

from tasks.report.alarms import Check, checks
from tasks.report.figures import Figures
from tasks.report.studies import Section, Table

TITLE = "Can these figures be believed?"


def section(figures: Figures, evaluation: Figures) -> Section | None:
    """A table of all alarms: raised ones first, silent ones too, and what could not be looked at."""
    found = checks(figures, evaluation)
    if all(check.state == "not looked at" for check in found):
        return None
    count = {state: [check for check in found if check.state == state] for state in ("raised", "fine", "not looked at")}
    raised, fine, missing = count.values()
    text = f"{len(raised) + len(fine)} things that can spoil a comparison of routers were looked at, and {_found(raised)}."
    if missing:
        text += f" {len(missing)} more could not be looked at."
    text += " An alarm proves no figure wrong: it says where to look before believing it. What is fine is fine as far as these tables tell."
    rows = [[check.title, check.state, check.found, check.limit] for check in found]
    caption = "Alarms first. Found: in brackets 95 % intervals, in per cent or points; of what is fine, the figure nearest to an alarm"
    return Section("health", TITLE, text, table=Table(caption, ["what", "state", "found", "alarm if"], rows))


def _found(raised: list[Check]) -> str:
    if not raised:
        return "none was found"
    names = ", ".join(f"{check.title[0].lower()}{check.title[1:]}" for check in raised)
    return f"{len(raised)} {'was' if len(raised) == 1 else 'were'} found: {names}"
