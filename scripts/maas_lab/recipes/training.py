"""How a network learns. Imports msgspec.

TrainingRecipe(optimizer="adamw", schedule="cosine", warmup=0.06)
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from maas_lab.recipes.parts import Count, Probability

Betas = Annotated[float, Meta(ge=0.0, lt=1.0)]


class TrainingRecipe(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Optimiser, schedule, loss and when to stop."""

    batch_size: Annotated[int, Meta(ge=1, le=65_536)] = 32
    """Rows per update, over all processes and accumulated steps (rows)."""
    batch_tokens: Annotated[int, Meta(ge=0, le=10_000_000)] = 0
    """Where it is not 0, rows share a batch until their tokens, padding included, are this many;
    `batch_size` then bounds the rows (tokens)."""
    accumulate: Annotated[int, Meta(ge=1, le=1024)] = 1
    """Parts that a batch is computed in, one after the other, where memory is short."""
    optimizer: Literal["adam", "adamw", "sgd", "momentum"] = "adam"
    """`sgd` is plain; `momentum` is SGD with Nesterov's momentum of 0.9."""
    learning_rate: Annotated[float, Meta(gt=0.0, le=1.0)] = 1e-3
    """The highest step size of the schedule."""
    weight_decay: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0
    """Of weight matrices only, never of biases, norms or embeddings (per update)."""
    beta2: Betas = 0.999
    """Adam's memory of squared gradients."""
    schedule: Literal["constant", "linear", "cosine", "inverse-sqrt"] = "constant"
    """How the step size falls after the warm-up; to 0 at the last update of `max_epochs`, or with
    the inverse square root of the updates."""
    warmup: Annotated[float, Meta(ge=0.0, le=0.9)] = 0.0
    """Share of all updates in which the step size rises from 0 (0 to 0.9)."""
    loss: Literal["cross-entropy", "bce", "mse"] = "cross-entropy"
    """`bce`: each class by itself, yes or no; `mse`: the squared error of the probabilities."""
    label_smoothing: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.0
    """Share of the target that all classes divide among them (0 to 1); cross-entropy and bce."""
    class_weights: Literal["none", "balanced"] = "none"
    """`balanced`: rows of rare classes count more, so that each class counts the same."""
    max_epochs: Annotated[int, Meta(ge=1, le=10_000)] = 12
    """Passes over the training rows at the most (epochs)."""
    patience: Annotated[int, Meta(ge=1, le=10_000)] = 3
    """Training stops after so many epochs in a row without a lower validation loss (epochs)."""
    clip: Annotated[float, Meta(gt=0.0, le=1e6)] = 1.0
    """The gradient's norm is cut to this."""
    average: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.0
    """Where it is not 0, what is measured and kept is an exponential moving average of the weights
    with this decay per update, such as 0.999; at first it is (1 + updates) / (10 + updates)."""
    word_dropout: Probability = 0.0
    """Share of the words that training replaces by `[UNK]` (0 to 0.95); texts with labels only."""
    shift: Annotated[int, Meta(ge=0, le=16)] = 0
    """Training moves each picture by up to so many pixels (pixels)."""
    rotate: Annotated[float, Meta(ge=0.0, le=180.0)] = 0.0
    """Training turns each picture by up to so much (degrees)."""
    flip: bool = False
    """Training mirrors every other picture, left for right."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """What forward and backward compute in; weights are always float32."""
    compile: bool = False
    """Whether torch.compile is tried; pays on a GPU for long trainings only."""
    checkpoint_steps: Count = 100
    """A kill loses at most this much work (updates); the result does not depend on it."""
    threads: Annotated[int, Meta(ge=1, le=256)] = 1
    """Threads that torch computes with on a CPU. Two are a third faster for a small network on an
    idle machine, and several times slower where they have to wait for one another."""

    def __post_init__(self) -> None:
        """Refuse smoothing where the loss has no use for it."""
        if self.loss == "mse" and self.label_smoothing:
            raise ValueError("Expected `label_smoothing` of 0 with the loss mse")
