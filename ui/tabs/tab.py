"""The description of a tab with forms: its names, its forms, and how it is built from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ui.forms import builder
from ui.forms.builder import FormLayout
from ui.forms.widgets import Form
from ui.gradio_fixes.no_form import no_form
from ui.i18n.texts import text

CHOOSE_JS = """(kind, ...prompts) => {
  window.wanStudio.textKind(kind);
  const chosen = %s.indexOf(kind);
  const same = { __type__: "update" };
  const { busy, filling } = window.wanStudio.drafts;
  if (busy() || filling()) return prompts.map(() => same);
  return prompts.map((prompt, n) => (n === chosen && !prompt && prompts.find(Boolean)) || same);
}"""
"""Shows the chosen form and copies the prompt to it, unless the target has one already or the forms are being
filled: the values in `prompts` are older than that."""


@dataclass(frozen=True)
class Layout:
    """The forms of a tab. `kind`: the component that chooses between several forms, else None."""

    forms: Sequence[Form]
    kind: Any = None


@dataclass(frozen=True, kw_only=True)
class Tab:
    """A tab whose texts are below `tabs.<key>` in the text table.

    `key`: in element ids (tab-<key>), in the style sheet and in the script; `starters`: whether pictures to
    start from are offered there; `forms`: one for each mode of the tab, of which one is shown.
    """

    id: str
    key: str
    forms: tuple[FormLayout, ...]
    starters: bool = True

    @property
    def modes(self) -> tuple[str, ...]:
        """The modes of its forms."""
        return tuple(form.mode for form in self.forms)

    @property
    def title(self) -> str:
        """The name on the tab."""
        return text(f"tabs.{self.key}.title")

    @property
    def short(self) -> str:
        """The name in the Library's filter."""
        return text(f"tabs.{self.key}.short")

    @property
    def begin(self) -> str:
        """What to do first, shown while the stage is empty."""
        return text(f"tabs.{self.key}.begin")

    def build(self, limit_mb: int, default_negative: str) -> Layout:
        """The inputs of the tab. limit_mb: of an upload; default_negative: what is shown for the catalogue's
        negative prompt."""
        if len(self.forms) == 1:
            return Layout([builder.build(self.forms[0], self.title, limit_mb, default_negative)])
        kind = self._chooser()
        forms = []
        for layout in self.forms:
            with gr.Column(elem_id=f"{self.key}-{layout.name}"):
                forms.append(builder.build(layout, self.title, limit_mb, default_negative))
        prompts = [form.widgets["prompt"] for form in forms]
        js = CHOOSE_JS % list(self.modes)
        kind.change(None, [kind, *prompts], prompts, js=js, api_visibility="private")
        return Layout(forms, kind)

    def _chooser(self) -> gr.Radio:
        """What chooses between the forms."""
        return no_form(
            gr.Radio(
                [(text(f"tabs.{self.key}.{layout.name}"), layout.mode) for layout in self.forms],
                value=self.modes[0],
                label=text(f"tabs.{self.key}.make"),
                show_label=False,
                interactive=True,
                min_width=0,
                elem_id=f"{self.key}-kind",
                elem_classes=["ws-seg", "ws-kind"],
            )
        )
