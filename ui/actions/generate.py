"""A form's events: every change plans the job again, Generate submits it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from ui.actions.event_data import event_text
from ui.forms import variations
from ui.forms.widgets import Form

if TYPE_CHECKING:
    from ui.actions.stage import Stage
    from ui.forms.planner import Planner

REPLAN = "() => window.wanStudio.replan({!r}, {})"
"""Plans soon: after a pause in typing (true), or at once (false)."""


def plan_on(planner: Planner, form: Form, owner: Any) -> None:
    """Plans the form when its script asks, which it does when the form is shown and on every change: once for
    a burst of changes (ui/assets/forms.js)."""
    names, widgets = list(form.widgets), list(form.widgets.values())

    def plan(owner_token: str, request: gr.Request, event: gr.EventData, *given: Any) -> dict[Any, Any]:
        values, turn = dict(zip(names, given, strict=True)), event_text(event, "turn")[:20]
        return planner.view(form, values, owner_token, request.username or "", turn=turn).updates(form)

    written = [widget for widget in widgets if isinstance(widget, (gr.Number, gr.Textbox))]
    gradual = [widget for widget in widgets if widget in written or isinstance(widget, gr.Slider)]
    chosen = [widget.change for widget in widgets if widget not in gradual]
    chosen += [event for widget in written for event in (widget.blur, widget.submit)]
    for typed, events in (("true", [widget.change for widget in gradual]), ("false", chosen)):
        if events:
            gr.on(events, None, js=REPLAN.format(form.mode, typed), queue=False, api_visibility="private")
    texts = [
        n
        for n, (name, widget) in enumerate(form.widgets.items(), 1)  # after the owner
        if isinstance(widget, gr.Textbox) and name != variations.NAME
    ]
    form.hint.typed(
        plan,
        inputs=[owner, *widgets],
        outputs=form.outputs(),
        js=f"(...given) => window.wanStudio.plan({form.mode!r}, given, {texts})",
        show_progress="hidden",
        trigger_mode="multiple",  # the script sends one at a time
        queue=False,
        api_visibility="private",
    )


def submit_on_generate(
    planner: Planner, stage: Stage, form: Form, owner: Any, card: Any, **options: Any
) -> None:
    """`Generate` queues the job and shows it on the card; a refusal is shown in the form."""
    names, widgets = list(form.widgets), list(form.widgets.values())

    def submit(owner_token: str, request: gr.Request, *given: Any) -> dict[Any, Any]:
        values = dict(zip(names, given, strict=True))
        made = planner.submit(owner_token, form, values, request.username or "")
        updates = made.view.updates(form)
        if made.job is not None:
            updates[card] = stage.started(owner_token, made.job)
        return updates

    form.button.click(submit, [owner, *widgets], [card, *form.outputs()], scroll_to_output=False, **options)
