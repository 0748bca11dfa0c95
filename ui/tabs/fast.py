"""Fast 4-step: widgets only."""

from __future__ import annotations

from ui.forms.widgets import (
    Form,
    advanced,
    generate,
    needs,
    new_form,
    picture,
    prompt,
    seed,
    segmented,
    sides,
)
from ui.tabs.image_to_video import PLACEHOLDER

MODE = "fast_video"
VARIANTS = {
    "balanced": "Balanced: Moves as the prompt says.",
    "dynamic": "Dynamic: Larger motion, freer with the picture.",
    "subtle": "Subtle: Small motion, closest to the picture.",
    "480p": "480p: Tuned for this size, at its sharpest there.",
    "anti_slow_motion": "Anti slow motion: Livelier than the others; takes 8 steps.",
}
"""value -> name and a short sentence; the script sets the sentence apart."""


def build(limit_mb: int) -> Form:
    """The inputs of the tab."""
    form = new_form(MODE)
    needs(form)
    picture(form, "image", "Drop or choose a picture", limit_mb)
    prompt(form, placeholder=PLACEHOLDER)
    segmented(form, "variant", "Variant", words=VARIANTS, classes=("rows",))
    segmented(form, "seconds", "Length")
    with advanced(form):
        segmented(form, "resolution", "Resolution")
        sides(form, "from the picture")
        segmented(
            form, "fit", "Fit", info="When the picture has another shape: crop it, or pad it with black."
        )
        seed(form)
    generate(form)
    return form
