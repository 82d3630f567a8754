"""What a recipe was: kept in the lake beside the samples, so that nobody has to guess what a model saw.

    recipes/r41d0….json:  {"model": "google/gemma-7b@main", "template": "{{ question }}…", "chat": false, "temperature": 0.7, …}

The name is the recipe's hash, so the file never changes.
"""

import json
from dataclasses import asdict, dataclass

from tasks.config import Model
from tasks.lake.files import Lake
from tasks.sampling.prompts import render
from tasks.sampling.recipe import Recipe


@dataclass(frozen=True)
class Shown:
    """A prompt as a person may read it. `remark`: what the text leaves out, if anything."""

    text: str
    remark: str


def keep_recipe(lake: Lake, recipe: Recipe, model: Model) -> None:
    """Write down the recipe, and where the model's tokenizer is."""
    content = asdict(recipe) | {"path": model.path, "revision": model.revision, "is_served": model.url is not None}
    lake.create(_path(recipe.id), json.dumps(content, indent=1).encode())


def shown_prompt(lake: Lake, recipe_id: str, question: str, choices: list[str] | None, subject: str | None) -> Shown | None:
    """The prompt that a query became by a recipe; None where the lake has no record of it (imported, or of an earlier version).

    Of a chat model it is what its chat template makes of it, if its tokenizer is on this machine.
    """
    try:
        recipe = json.loads(lake.read(_path(recipe_id)))
    except FileNotFoundError:
        return None
    prompt = render(recipe["template"], question, choices, subject)
    if not recipe["chat"]:
        return Shown(prompt, "")
    if recipe["is_served"]:
        return Shown(prompt, "sent to a server as a user's message")
    try:
        return Shown(_through_chat_template(prompt, recipe["path"], recipe["revision"]), "through the model's chat template")
    except Exception:  # no tokenizer here, or one that is refused; and a chat template can compute, so any error at all
        return Shown(prompt, "a user's message, put through the model's chat template, which cannot be used on this machine")


def _path(recipe_id: str) -> str:
    return f"recipes/{recipe_id}.json"


def _through_chat_template(prompt: str, path: str, revision: str | None) -> str:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(path, revision=revision, local_files_only=True)
    messages = [{"role": "user", "content": prompt}]
    return str(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))
