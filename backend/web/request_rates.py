"""How many requests, new visitors, logins, uploads and streams there may be."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from backend.security.rate_limit import Bucket, Buckets, Slots
from backend.web.upload_places import UploadPlaces


@dataclass(frozen=True)
class Rates:
    """(burst, seconds until the next one) of what is counted; (of one visitor, of all, of one address) of
    what lasts."""

    visitor: tuple[float, float] = (300, 1 / 20)
    address: tuple[float, float] = (600, 1 / 40)  # who shows no token: each client, and what they share
    direct: tuple[float, float] = (4000, 1 / 1000)  # programs of this machine that show none
    everybody: tuple[float, float] = (4000, 1 / 1000)
    newcomers: tuple[float, float] = (240, 0.5)  # new tokens, by address
    all_newcomers: tuple[float, float] = (480, 0.25)
    logins: tuple[float, float] = (10, 30.0)  # failed ones, by address
    all_logins: tuple[float, float] = (30, 10.0)
    uploads: tuple[int, ...] = (6, 48, 24)
    streams: tuple[int, ...] = (64, 800, 400)
    large: tuple[int, ...] = (100_000_000, 200_000_000)  # bytes of MCP requests, which stay in memory


STRICT = Rates(newcomers=(60, 2.0), all_newcomers=(120, 1.0), uploads=(4, 16, 8), streams=(32, 400, 200))
"""On a page without a login: fewer new visitors a minute, fewer uploads at once."""


class Counters:
    """The counts that belong to these rates. Thread-safe, but the uploads are for one event loop."""

    def __init__(self, rates: Rates, clock: Callable[[], float] = time.monotonic) -> None:
        self.rates = rates
        self.by_kind = {
            "visitor": Buckets(*rates.visitor, clock),
            "client": Buckets(*rates.address, clock),
            "address": Buckets(*rates.address, clock),
            "direct": Buckets(*rates.direct, clock),
        }
        self.everybody = Bucket(*rates.everybody, clock)
        self.newcomers = Buckets(*rates.newcomers, clock)
        self.all_newcomers = Bucket(*rates.all_newcomers, clock)
        self.logins = Buckets(*rates.logins, clock)
        self.all_logins = Bucket(*rates.all_logins, clock)
        self.uploads, self.streams = UploadPlaces(*rates.uploads), Slots(*rates.streams)
        self.large = Slots(*rates.large)
