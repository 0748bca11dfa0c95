"""Gradio's theme in terms of the page's CSS variables.

The page's own colours are literal, so that the background is right before the style sheet loads.
"""

from __future__ import annotations

import gradio as gr

PAGE = {"light": ("#F7F7F5", "#17191A"), "dark": ("#0F1011", "#F2F3F1")}  # bg, text: studio.css has the same
SANS = "Schibsted Grotesk"
MONO = "Geist Mono"


def theme() -> gr.themes.Base:
    """Every other colour, size and radius is in assets/studio.css."""
    base = gr.themes.Base(
        font=[SANS, "system-ui", "sans-serif"],
        font_mono=[MONO, "ui-monospace", "monospace"],
        radius_size=gr.themes.sizes.radius_md,
    )
    return base.set(
        body_background_fill=PAGE["light"][0],
        body_background_fill_dark=PAGE["dark"][0],
        body_text_color=PAGE["light"][1],
        body_text_color_dark=PAGE["dark"][1],
        body_text_color_subdued="var(--text-2)",
        body_text_color_subdued_dark="var(--text-2)",
        background_fill_primary="var(--bg)",
        background_fill_primary_dark="var(--bg)",
        background_fill_secondary="var(--soft)",
        background_fill_secondary_dark="var(--soft)",
        border_color_primary="var(--line)",
        border_color_primary_dark="var(--line)",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_border_width_dark="0px",
        block_shadow="none",
        block_shadow_dark="none",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_padding="0px",
        block_title_text_color="var(--text-2)",
        block_title_text_color_dark="var(--text-2)",
        block_title_text_size="13px",
        block_title_text_weight="400",
        block_info_text_color="var(--text-3)",
        block_info_text_color_dark="var(--text-3)",
        block_info_text_size="13px",
        form_gap_width="0px",
        input_background_fill="var(--field)",
        input_background_fill_dark="var(--field)",
        input_background_fill_focus="var(--field)",
        input_background_fill_focus_dark="var(--field)",
        input_border_color="var(--line)",
        input_border_color_dark="var(--line)",
        input_border_color_focus="var(--line-2)",
        input_border_color_focus_dark="var(--line-2)",
        input_border_width="1px",
        input_border_width_dark="1px",
        input_radius="10px",
        input_shadow="none",
        input_shadow_dark="none",
        input_shadow_focus="none",
        input_shadow_focus_dark="none",
        input_padding="10px 12px",
        input_text_size="15px",
        input_text_weight="400",
        input_placeholder_color="var(--text-3)",
        input_placeholder_color_dark="var(--text-3)",
        color_accent="var(--accent)",
        color_accent_soft="var(--soft)",
        color_accent_soft_dark="var(--soft)",
        loader_color="var(--accent-line)",
        loader_color_dark="var(--accent-line)",
        button_transition="none",
    )
