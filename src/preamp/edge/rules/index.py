"""Which rules can match a path, without trying all of them: a tree of path segments."""

from __future__ import annotations

from preamp.edge.rules.source import WILDCARD


class _Node:
    __slots__ = ("children", "ends", "placeholder", "prefixes", "wild")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.placeholder: _Node | None = None
        self.ends: list[int] = []
        self.wild: list[int] = []
        self.prefixes: list[tuple[str, int]] = []


class PathIndex:
    """Rule numbers by source path. The cost of a lookup does not grow with the number of exact rules."""

    def __init__(self) -> None:
        self._root = _Node()

    def add(self, segments: tuple[str, ...], number: int) -> None:
        node = self._root
        for segment in segments:
            if segment == WILDCARD:
                node.wild.append(number)
                return
            if segment.endswith(WILDCARD):
                node.prefixes.append((segment.removesuffix(WILDCARD), number))
                return
            if segment.startswith("<"):
                node.placeholder = node.placeholder or _Node()
                node = node.placeholder
            else:
                node = node.children.setdefault(segment, _Node())
        node.ends.append(number)

    def find(self, path: str) -> list[int]:
        """Numbers of the rules whose source matches a canonical path, in ascending order."""
        found: list[int] = []
        nodes = [self._root]
        for segment in path.split("/")[1:]:
            following: list[_Node] = []
            for node in nodes:
                found += node.wild
                if node.prefixes:
                    found += [number for prefix, number in node.prefixes if segment.startswith(prefix)]
                child = node.children.get(segment)
                if child is not None:
                    following.append(child)
                if node.placeholder is not None and segment:
                    following.append(node.placeholder)
            nodes = following
            if not nodes:
                break
        else:
            for node in nodes:
                found += node.ends
        found.sort()
        return found
