"""`manyminds explain`: why a question goes to a model.

manyminds explain --lake lakes/demo "Write 8294 backwards."
"""

from collections.abc import Iterator
from typing import Any

from flows.explanation import explanation_document
from flows.routing import Guide, asked
from flows.terminal import RIGHT, WRONG, console, print_grid, print_json, print_text, shortened
from tasks.policies.paper import DRAWN_FROM, UNSURE

NAMED = 3  # models, the most confident ones, of which it is said from which confidence each would be chosen; JSON has all
_UNITS = {"usd": "$", "seconds": "s", "tokens": "tokens"}


def print_explanation(url: str, question: str, router: str | None, policy: str | None, as_json: bool = False) -> None:
    """The choice, what is expected of each model, the nearest training questions, and what would change the choice."""
    query = asked(question)
    found = explanation_document(Guide(url, router, policy), query)
    if as_json:
        print_json(found)
        return
    print_text(choice_in_words(found))
    console.print()
    _print_models(found)
    _print_nearest(found)
    print_text("What would change the choice", style="italic")
    for sentence in changes_in_words(found):
        print_text(f"• {sentence}")


def choice_in_words(found: dict[str, Any]) -> str:
    """One or two sentences: who is chosen, by what, and what it costs against the best single model."""
    who = f"{found['router']} with {found['policy']}"
    chosen, models = found["model"], {row["model"]: row for row in found["models"]}
    if chosen is None:
        return f"No model: {who} asks none where no confidence is above one half, as published."
    said = f"{chosen}, by {who}: the confidence that it can answer is {models[chosen]['confidence']:.2f}."
    best = found["best_single"]
    if best is None or best not in models:
        return said
    if chosen == best:
        return f"{said} It is the best single model, too."
    parts = [
        f"{mine} against {other}"
        for mine, other in (
            (_cost(models[chosen], found), _cost(models[best], found)),
            (_latency(models[chosen]), _latency(models[best])),
        )
        if mine and other
    ]
    return f"{said} The best single model, {best}, has {models[best]['confidence']:.2f}" + (f"; {' and '.join(parts)}." if parts else ".")


def changes_in_words(found: dict[str, Any]) -> Iterator[str]:
    """What would change the choice, a sentence each."""
    chosen, models = found["model"], {row["model"]: row for row in found["models"]}
    if second := found["runner_up"]:
        distance = models[chosen]["confidence"] - second["below"]
        to = f"to {second['model']}" if second["model"] else "to no model"
        said = f"{to[3:] or to} is next: the question goes {to} if the confidence in {chosen} is below {second['below']:.2f}"
        yield f"{said}, {distance:.2f} less than it is." + _off(found, distance)
    elif chosen is not None:
        yield f"{chosen} is chosen whatever the confidence in it is."
    if found["policy"].startswith("random") and max(row["confidence"] for row in found["models"]) <= UNSURE:
        yield f"No confidence is above {UNSURE:.2f}: one of the {DRAWN_FROM} highest was drawn, always the same one for this question."
    others = [row for row in found["models"] if row["model"] != chosen and row["chosen_from"] is not None]
    bounds = {f"{row['chosen_from']:.2f}" for row in others}
    if len(others) > 1 and len(others) >= len(models) - 1 and len(bounds) == 1:
        yield f"Each of the others would be chosen from a confidence of {bounds.pop()} on."
    elif others:
        most = [f"{row['model']} from {row['chosen_from']:.2f} (now {row['confidence']:.2f})" for row in others[:NAMED]]
        yield f"By its own confidence alone would be chosen: {_listed(most)}."
    never = [row["model"] for row in found["models"] if row["model"] != chosen and row["chosen_from"] is None]
    if never and chosen is not None and len(never) == len(models) - 1:
        yield "No confidence in one of the others, not even 1, would change that."
    elif never:
        yield f"No confidence, not even 1, would bring the question to {_listed(never)}."
    if weights := found["weights"]:
        steps = [f"{turn['model']} from a weight of {_digits(turn['weight'])}" for turn in weights[1:]]
        formula, own = f"confidence - weight x {_UNITS[found['cost_unit']]}", found["policy_weight"]
        if steps and own is not None:
            yield f"Highest by {formula} is {weights[0]['model']} where cost weighs nothing, {', '.join(steps)}; now {_digits(own)}."
        elif steps:
            yield f"If cost counted ({formula}): {weights[0]['model']} where it weighs nothing, {', '.join(steps)}."
    if (budget := found["policy_budget"]) is not None:
        dear = [
            row
            for row in found["models"]
            if row["expected_cost"] is not None
            and row["expected_cost"] > budget
            and (not chosen or row["confidence"] > models[chosen]["confidence"])
        ]
        for row in dear:
            yield f"{row['model']} would need a budget of {_cost(row, found)} a question; now {_amount(budget, found['cost_unit'])}."
    by_choice: dict[str | None, list[str]] = {}
    for other in found["policies"]:
        by_choice.setdefault(other["model"], []).append(other["policy"])
    same = by_choice.pop(chosen, [])
    for model, policies in by_choice.items():
        yield f"With {_listed(policies)}, the question would go to {model or 'no model'}."
    if same:
        yield f"The same choice is made by {_listed(same)}."


def _off(found: dict[str, Any], distance: float) -> str:
    error = found["calibration_error"]
    if error is None:
        return ""
    near = "less" if distance < error else "more"
    return f" That is {near} than the router's confidences are off on average ({error:.2f})."


def _print_models(found: dict[str, Any]) -> None:
    columns = {
        "model": [row["model"] for row in found["models"]],
        "confidence": [f"{row['confidence']:.2f}" for row in found["models"]],
        "expected cost": [_cost(row, found) for row in found["models"]],
        "expected latency": [_latency(row) for row in found["models"]],
        "right on test": ["" if row["accuracy"] is None else f"{row['accuracy']:.1%}" for row in found["models"]],
        "": ["chosen" if row["model"] == found["model"] else "" for row in found["models"]],
    }
    known = {name: cells for name, cells in columns.items() if any(cells)}
    print_grid("What is expected of each model", list(known), zip(*known.values(), strict=True))


def _print_nearest(found: dict[str, Any]) -> None:
    """The nearest training questions, and what each model was worth on them: ✓, ✗, the share of a success, – where that is not known."""
    rows = found["nearest"]["queries"]
    numbers = [str(number) for number in range(1, 1 + len(rows))]
    subjects = [row["subject"] or "" for row in rows]
    columns = {
        "": numbers,
        "similarity": [f"{row['similarity']:.2f}" for row in rows],
        "subject": [shortened(subject, 20) for subject in subjects],
        "question": [shortened(row["text"], 90) for row in rows],
    }
    known = {name: cells for name, cells in columns.items() if any(cells)}
    print_grid(f"Nearest training questions ({found['nearest']['by']})", list(known), zip(*known.values(), strict=True))
    names = [row["model"] for row in found["models"]]
    print_grid(
        "How the models did on them", ["model", *numbers], [[name, *(_label(row["labels"].get(name)) for row in rows)] for name in names]
    )


def _label(value: float | None) -> str:
    if value is None:
        return "–"
    return RIGHT if value == 1 else WRONG if value == 0 else f"{value:.2f}"


def _cost(row: dict[str, Any], found: dict[str, Any]) -> str:
    cost, unit = row["expected_cost"], found["cost_unit"]
    if cost is None or unit is None:
        return ""
    return _amount(cost, unit)


def _amount(cost: float, unit: str) -> str:
    return f"${_digits(cost)}" if unit == "usd" else f"{_digits(cost)} {_UNITS[unit]}"


def _latency(row: dict[str, Any]) -> str:
    seconds = row["expected_latency_s"]
    if seconds is None:
        return ""
    return f"{_digits(seconds)} s" if seconds >= 1 else f"{_digits(1000 * seconds)} ms"


def _digits(value: float) -> str:
    """Three significant digits, without an exponent."""
    return f"{float(f'{value:.3g}'):.12f}".rstrip("0").rstrip(".") or "0"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
