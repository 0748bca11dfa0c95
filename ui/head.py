"""Everything of the page besides its components: style, scripts, fonts, starters and launch options."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from ui.forms import file_formats, script_tables
from ui.gradio_fixes import loading_clock
from ui.i18n.texts import section, text
from ui.tabs.registry import TABS
from ui.theme import theme
from ui.views import extend

if TYPE_CHECKING:
    from backend.studio import Studio

ASSETS = Path(__file__).parent / "assets"
ADDRESS = "page"  # where ui/assets is served; relative, so that it works below a proxy's path
STYLES = (
    "studio.css",
    "times.css",
    "queue.css",
    "samples.css",
    "layout.css",
    "files.css",
    "connection.css",
    "forms.css",
    "advanced.css",
    "loras.css",
    "variations.css",
    "keeping.css",
    "drafts.css",
    "presets.css",
    "result.css",
    "screen.css",
    "steps.css",
    "states.css",
    "touch.css",
    "model_download.css",
    "dialog.css",
    "final.css",
    "compare.css",
    "extend.css",
    "variation_set.css",
    "recipes.css",
)
SCRIPTS = (
    "storage.js",
    "first_paint.js",
    "studio.js",
    "tabs.js",
    "network.js",
    "events.js",
    "uploads.js",
    "toasts.js",
    "connection.js",
    "held.js",
    "forms.js",
    "advanced.js",
    "prompt_help.js",
    "loras.js",
    "variations.js",
    "files.js",
    "paste.js",
    "recipes.js",
    "media.js",
    "player.js",
    "frame.js",
    "screen.js",
    "variation_set.js",
    "menu.js",
    "hover.js",
    "card.js",
    "queue.js",
    "room.js",
    "layout.js",
    "focus.js",
    "keeping.js",
    "drafts.js",
    "presets.js",
    "preset_dialogs.js",
    "model_download.js",
    "dialog.js",
    "final.js",
    "compare_clock.js",
    "compare.js",
    "compare_pick.js",
    "extend.js",
)
"""In this order: storage.js before everything that stores, studio.js before what uses its helpers."""


def starters() -> list[dict[str, str]]:
    """assets/starters/starters.json: [{title, prompt, file, small}], [] while there is none."""
    try:
        found = json.loads((ASSETS / "starters" / "starters.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    rows = found.get("starters", []) if isinstance(found, dict) else found
    return [row for row in rows if (ASSETS / "starters" / row.get("file", "-")).is_file()]


class _Assets(StaticFiles):
    """Fonts and pictures of the page, cached by the browser for a day."""

    def file_response(self, *args: Any, **more: Any) -> Response:
        response = super().file_response(*args, **more)
        response.headers["Cache-Control"] = "public, max-age=86400"
        return response


def routes() -> list[BaseRoute]:
    """`/page/...`: ui/assets, and the patched Gradio script; for app_kwargs["routes"]."""
    return [Mount(f"/{ADDRESS}", _Assets(directory=ASSETS), name="page"), *loading_clock.routes()]


def head(max_upload_mb: int = 0) -> str:
    """The page's style and scripts, inlined: one request less, and Gradio does not rewrite them.

    max_upload_mb: the largest file that the script uploads, 0 for no limit.
    """
    style = "\n".join((ASSETS / name).read_text(encoding="utf-8") for name in STYLES)
    script = "\n".join((ASSETS / name).read_text(encoding="utf-8") for name in SCRIPTS)
    fonts = "".join(
        f'<link rel="preload" href="{ADDRESS}/fonts/{name}" as="font" type="font/woff2" crossorigin>'
        for name in ("schibsted-grotesk-variable.woff2",)
    )
    icon = '<link rel="icon" href="favicon.ico">'  # by itself the browser asks at the top of the host
    description = f'<meta name="description" content="{escape(text("page.description"))}">'
    tables = {
        "wanLimits": {"upload": max_upload_mb * 1_000_000},
        "wanTabs": {tab.key: {"modes": tab.modes} for tab in TABS},
        "wanForms": script_tables.forms(),
        "wanAdvanced": script_tables.advanced(),
        "wanPhrases": script_tables.phrases(),
        "wanLoras": script_tables.loras(),
        "wanPresets": script_tables.presets(),
        "wanFormats": file_formats.for_script(),
        "wanDialogs": extend.dialogs(),
        "wanTexts": section("script"),
    }
    script = "".join(f"window.{name} = {_literal(value)};\n" for name, value in tables.items()) + script
    return f"{icon}{description}{fonts}<style>{style}\n{tab_style()}</style><script>{script}</script>"


def _literal(value: Any) -> str:
    """A value as JavaScript, inside a script element."""
    return json.dumps(value).replace("</", "<\\/")


def tab_style() -> str:
    """The style rules that depend on the tab: its text on the empty card, and whether it has starters."""
    rules = ""
    for tab in TABS:
        chosen = f"& #ws-page:has(#tab-{tab.key}-button.selected)"
        rules += f'{chosen} .stage.empty [data-tab="{tab.key}"] {{ display: block; }}\n'
        rules += f'{chosen} .samples[data-tab="{tab.key}"] {{ display: block; }}\n'
        if not tab.starters:
            rules += f"{chosen} .starters {{ display: none; }}\n"
    reading = json.dumps(text("media.reading"), ensure_ascii=False)
    return f":root {{ --text-reading: {reading}; }}\n.gradio-container.gradio-container {{\n{rules}}}"


SESSIONS = 2000
"""Sessions that Gradio keeps, 1 kB each (gradio_fixes/sessions.py); the least recently used is dropped
first. Any client can start one under any name. An open page polls, so its session stays recent."""


def launch_options(studio: Studio) -> dict[str, Any]:
    """The page's arguments for Blocks.launch(); app.py adds address, port and app_kwargs (see routes())."""
    return {
        "theme": theme(),
        "head": head(studio.settings.max_upload_mb),
        "favicon_path": str(ASSETS / "favicon.svg"),
        "footer_links": [],
        "run_history": False,
        "enable_monitoring": False,
        "ssr_mode": False,
        "pwa": False,
        "max_file_size": studio.settings.max_upload_mb * 1_000_000,
        "state_session_capacity": SESSIONS,
        "show_error": False,  # unexpected exceptions are logged, not shown
        "_frontend": False,  # else a first answer after more than 3 s, on a busy machine, ends the start
    }
