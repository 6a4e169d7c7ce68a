"""Whether a model of some name can be shipped to AWS: whether template.yaml takes it in Models.

Imports the standard library.

    unshippable("news-topics")           # why not, and what to do; empty where it is
"""

import re

_NAME = re.compile(r"[a-z][a-z0-9]{1,31}")


def unshippable(model: str, *, again: str = "") -> str:
    """Why a model of this name cannot be shipped yet, with the remedy; empty where it can.

    Args:
        model: The name.
        again: The command that makes it, to which another name can be added, where that is known.
    """
    if _NAME.fullmatch(model):
        return ""
    plain = re.sub(r"[^a-z0-9]", "", model)
    other = plain if _NAME.fullmatch(plain) else "another"
    made = f"make it under another one: {again}" if again else "train or import it again with"
    return (
        f"{model} can be served here and not be shipped to AWS yet: a name has 2 to 32 of a-z and"
        f" 0-9 there, no hyphens. A name is for good; {made} --name"
        f" {other}"
    )
