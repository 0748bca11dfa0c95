"""Whether the limits of the disk and of an owner leave room for more bytes, else the refusal."""

from __future__ import annotations

import math
from dataclasses import dataclass

from backend.errors import DiskFull, OverQuota, StudioError
from backend.storage import retention_policy
from backend.storage.disk_usage import DiskUsage


@dataclass(frozen=True)
class Limits:
    """`days`: how long an ended job is kept; `percent`: how full the disk may be before clips are removed;
    `owner_bytes`: what one owner's jobs may use, 0 for an equal share of the room for clips."""

    days: float
    percent: float
    owner_bytes: int = 0


class LimitCheck:
    """The limits that `need` more bytes of an owner have to keep. `room`: bytes for the jobs of all
    owners."""

    def __init__(self, usage: DiskUsage, limits: Limits, owner: str, need: int, room: float) -> None:
        owners = usage.owners()
        self.need, self.used = need, usage.used[owner]
        self.all_owners = (usage.total, room)
        known = owner in owners
        group_bytes = self.used if known else usage.new_owners_bytes()
        share = retention_policy.fair_share(room, len(owners) + (not known), usage.total - group_bytes)
        self.limit = limits.owner_bytes or share
        self.new_owners = (0, math.inf) if known else (group_bytes, share)
        self.own = retention_policy.bytes_to_free(need, (self.used, self.limit), ())
        self.bytes_to_free = retention_policy.bytes_to_free(
            need, (self.used, self.limit), (self.all_owners, self.new_owners)
        )

    def refusal(self, field: str) -> StudioError:
        """Why there is no room. `field`: the parameter that needs most of it."""
        if self.need > self.all_owners[1]:
            return self._full(field)
        if self.need > self.limit:
            return OverQuota.of("video_over_quota", need=self.need, limit=self.limit, field=field)
        if self.own:
            return OverQuota.of(
                "own_quota_used", used=self.used, limit=self.limit, need=self.need, field=field
            )
        if self.new_owners[0] + self.need > self.new_owners[1]:
            return OverQuota.of("new_visitors_quota_used", field=field)
        return self._full(field)

    @staticmethod
    def _full(field: str) -> DiskFull:
        return DiskFull.of("no_room_for_video", field=field)
