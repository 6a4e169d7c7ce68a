"""All that the faces import when they are first spoken: for a snapshot, where time is at hand.

Imports the wire format of every protocol; that of the model's own task is `wire_of`'s.

    from maas.http.faces import spoken
"""

from maas.http.protocols import (
    oip,
    oip_answer,
    oip_models,
    openai_completions,
    openai_embedding,
    openai_errors,
    openai_models,
    openai_wire,
    openai_wire_completions,
    sagemaker,
    sagemaker_wire,
    tfs,
    tfs_models,
)

WIRES = (
    *(oip, oip_answer, oip_models),
    *(openai_embedding, openai_errors, openai_models, openai_wire),
    *(openai_completions, openai_wire_completions),
    *(sagemaker, sagemaker_wire),
    *(tfs, tfs_models),
)
"""What was imported."""
