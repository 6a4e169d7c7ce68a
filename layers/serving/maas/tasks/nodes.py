"""Whether a graph is the one that a manifest describes: its inputs and outputs.

May import `maas.errors`.

    check_nodes(manifest, session)
"""

from typing import TYPE_CHECKING

from maas.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from maas.bundle.manifest import Manifest
    from maas.engine.session import Node, Session
    from maas.registry.records import TensorSpec


def check_nodes(manifest: "Manifest", session: "Session") -> None:
    """Refuse a graph of other tensors; a dimension that varies in the manifest must in the graph.

    Raises:
        BundleError: With the field at fault.
    """
    _check("inputs", manifest.inputs, session.inputs)
    _check("outputs", manifest.outputs, session.outputs)


def _check(field: str, specs: "Sequence[TensorSpec]", nodes: "Sequence[Node]") -> None:
    declared = [(spec.name, spec.dtype) for spec in specs]
    if declared != [(node.name, node.dtype) for node in nodes]:
        raise BundleError(f"The graph's {field} are not those of the manifest.", field=field)
    for spec, node in zip(specs, nodes, strict=True):
        fixed = {index: size for index, size in enumerate(node.shape) if isinstance(size, int)}
        if (node.shape and len(node.shape) != len(spec.shape)) or any(
            spec.shape[index] != size for index, size in fixed.items()
        ):
            raise BundleError(
                f"The graph's {spec.name} does not have the shape that the manifest says.",
                field=field,
            )
