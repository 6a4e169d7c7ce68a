"""What the stack of infra/training.yaml made, by its outputs.

Imports `maas.errors` and the lab.

    training = find_training(open_cloud(target.region), target)
    training.bucket, training.queue, training.definition
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from maas.errors import NotFoundError, RefusedError

if TYPE_CHECKING:
    from maas_lab.aws import Cloud

STACK = "maas-training"
"""The stack's name where nothing else is said."""
_TEMPLATE = "infra/training.yaml"


@dataclass(frozen=True, slots=True)
class TrainingTarget:
    """Where to train.

    Attributes:
        region: AWS's region; empty where nothing says it.
        stack: The stack's name.
        several: On the stack's several machines at once, not on one.
    """

    region: str
    stack: str = STACK
    several: bool = False


@dataclass(frozen=True, slots=True)
class TrainingResources:
    """What a client needs of the stack.

    Attributes:
        bucket: The bucket's name.
        queue: The job queue's ARN.
        definition: The job definition's ARN, with its revision.
        log_group: Where the jobs' logs go.
    """

    bucket: str
    queue: str
    definition: str
    log_group: str


def find_training(cloud: "Cloud", target: TrainingTarget) -> TrainingResources:
    """Look at the stack.

    Raises:
        NotFoundError: There is none of this name.
        RefusedError: It has no such outputs: it is another stack, it failed, or it was made
            without several machines.
    """
    stack = cloud.stack(target.stack)
    if stack is None:
        raise NotFoundError(
            f"There is no stack {target.stack} in {target.region}. Make it from {_TEMPLATE}, which"
            " says how, or name another with --stack and --region."
        )
    kind = "Nodes" if target.several else ""
    names = ("Bucket", f"{kind}Queue", f"{kind}JobDefinition", "LogGroup")
    lacking = [name for name in names if not stack.outputs.get(name)]
    if lacking:
        remedy = (
            " Give it NodeCount above 1 for several machines."
            if target.several and lacking[0].startswith(kind)
            else ""
        )
        raise RefusedError(
            f"The stack {target.stack} ({stack.status}) has no output {lacking[0]}; {_TEMPLATE} "
            f"makes one that has.{remedy}"
        )
    return TrainingResources(*(stack.outputs[name] for name in names))
