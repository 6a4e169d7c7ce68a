"""The policy as it can be followed here, and a word where it cannot.

May import `maas.errors`, `maas.traffic` and `maas.registry`'s policy cache.

    followed = FollowedPolicy("sentiment", cache, carries=versions.carries, notice=notice)
    view = followed.current()        # view.policy, and view.source for the header x-maas-policy
"""

from typing import TYPE_CHECKING

from maas.errors import NotReadyError
from maas.registry.policy_cache import PolicyView
from maas.traffic import followable

if TYPE_CHECKING:
    from collections.abc import Callable

    from maas.errors import MaasError
    from maas.registry.policy_cache import PolicyCache
    from maas.registry.records import Policy


class FollowedPolicy:
    """What the registry says, less what leads nowhere. Safe to share between threads.

    Args:
        model: The model's name.
        policies: What the registry says.
        carries: Whether the version of a digest is here.
        notice: Told once of each policy that routes to versions that are not here.
    """

    def __init__(
        self,
        model: str,
        policies: "PolicyCache",
        *,
        carries: "Callable[[str], bool]",
        notice: "Callable[[MaasError], None]",
    ) -> None:
        self._model = model
        self._policies = policies
        self._carries = carries
        self._notice = notice
        self._read: Policy | None = None
        self._followed: Policy | None = None

    def current(self) -> PolicyView:
        """The policy to answer by; `stale` where a part of it is of before."""
        view = self._policies.current()
        if view.policy is self._read and self._followed is view.policy:
            return view
        before = self._followed or self._policies.baked
        followed = followable(view.policy, before, carries=self._carries)
        known, self._read, self._followed = self._read, view.policy, followed
        if known is None or view.policy.revision != known.revision:
            self._tell_of_absent(view.policy)
        if followed is view.policy:
            return view
        return PolicyView(followed, "stale" if view.source == "live" else view.source)

    def _tell_of_absent(self, policy: "Policy") -> None:
        """Say which routes cannot be followed: a rule forbids them, and somebody must look."""
        absent = sorted(
            {
                route.version
                for routes in policy.aliases.values()
                for route in routes
                if not self._carries(policy.digests[route.version])
            }
        )
        if absent:
            numbers = ", ".join(map(str, absent))
            self._notice(
                NotReadyError(
                    f"{self._model} routes to {numbers}, which is not carried here. Other versions "
                    "of the same alias answer instead, else those that answered before, if there "
                    "are any. Deploy it, or roll back."
                )
            )
