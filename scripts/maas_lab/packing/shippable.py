"""Whether a model of some name can be shipped to AWS: whether template.yaml takes it in Models.

Imports the standard library.

    unshippable("news-topics")           # why not, and what to do; empty where it is
"""

import re

_NAME = re.compile(r"[a-z][a-z0-9]{1,31}")


def unshippable(model: str) -> str:
    """Why a model of this name cannot be shipped yet, with the remedy; empty where it can."""
    if _NAME.fullmatch(model):
        return ""
    plain = re.sub(r"[^a-z0-9]", "", model)
    other = plain if _NAME.fullmatch(plain) else "another"
    return (
        f"{model} can be served here and not be shipped to AWS yet: a name has 2 to 32 of a-z and"
        f" 0-9 there, no hyphens. A name is for good; train it under another one: maas train"
        f" RECIPE --name {other}"
    )
