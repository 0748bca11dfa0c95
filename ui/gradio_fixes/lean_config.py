"""Leaves out of the page's configuration what neither a browser nor a client reads.

Gradio (6.31) describes each component's values three times, with an example, for the pages about its API, and
every browser loads that. The components of the page belong to private events and need none; those of
the API (ui/api/endpoints.py) keep one description, and no browser mounts them.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

DESCRIPTION = "api_info"
DIRECTIONS = ("api_info_as_input", "api_info_as_output")
"""Both count as the description where they are left out."""
EXAMPLE = "example_inputs"


def leave_out(blocks: gr.Blocks) -> None:
    """Shortens every configuration that `blocks` makes from now on."""
    inner = blocks.get_config_file

    def get_config_file() -> Any:
        config = inner()
        public = {
            block._id
            for function in blocks.fns.values()
            if function.api_visibility != "private"
            for block in (*function.inputs, *function.outputs)
        }
        for component in config["components"]:
            shorten(component, component["id"] in public)
        return config

    blocks.get_config_file = get_config_file


def shorten(component: dict[str, Any], public: bool) -> None:
    """Shortens the configuration of one component. public: an endpoint takes or returns its value."""
    component.pop(EXAMPLE, None)
    for name in DIRECTIONS:
        if not public or component.get(name) == component.get(DESCRIPTION):
            component.pop(name, None)
    if component["type"] == "api":
        component["props"]["visible"] = False
    if public:
        component["props"].pop("_api_info", None)  # gr.Api's copy
    else:
        component.pop(DESCRIPTION, None)
