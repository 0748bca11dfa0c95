"""What a part of a joined video is drawn with: the settings that it takes over, the model files of its clip,
and what is left out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.errors import BadInput
from backend.jobs import part_loras
from backend.jobs.extension_base import SPEEDS, Base, Request, drawn_size, seed_for
from backend.jobs.job import Job
from backend.jobs.offers import Offer
from backend.jobs.parts import SVI, Part
from backend.jobs.views import SEVERAL
from workflows.catalog import load_catalog
from workflows.continuing import MODE, carried, kept_of
from workflows.modes.registry import MODES
from workflows.notice import Notice, made
from workflows.repetition import FREE, for_repetition
from workflows.resolved import Resolved
from workflows.stages import svi

OF_REQUEST = FREE | {"speed"}
"""Parameters that a part is asked for, beside which it has settings."""


@dataclass(frozen=True)
class PartValues:
    """`values`: the parameters; `notes`: what is left out of them, and why; `kept`: what the job is resolved
    to, as Submission has it; `offers`: the servers that can draw it."""

    values: dict[str, Any]
    notes: tuple[Notice, ...] = ()
    kept: Mapping[str, Any] | None = None
    offers: tuple[Offer, ...] = ()

    @property
    def experts(self) -> str:
        """Which experts draw it."""
        return str(self.values.get("experts") or "both")


def values_of(base: Base, asked: Request, offers: Sequence[Offer]) -> PartValues:
    """Those of a new part, with the settings of the clip. Raises BadInput for an unknown speed."""
    job = base.job
    _check_speed(asked)
    own = own_values(job)
    found = carried(job.mode, own, asked.speed)
    notes = [made("part_of_speed", {"settings": found.of_speed})] if found.of_speed else []
    if found.of_mode:
        notes.append(made("part_of_mode", {"settings": found.of_mode, "mode": job.mode}))
    keep = kept_of(job.mode, own, job.resolved, asked.speed)
    return _usable({**found.values, **_of_request(base, asked)}, keep, offers, asked, notes)


def values_again(
    base: Base, asked: Request, part: Part, earlier: Job | None, offers: Sequence[Offer]
) -> PartValues:
    """Those of a part that is drawn again, with what it was drawn with. `earlier`: the job that drew it, None
    when it is gone. Raises BadInput for an unknown speed."""
    settings = part.settings
    if earlier is not None and earlier.mode == MODE:
        settings = settings_of(own_values(earlier))
    if settings is None:  # stored by an earlier version
        return values_of(base, asked, offers)
    _check_speed(asked)
    known = {name: value for name, value in settings.items() if name in MODES[MODE].by_name}
    values = {**known, **_of_request(base, asked)}
    keep = resolved(earlier, MODE, values)
    return _usable(values, keep, offers, asked, [])


def first_again(job: Job, values: Mapping[str, Any], offers: Sequence[Offer]) -> PartValues:
    """Those of the first clip, drawn again by its own mode with these values."""
    found = part_loras.usable(job.mode, values, offers, resolved(job, job.mode, values))
    return PartValues(found.values, found.notes, _json(found.keep), found.offers)


def own_values(job: Job) -> dict[str, Any]:
    """The parameters of a job that its mode has."""
    return {name: value for name, value in job.params.items() if name not in SEVERAL}


def settings_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a part besides those that it is asked for."""
    return {name: value for name, value in values.items() if name not in OF_REQUEST}


def resolved(earlier: Job | None, mode: str, values: Mapping[str, Any]) -> Resolved | None:
    """What the job of a part was resolved to, as far as it holds for these values, so that the part is drawn
    again with the same files; None for a job that is gone."""
    if earlier is None or earlier.mode != mode:
        return None
    return for_repetition(mode, own_values(earlier), earlier.resolved, values)


def _of_request(base: Base, asked: Request) -> dict[str, Any]:
    width, height = drawn_size(base.job.width, base.job.height)
    given = asked.prompt.strip() if isinstance(asked.prompt, str) else asked.prompt
    return {
        "prompt": asked.prompt if given else base.parts[-1].prompt,
        "seconds": asked.seconds,
        "speed": asked.speed,
        "width": width,
        "height": height,
        "seed": seed_for(asked.seed, base.parts),
    }


def _check_speed(asked: Request) -> None:
    if asked.speed not in SPEEDS:
        raise BadInput.of("extend_speed", speed=str(asked.speed), names=SPEEDS, field="speed")


def _usable(
    values: dict[str, Any],
    keep: Resolved | None,
    offers: Sequence[Offer],
    asked: Request,
    notes: Sequence[Notice],
) -> PartValues:
    """The same with the LoRAs that are there; of the servers with SVI Pro where that is asked for."""
    if asked.method == SVI:
        catalog = load_catalog()
        offers = [offer for offer in offers if not svi.missing(catalog, offer.facts)] or offers
    found = part_loras.usable(MODE, values, offers, keep)
    return PartValues(found.values, (*notes, *found.notes), _json(found.keep), found.offers)


def _json(keep: Resolved | None) -> dict[str, Any]:
    return keep.to_json() if keep is not None else {}
