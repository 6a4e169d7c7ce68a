"""The types that sections of a recipe share: shares, seeds, labels. Imports msgspec and `maas`."""

from typing import Annotated

from msgspec import Meta

from maas.bundle.manifest import LABEL

Share = Annotated[float, Meta(ge=0.01, le=0.4)]
Probability = Annotated[float, Meta(ge=0.0, le=0.95)]
Seed = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Width = Annotated[int, Meta(ge=1, le=4096)]
Depth = Annotated[int, Meta(ge=1, le=48)]
Count = Annotated[int, Meta(ge=1, le=1_000_000_000)]
# The bundle's own rule, whole: what trains for minutes must not be refused at the end.
Label = Annotated[str, Meta(pattern=rf"\A{LABEL.pattern}\Z")]
ShortText = Annotated[str, Meta(min_length=1, max_length=200)]
Source = Annotated[str, Meta(min_length=1, max_length=4096)]
