"""What OpenAI's bodies have in common: they name the model, whose address names it already.

May import `maas.errors` and `maas.http.fields`.

    pin = version_in("sentiment@2", model="sentiment")      # "2"
"""

from maas.errors import ModelNotFoundError

PLACEHOLDER = "dummy"
"""What Hugging Face's client names in a conversation where it knows an address alone."""


def version_in(named: str, *, model: str) -> str | None:
    """Which version of a model its name in a body asks for.

    Args:
        named: What the body says: the model's name, or that and an address such as `@2`.
        model: The model that the path names.

    Returns:
        The address as it stands, for `Answering.turn`; None for the name alone.

    Raises:
        ModelNotFoundError: Another model is named.
    """
    name, at, address = named.partition("@")
    if name not in (model, PLACEHOLDER):
        raise ModelNotFoundError(
            f"Only {model} answers at this base URL. Send that as the model, or one of its versions"
            f" as {model}@2 or {model}@production.",
            field="model",
        )
    return address if at else None
