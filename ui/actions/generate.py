"""A form's events: every change plans the job again, Generate submits it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gradio as gr

from ui.actions.event_data import event_text
from ui.forms.widgets import Form

if TYPE_CHECKING:
    from ui.actions.stage import Stage
    from ui.forms.planner import Planner

REPLAN = "() => window.wanStudio.replan('{}')"
"""Plans after a pause, without a request for each change."""


def plan_on(
    planner: Planner, form: Form, owner: Any, shown: Callable[..., Any], *events: Callable[..., Any]
) -> None:
    """Plans when the form comes into view (`shown`), on every change of its widgets, while one types, and on
    `events` (a job ended, ...)."""
    names, widgets = list(form.widgets), list(form.widgets.values())

    def plan(owner_token: str, request: gr.Request, *given: Any) -> dict[Any, Any]:
        values = dict(zip(names, given, strict=True))
        return planner.view(form, values, owner_token, request.username or "").updates(form)

    def plan_typed(owner_token: str, request: gr.Request, event: gr.EventData, *given: Any) -> dict[Any, Any]:
        values, turn = dict(zip(names, given, strict=True)), event_text(event, "turn")[:20]
        return planner.view(form, values, owner_token, request.username or "", turn=turn).updates(form)

    changes = []
    for widget in widgets:
        if isinstance(widget, gr.Textbox):  # a text that a starter or the other form of the tab has put there
            widget.change(None, js=REPLAN.format(form.mode), queue=False, api_visibility="private")
        if isinstance(widget, (gr.Number, gr.Textbox)):
            changes += [widget.blur, widget.submit]
        else:
            changes.append(widget.change)
    options: dict[str, Any] = {
        "inputs": [owner, *widgets],
        "outputs": form.outputs(),
        "show_progress": "hidden",
        "trigger_mode": "always_last",
        "queue": False,
        "api_visibility": "private",
    }

    def js(fresh: bool) -> str:
        """One plan for a burst of events, and none before the form is restored (ui/assets/drafts.js). fresh:
        even if the same values have just been planned."""
        return f"(...given) => window.wanStudio.plan({form.mode!r}, given, {str(fresh).lower()})"

    gr.on(changes, plan, js=js(fresh=False), **options)
    shown(plan, js=js(fresh=False), **options)
    for event in (form.hint.replan, *events):
        event(plan, js=js(fresh=True), **options)
    form.hint.typed(plan_typed, **options)


def submit_on_generate(
    planner: Planner, stage: Stage, form: Form, owner: Any, card: Any, **options: Any
) -> None:
    """Generate queues the job and shows it on the card; a refusal is shown in the form."""
    names, widgets = list(form.widgets), list(form.widgets.values())

    def submit(owner_token: str, request: gr.Request, *given: Any) -> dict[Any, Any]:
        values = dict(zip(names, given, strict=True))
        made = planner.submit(owner_token, form, values, request.username or "")
        updates = made.view.updates(form)
        if made.job is not None:
            updates[card] = stage.started(owner_token, made.job)
        return updates

    form.button.click(submit, [owner, *widgets], [card, *form.outputs()], scroll_to_output=False, **options)
