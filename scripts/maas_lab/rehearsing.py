"""A recipe at toy size from its rows to an answer over HTTP: what a test of a recipe runs.

Imports httpx, Pillow and the lab. Everything happens in one folder, with the app that serves on
Lambda, in this process:

    rehearsed = rehearse(Path("stars/stars.toml"), tmp_path)
    rehearsed.answer                             # as the HTTP API gives it for the first test row
    rehearsed.built.run.summary().test
"""

import asyncio
import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
from msgspec.structs import replace
from PIL import Image
from rich.console import Console

from maas.errors import RefusedError
from maas.settings import Settings
from maas_lab.building import BuiltModel, build_model
from maas_lab.data.rows import Pair, Picture, Sample
from maas_lab.data.splits import fold
from maas_lab.recipes.recipe import load_recipe
from maas_lab.recipes.smoke import smoke_variant
from maas_lab.runs import PairRow, TextRow
from maas_lab.serving import build_local_app

if TYPE_CHECKING:
    from pathlib import Path

    from maas_lab.data.dataset import Dataset
    from maas_lab.runs import TestRow


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What came of it.

    Attributes:
        built: The model.
        asked: The request's body, of the first test row.
        answer: The answer's body.
    """

    built: BuiltModel
    asked: dict[str, str]
    answer: Any


def rehearse(
    recipe_file: "Path",
    home: "Path",
    *,
    data: "Path | None" = None,
    cache: "Path | None" = None,
    console: Console | None = None,
) -> Rehearsal:
    """Train a recipe at toy size, export, bundle, register and promote it, and ask it.

    Args:
        recipe_file: The recipe.
        home: The folder that keeps everything.
        data: Rows instead of those that the recipe names.
        cache: The folder that keeps fetched data sets; by default one in `home`.
        console: Where progress is shown; by default nowhere.

    Raises:
        MaasError: What a step refuses.
    """
    settings = Settings.parse({"MAAS_HOME": str(home)})
    settings = replace(settings, cache=cache or settings.cache)
    recipe = smoke_variant(load_recipe(recipe_file, data=data))
    built = build_model(recipe, settings, console=console or Console(quiet=True), device="cpu")
    asked = request_of(built.run.test_rows()[0])
    return Rehearsal(built, asked, ask(settings, recipe.name, asked))


def request_of(row: "TestRow") -> dict[str, str]:
    """The body that asks about a test row."""
    if isinstance(row, TextRow):
        return {"inputs": row.text}
    if isinstance(row, PairRow):
        return {"inputs": row.source}
    pixels = row.pixels()
    file = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG")
    return {"inputs": base64.b64encode(file.getvalue()).decode()}


def shared_rows(dataset: "Dataset[Any]") -> list[str]:
    """What is in more than one split, each said in a line; nothing should be."""
    found: dict[bytes | str, str] = {}
    shared = []
    for split in ("train", "validation", "test"):
        for place, row in enumerate(getattr(dataset, split), start=1):
            where = f"{split} row {place}"
            other = found.setdefault(_key(row), where)
            if other.split()[0] != split:
                shared.append(f"{other} is {where}")
    return shared


def _key(row: object) -> bytes | str:
    """What two rows have in common that are one."""
    if isinstance(row, Picture):
        return row.pixels.tobytes()
    if isinstance(row, Pair):
        return fold(row.source)
    return fold(row.text if isinstance(row, Sample) else str(row))


def ask(settings: Settings, model: str, body: dict[str, str]) -> Any:  # noqa: ANN401 - any JSON
    """Send a request to the app in this process, and give the answer's body.

    Raises:
        RefusedError: The answer is an error.
    """
    app, _ = build_local_app(replace(settings, log_level="ERROR"))

    async def post() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.post(f"/models/{model}", json=body)

    response = asyncio.run(post())
    if response.status_code != httpx.codes.OK:
        raise RefusedError(f"{model} answered {response.status_code}: {response.text}")
    return response.json()
