"""What OpenAI's list of models holds: all names by which the one model here may be asked.

May import the registry's records and the wire's structs beside it; it is handed what it tells.

    answer = models_of("sentiment", service.policy(), pinned=None)
"""

from typing import TYPE_CHECKING

from maas.http.protocols.openai_wire import OpenAiModel, OpenAiModels

if TYPE_CHECKING:
    from maas.registry.records import Policy


def models_of(model: str, policy: "Policy", *, pinned: str | None) -> OpenAiModels:
    """The names of a model, of each alias and of each version, the newest first.

    Args:
        model: The model's name.
        policy: Which versions and aliases there are.
        pinned: The version that the base URL names: no other may be sent there.
    """
    addresses = [*sorted(policy.aliases), *map(str, reversed(policy.numbers))]
    chosen = addresses if pinned is None else [pinned]
    return OpenAiModels([OpenAiModel(model), *(OpenAiModel(f"{model}@{each}") for each in chosen)])
