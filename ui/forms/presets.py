"""Presets on the page: the component that the script asks for them, and how it shows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from backend.errors import NotFound, StudioError
from backend.threads import visitor_of
from ui.forms import schema
from ui.gradio_fixes.event_errors import sentence
from ui.i18n import mode_texts
from ui.i18n.texts import text
from workflows.modes.presets import SHIPPED, Preset, Shipped, shipped
from workflows.modes.registry import MODES
from workflows.params.loras import loras_count

if TYPE_CHECKING:
    from backend.studio import Studio

FACTS_MAX = 40
"""Most settings that the offer of a preset lists."""
FACT_MAX = 80
"""Most characters of one value."""
HOST_JS = (
    'const events = ["apply"];'  # Gradio looks for the name
    " const go = () => window.wanStudio?.presets"
    " ? window.wanStudio.presets.host({trigger, server}) : setTimeout(go, 15); go();"
)

Asked = Mapping[str, Any]


class PresetBox:
    """The component, which is invisible, and the calls of its script. Each concerns the presets of the owner
    in it; shipped and shared presets are open to all."""

    def __init__(self, studio: Studio, default_negative: str) -> None:
        self.studio, self.default_negative = studio, default_negative
        self.shown: Any = None  # the component

    def build(self) -> None:
        """Adds the component to the page. Its event `apply` asks for a preset in the form."""

        # Gradio sets attributes on the functions, which bound methods do not allow
        async def presets(asked: Any = None, request: gr.Request = None) -> dict[str, Any]:
            return await self._run(self.studio.reads, self.rows, asked, request)

        async def preset_save(asked: Any = None, request: gr.Request = None) -> dict[str, Any]:
            return await self._run(self.studio.writes, self.save, asked, request)

        async def preset_rename(asked: Any = None, request: gr.Request = None) -> dict[str, Any]:
            return await self._run(self.studio.writes, self.rename, asked, request)

        async def preset_remove(asked: Any = None, request: gr.Request = None) -> dict[str, Any]:
            return await self._run(self.studio.writes, self.remove, asked, request)

        async def preset_default(asked: Any = None, request: gr.Request = None) -> dict[str, Any]:
            return await self._run(self.studio.writes, self.set_default, asked, request)

        async def preset_share(asked: Any = None, request: gr.Request = None) -> dict[str, Any]:
            return await self._run(self.studio.reads, self.share, asked, request)

        async def preset_read(asked: Any = None, request: gr.Request = None) -> dict[str, Any]:
            return await self._run(self.studio.reads, self.read, asked, request)

        calls = [
            presets, preset_save, preset_rename, preset_remove, preset_default, preset_share, preset_read,
        ]  # fmt: skip
        self.shown = gr.HTML(
            "",
            elem_id="ws-presets",
            apply_default_css=False,
            js_on_load=HOST_JS,
            server_functions=calls,
        )

    async def _run(
        self, threads: Any, call: Callable[[Asked], dict[str, Any]], asked: Any, request: gr.Request | None
    ) -> dict[str, Any]:
        """In a thread: the calls read and write files. A refusal is in `said`, its field in `field`."""
        given = asked if isinstance(asked, dict) else {}
        try:
            found: dict[str, Any] = await threads.run(visitor_of(request), call, given)
        except StudioError as error:
            return {"said": sentence(error), "refused": error.why.code, "field": error.field}
        return found

    def rows(self, asked: Asked) -> dict[str, Any]:
        """{owner} -> {rows: shipped presets and the owner's}."""
        own = self.studio.presets.of(_text(asked, "owner"))
        found = []
        for one in SHIPPED:
            name, note = (text(f"presets.shipped.{one.id}.{part}") for part in ("name", "note"))
            found.append(self._row(one.id, one.mode, name, one.values, own.defaults, note))
        for preset in own.presets:
            row = self._row(preset.id, preset.mode, preset.name, preset.values, own.defaults)
            found.append({**row, "left": list(preset.left_out)})
        return {"rows": found}

    def records(self, owner: str) -> list[dict[str, Any]]:
        """The same for programs: the values as the endpoint of the mode takes them."""
        own = self.studio.presets.of(owner)
        listed = [*(self._product(one) for one in SHIPPED), *own.presets]
        return [
            {
                "id": one.id,
                "name": one.name,
                "mode": one.mode,
                "values": _endpoint_values(one),
                "default": own.defaults.get(one.mode) == one.id,
                "shipped": shipped(one.id) is not None,
            }
            for one in listed
        ]

    def save(self, asked: Asked) -> dict[str, Any]:
        """{owner, id, mode, name, values of the form, sentence, replaces, default} -> {rows, saved}. Raises
        NotFound, and what Presets.save raises."""
        mode, given = _text(asked, "mode"), asked.get("values")
        if mode not in MODES or not isinstance(given, Mapping):
            raise NotFound.of("preset_gone")
        saved = self.studio.presets.save(
            _text(asked, "owner"),
            _text(asked, "id"),
            mode,
            _text(asked, "name"),
            schema.to_values(mode, given, self.default_negative),
            sentence=asked.get("sentence") is True,
            replaces=asked.get("replaces") is True,
            default=asked.get("default") is True,
        )
        return {**self.rows(asked), "saved": saved.id}

    def rename(self, asked: Asked) -> dict[str, Any]:
        """{owner, id, name} -> {rows}."""
        self.studio.presets.rename(_text(asked, "owner"), _text(asked, "id"), _text(asked, "name"))
        return self.rows(asked)

    def remove(self, asked: Asked) -> dict[str, Any]:
        """{owner, id} -> {rows}."""
        self.studio.presets.remove(_text(asked, "owner"), _text(asked, "id"))
        return self.rows(asked)

    def set_default(self, asked: Asked) -> dict[str, Any]:
        """{owner, mode, id, "" for none} -> {rows}."""
        self.studio.presets.set_default(_text(asked, "owner"), _text(asked, "mode"), _text(asked, "id"))
        return self.rows(asked)

    def share(self, asked: Asked) -> dict[str, Any]:
        """{owner, id} -> {file, name of the file, link: its text, "" when it is too long, said then}."""
        return self.studio.presets.shared(self.chosen(asked))

    def read(self, asked: Asked) -> dict[str, Any]:
        """{link} or {file} that was passed on -> {mode, title, name, facts, left}."""
        preset = self.chosen(asked)
        return {
            "mode": preset.mode,
            "title": mode_texts.title(preset.mode),
            "name": preset.name,
            "facts": self._facts(preset),
            "left": list(preset.left_out),
        }

    def chosen(self, asked: Asked) -> Preset:
        """The preset that {owner, id}, {link} or {file} names. Raises NotFound, BadInput."""
        presets, owner, id = self.studio.presets, _text(asked, "owner"), _text(asked, "id")
        if link := _text(asked, "link"):
            return presets.read_link(link)
        if file := _text(asked, "file"):
            return presets.read(file.encode("utf-8", "replace"))
        if (one := shipped(id)) is not None:
            return self._product(one)
        return presets.find(owner, id)

    def widget_values(self, mode: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """What the widgets of a form must hold, of the parameters that a preset has."""
        filled = schema.from_params(mode, values, self.default_negative)
        return {name: value for name, value in filled.items() if name in values}

    def _product(self, one: Shipped) -> Preset:
        return self.studio.presets.of_product(one, text(f"presets.shipped.{one.id}.name"))

    def _row(
        self,
        id: str,
        mode: str,
        name: str,
        values: Mapping[str, Any],
        defaults: Mapping[str, str],
        note: str = "",
    ) -> dict[str, Any]:
        return {
            "id": id,
            "mode": mode,
            "name": name,
            "note": note,
            "shipped": shipped(id) is not None,
            "default": defaults.get(mode) == id,
            "values": self.widget_values(mode, values),
            "left": [],
        }

    def _facts(self, preset: Preset) -> list[list[str]]:
        """[label, value] of the settings that differ from those of a new form."""
        mode = preset.mode
        shown, usual = (
            self.widget_values(mode, preset.values),
            schema.page_defaults(mode, self.default_negative),
        )
        found = []
        for name, value in shown.items():
            if value != usual[name]:
                found.append([mode_texts.label(mode, name), _shown(mode, name, value)])
        return found[:FACTS_MAX]


def _endpoint_values(preset: Preset) -> dict[str, Any]:
    """The values that the endpoint of the mode has parameters for; null, which counts as the default, stays
    out."""
    api = {spec.name for spec in MODES[preset.mode].api}
    return {name: value for name, value in preset.values.items() if name in api and value is not None}


def _shown(mode: str, name: str, value: Any) -> str:
    """A value of a widget in words."""
    field = MODES[mode].field(name)
    if field.kind == "choice":
        return mode_texts.choice_label(mode, name, value)
    if field.kind == "switch":
        return text("presets.switched_on") if value else text("presets.switched_off")
    if field.kind == "loras":
        return str(loras_count(value))
    if value is None or value == "":
        return mode_texts.blank(mode, name) or text("presets.empty")
    if field.offered and schema.is_length(value):
        return schema.length_text(value)
    words = f"{value:g}" if isinstance(value, (int, float)) else str(value)
    return words if len(words) <= FACT_MAX else f"{words[: FACT_MAX - 1]}…"


def _text(asked: Asked, name: str) -> str:
    value = asked.get(name)
    return value if isinstance(value, str) else ""
