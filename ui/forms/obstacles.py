"""Why Generate is disabled: the most important of what a form's plan says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backend.notices import brief, words
from ui.forms.widgets import Form
from ui.i18n.texts import text
from ui.views import missing_models

if TYPE_CHECKING:
    from backend.jobs.views import Plan
    from backend.models.state import ModelState


@dataclass(frozen=True)
class Reason:
    """`words`: the sentence, "" while nothing prevents the job. `missing`: something has not been given yet.
    `passing`: it may end without a change of the form, such as a full queue."""

    words: str = ""
    missing: bool = False
    passing: bool = False


def reason(
    form: Form,
    plan: Plan,
    wrong: Mapping[str, str],
    needed: Mapping[str, str],
    absent: Sequence[str],
    lacking: Sequence[ModelState],
) -> Reason:
    """Why Generate is disabled.

    wrong, needed: parameter -> sentence, for values that cannot be used and for what has not been given;
    absent: problems of optional files that the settings require; lacking: the mode's missing model files.
    """
    for sentence in wrong.values():
        return Reason(sentence)
    obstacle = plan.obstacle if absent or not plan.problems else None
    if obstacle is not None:
        lacked = obstacle.arg("files")
        if isinstance(lacked, tuple) and any(file.name in lacked for file in lacking):
            headline = missing_models.headline(form.mode, lacking)  # the panel of missing files names them
            return Reason(text("forms.missing_files", headline=headline))  # the card reports new files
        if absent:
            return Reason(brief(obstacle) if form.notes is not None else words(obstacle))
        return Reason(words(obstacle), passing=True)
    for sentence in needed.values():
        return Reason(sentence, missing=True)
    return Reason()


def missing_files(form: Form, given: Mapping[str, Any]) -> dict[str, str]:
    """The required files that are not given -> the sentence for each."""
    return {
        name: text(f"forms.choose.{field.kind}")
        for name, field in form.spec.media.items()
        if field.required and given.get(name) is None
    }
