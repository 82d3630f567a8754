"""Where the samples of a shard are: `generations/model=ledger/recipe=r41d0…/bucket=03-of-16/5f0c….parquet`.

A bucket's samples may lie in files that were written when the queries were cut into another number of buckets. Such a file
is found because its label overlaps; it may hold other queries too.
"""

from tasks.errors import UserError
from tasks.lake.buckets import Bucket, parse_bucket
from tasks.lake.files import Lake, folder_name
from tasks.lake.tables import GENERATIONS

IMPORTED = "imported"  # the recipe of what was made elsewhere


def generation_files(lake: Lake, model: str, recipe_id: str, bucket: Bucket) -> list[str]:
    """Files of this model and recipe that may hold samples of this bucket's queries, sorted.

    Raises UserError for a file that lies under no bucket.
    """
    files = lake.files(generation_folder(model, recipe_id))
    return [file for file in files if _bucket_of(lake, file).overlaps(bucket)]


def generation_folder(model: str, recipe_id: str) -> str:
    """Folder in the lake of all samples of a model by a recipe."""
    return f"{GENERATIONS.name}/model={folder_name(model)}/recipe={folder_name(recipe_id)}"


def _bucket_of(lake: Lake, file: str) -> Bucket:
    folder = file.split("/")[-2]
    try:
        return parse_bucket(folder.removeprefix("bucket="))
    except UserError as error:
        raise UserError(f"{lake.location(file)}: {error}") from error
