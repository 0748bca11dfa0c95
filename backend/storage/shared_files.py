"""Files that several jobs of one owner hold by hard links: their bytes count for the first of them only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

Identity = tuple[int, int]
"""Device and inode of a file."""


class SharedFiles:
    """The holders of each input file. Not thread-safe."""

    def __init__(self) -> None:
        self._holders: dict[Identity, list[str]] = {}
        self._sizes: dict[Identity, int] = {}
        self._held: dict[str, set[Identity]] = {}  # job -> the files that it holds

    def update(self, job_id: str, found: Mapping[Identity, int]) -> dict[str, int]:
        """Notes the files (identity -> bytes) that a job holds now, none for a removed one.

        Returns other job -> bytes that count for it from now on, because this job no longer holds them.
        """
        moved: Counter[str] = Counter()
        for identity in self._held.pop(job_id, set()) - found.keys():
            holders = self._holders[identity]
            first = holders[0] == job_id
            holders.remove(job_id)
            if not holders:
                del self._holders[identity], self._sizes[identity]
            elif first:
                moved[holders[0]] += self._sizes[identity]
        if found:
            self._held[job_id] = set(found)
        for identity, size in found.items():
            holders = self._holders.setdefault(identity, [])
            if job_id not in holders:
                holders.append(job_id)
            self._sizes[identity] = size
        return dict(moved)

    def repeated(self, job_id: str, found: Mapping[Identity, int]) -> int:
        """Bytes of these files that count for another job."""
        return sum(size for identity, size in found.items() if self._first(identity) not in ("", job_id))

    def counted(self, job_id: str, identities: Collection[Identity]) -> int:
        """Bytes of these files that count for this job."""
        return sum(self._sizes[one] for one in identities if self._first(one) == job_id)

    def _first(self, identity: Identity) -> str:
        holders = self._holders.get(identity)
        return holders[0] if holders else ""
