"""Whether the limits of the disk and of an owner leave room for more bytes, else the refusal."""

from __future__ import annotations

import math
from dataclasses import dataclass

from backend.errors import DiskFull, OverQuota, StudioError
from backend.storage import retention_policy
from backend.storage.disk_usage import DiskUsage
from backend.storage.usage_count import DRAFTS


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
        unsent = usage.get(DRAFTS + owner)
        self.drafts = unsent.bytes if unsent is not None else 0
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

    def refusal(self, field: str, for_draft: bool = False) -> StudioError:
        """Why there is no room: what is full, and what helps. `field`: the parameter that needs most of it;
        `for_draft`: the room is for a file of an unsent form, for which no video is removed."""
        if self.need > self.all_owners[1]:
            return self._full(field, for_draft)
        if self.need > self.limit:
            return OverQuota.of(
                "file_over_quota" if for_draft else "video_over_quota",
                need=self.need, limit=self.limit, field=field,
            )  # fmt: skip
        if self.own:
            return self._own_share(field, for_draft)
        if self.new_owners[0] + self.need > self.new_owners[1]:
            return OverQuota.of("new_visitors_quota_used", field=field)
        return self._full(field, for_draft)

    def _own_share(self, field: str, for_draft: bool) -> StudioError:
        """The owner's own share is taken: by videos, by files of unsent forms, or by both."""
        videos, drafts, limit, need = self.used - self.drafts, self.drafts, self.limit, self.need
        if not drafts:
            return OverQuota.of(
                "own_quota_used_file" if for_draft else "own_quota_used",
                used=videos, limit=limit, need=need, field=field,
            )  # fmt: skip
        if not videos:
            return OverQuota.of(
                "drafts_quota_used_file" if for_draft else "drafts_quota_used",
                drafts=drafts, limit=limit, need=need, field=field,
            )  # fmt: skip
        return OverQuota.of(
            "shared_quota_used_file" if for_draft else "shared_quota_used",
            used=videos, drafts=drafts, limit=limit, need=need, field=field,
        )  # fmt: skip

    @staticmethod
    def _full(field: str, for_draft: bool) -> DiskFull:
        return DiskFull.of("no_room_for_file" if for_draft else "no_room_for_video", field=field)
