"""The entry of a training job: train one recipe. It ends with the exit code of the error."""

import argparse
import sys
from pathlib import Path

from maas.settings import read_settings
from maas_lab.endings import exit_codes
from maas_lab.recipes.recipe import load_recipe
from maas_lab.recipes.shelf import find_recipe
from maas_lab.train import train

COLUMNS = ("text_column", "label_column", "source_column", "target_column")


def main() -> int:
    """Read the command line, train, and say what went wrong without a trace."""
    parser = argparse.ArgumentParser(description="Train a recipe.", allow_abbrev=False)
    add = parser.add_argument
    add("recipe", help="a name, such as sentiment-lstm, or a file")
    add("--seed", type=int, help="another model on the same split")
    add("--name", help="another name for the model")
    add("--data", type=Path, metavar="FILE", help="your own rows: .csv, .tsv, .jsonl or .parquet")
    for name in COLUMNS:
        add(f"--{name.replace('_', '-')}", metavar="NAME", help=f"default: {name[:-7]}")
    add("--label", action="append", dest="labels", metavar="NAME", help="once for each label")
    add("--resume", action="store_true", help="go on with an unfinished run")
    add("--restart", action="store_true", help="throw this run away and begin again")
    given = vars(parser.parse_args())
    how = {name: given.pop(name) for name in ("resume", "restart")}
    columns = {key: name for key in COLUMNS if (name := given.pop(key)) is not None}
    with exit_codes(interrupted=5):  # to whoever runs the job: try again
        path = find_recipe(given.pop("recipe"))
        settings, recipe = read_settings(), load_recipe(path, columns=columns, **given)
        train(recipe, home=settings.home, cache=settings.cache, **how)
    return 0


if __name__ == "__main__":
    sys.exit(main())
