"""The keys of texts in the metadata of media files."""

from __future__ import annotations

RECIPE = "wan_studio"
"""Our own recipe."""
PROMPT = "prompt"
"""A graph in API format, as ComfyUI writes it and as its page opens it."""
WORKFLOW = "workflow"
"""A graph as ComfyUI's page saves it."""
PARAMETERS = "parameters"
"""What the WebUIs of Stable Diffusion write."""
COMMENT = "comment"
"""Where VideoHelperSuite writes a JSON object with prompt and workflow."""
JSON_TEXT = "json"
"""The whole of a JSON file."""
KEYS = (RECIPE, PROMPT, WORKFLOW, PARAMETERS, COMMENT)
"""What is read from metadata."""
