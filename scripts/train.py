"""The entry of the GPU batch job: train one recipe. It ends with the exit code of the error."""

import argparse
import sys
from pathlib import Path

from maas.settings import read_settings
from maas_lab.endings import exit_codes
from maas_lab.recipe import load_recipe
from maas_lab.train import train


def main() -> int:
    """Read the command line, train, and say what went wrong without a trace."""
    parser = argparse.ArgumentParser(description="Train a recipe.", allow_abbrev=False)
    add = parser.add_argument
    add("recipe", type=Path, help="such as scripts/recipes/sentiment-lstm.toml")
    add("--seed", type=int, help="another model on the same split")
    add("--name", help="another name for the model")
    add("--data", type=Path, metavar="FILE", help="your own rows: .csv, .jsonl or .parquet")
    add("--text-column", metavar="NAME", help="where the text is; default: text")
    add("--label-column", metavar="NAME", help="where the label is; default: label")
    add("--label", action="append", dest="labels", metavar="NAME", help="once for each label")
    add("--resume", action="store_true", help="go on with an unfinished run")
    add("--restart", action="store_true", help="throw this run away and begin again")
    given = vars(parser.parse_args())
    how = {name: given.pop(name) for name in ("resume", "restart")}
    with exit_codes(interrupted=5):  # to whoever runs the job: try again
        settings, recipe = read_settings(), load_recipe(given.pop("recipe"), **given)
        train(recipe, home=settings.home, cache=settings.cache, **how)
    return 0


if __name__ == "__main__":
    sys.exit(main())
