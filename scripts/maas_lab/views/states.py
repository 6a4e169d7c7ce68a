"""What an event's subject was or became, in a few words.

Imports `maas` and msgspec.

    state_text({"routes": [{"version": 2, "weight": 10000}]})     # "version 2"
"""

from typing import TYPE_CHECKING

import msgspec

from maas.registry.records import Route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    State = dict[str, object]


def routes_text(routes: "Iterable[Route]") -> str:
    """Routes as people say them: `version 1 90 %, version 2 10 %`."""
    routes = tuple(routes)
    if len(routes) == 1:
        return f"version {routes[0].version}"
    return ", ".join(f"version {route.version} {route.weight / 100:g} %" for route in routes)


def numbers_text(versions: "Iterable[int]") -> str:
    """Versions as people say them: `1, 2`."""
    return ", ".join(map(str, versions)) or "none"


def state_text(state: "State | None") -> str:
    """What an event's subject was or became."""
    if state is None:
        return "nothing"
    for name, say in _SAID.items():
        if name in state:
            return say(state)
    return str(state.get("problem") or state.get("status", ""))


def _routes(state: "State") -> str:
    text = routes_text(msgspec.convert(state["routes"], tuple[Route, ...]))
    shadow = msgspec.convert(state.get("shadow"), dict[str, int] | None)
    if shadow is not None:
        text += f", shadow version {shadow['version']} {shadow['sample'] / 100:g} %"
    return f"{text}, forced" if state.get("forced") else text


def _aliases(state: "State") -> str:
    aliases = msgspec.convert(state["aliases"], dict[str, dict[str, object]])
    moved = [f"{name} {state_text(each)}" for name, each in aliases.items()]
    return ", ".join([str(state["status"]), *moved])


def _versions(state: "State") -> str:
    numbers = msgspec.convert(state["versions"], tuple[int, ...])
    return f"{state.get('status')} with {numbers_text(numbers)}"


def _tags(state: "State") -> str:
    return ", ".join(msgspec.convert(state["tags"], tuple[str, ...])) or "no tags"


def _rollout(state: "State") -> str:
    rollout = msgspec.convert(state["rollout"], dict[str, object])
    return f"rollout {rollout.get('status')}"


_SAID: "dict[str, Callable[[State], str]]" = {
    "routes": _routes,
    "aliases": _aliases,
    "tags": _tags,
    "description": lambda state: str(state["description"]) or "no description",
    "versions": _versions,
    "digest": lambda state: str(state["digest"])[:19] + "…",
    "rollout": _rollout,
}
"""What to say of a state, by the first of these keys that it has."""
