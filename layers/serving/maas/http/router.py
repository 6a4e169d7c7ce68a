"""Which endpoint a path leads to.

    router = Router({"/models/{model}": endpoint})
    router.find("/models/sentiment")          # (endpoint, {"model": "sentiment"}), or None

Imports the standard library alone. Paths are a tree of segments, so that the time to find one does
not grow with the number of routes; where a segment could be either, a written one goes before one
that is left open, and one whose end is written between them.
"""

import functools
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

EndpointT = TypeVar("EndpointT")
_KEPT, _KEPT_CHARACTERS = 64, 256
"""Paths whose endpoints are kept, for who asks again asks for the same few; and how long ones."""


class _Place(Generic[EndpointT]):
    """A node of the tree."""

    __slots__ = ("end", "ending", "names", "open", "written")

    def __init__(self) -> None:
        self.written: dict[str, _Place[EndpointT]] = {}
        self.ending: dict[str, _Place[EndpointT]] = {}
        self.open: _Place[EndpointT] | None = None
        self.end: EndpointT | None = None
        self.names: tuple[str, ...] = ()


class Router(Generic[EndpointT]):
    """The routes.

    Args:
        routes: Endpoints by path. `{name}` stands for one whole segment that is not empty; in
            `{name}:predict`, for what is before that.
    """

    def __init__(self, routes: "dict[str, EndpointT]") -> None:
        self._root: _Place[EndpointT] = _Place()
        for path, endpoint in routes.items():
            self._add(path, endpoint)
        self._kept = functools.lru_cache(_KEPT)(self._found)

    def _add(self, path: str, endpoint: EndpointT) -> None:
        place, names = self._root, []
        for segment in path.split("/")[1:]:
            if segment.startswith("{"):
                name, _, ending = segment[1:].partition("}")
                names.append(name)
                if ending:
                    place = place.ending.setdefault(ending, _Place())
                else:
                    place.open = place = place.open or _Place()
            else:
                place = place.written.setdefault(segment, _Place())
        place.end, place.names = endpoint, tuple(names)

    def find(self, path: str) -> "tuple[EndpointT, Mapping[str, str]] | None":
        """The endpoint of a path, and what stands where its route is open; None where none is."""
        return self._kept(path) if len(path) <= _KEPT_CHARACTERS else self._found(path)

    def _found(self, path: str) -> "tuple[EndpointT, Mapping[str, str]] | None":
        first, *segments = path.split("/")
        found = None if first else _find(self._root, segments, 0, ())
        if found is None:
            return None
        place, values = found
        assert place.end is not None  # noqa: S101 - `_find` ends nowhere else
        return place.end, MappingProxyType(dict(zip(place.names, values, strict=True)))


def _find(
    place: _Place[EndpointT], segments: list[str], at: int, values: tuple[str, ...]
) -> tuple[_Place[EndpointT], tuple[str, ...]] | None:
    if at == len(segments):
        return None if place.end is None else (place, values)
    segment = segments[at]
    below = place.written.get(segment)
    found = None if below is None else _find(below, segments, at + 1, values)
    for ending, ended in place.ending.items():
        value = segment.removesuffix(ending)
        if found is None and value and value != segment:
            found = _find(ended, segments, at + 1, (*values, value))
    if found is None and place.open is not None and segment:
        found = _find(place.open, segments, at + 1, (*values, segment))
    return found
