"""The handlers of a page load: the visitor's token, links in the address, the admin's input folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from ui.i18n.texts import text

if TYPE_CHECKING:
    from backend.studio import Studio
    from ui.forms.input_folder import InputFolder
    from ui.job_card import Card

TAKE_LINK = """(owner) => {
  const here = new URL(location.href);
  const token = here.searchParams.get("admin") || "";
  here.searchParams.delete("admin");
  if (token) history.replaceState(history.state, "", here);
  const job = ["job", "key"].map((name) => here.searchParams.get(name) || "").join(" ").slice(0, 400);
  return [owner, token, job.trim()];
}"""
"""Reads the page's address. The token of an admin link is removed from it, so that it cannot be copied by
accident; a private link stays while its job is shown."""

ACCEPTED, EXPIRED = "yes", "no"
"""Values of the admin link's component once it was checked; "" without such a link."""


class Visit:
    """The components that a page load reads and writes, and its handlers."""

    def __init__(self, studio: Studio, card: Card, input_folder: InputFolder) -> None:
        self.studio, self.card, self.input_folder = studio, card, input_folder
        self.owner: Any = None
        self.admin_link: Any = None
        self.private_link: Any = None
        self.shown: Any = None  # the card's component

    def inputs(self) -> list[Any]:
        """The components that `on_load` reads."""
        return [self.owner, self.admin_link, self.private_link]

    def outputs(self) -> list[Any]:
        """The components that `on_load` writes."""
        return [self.owner, self.shown, self.admin_link, *self.input_folder.boxes.values()]

    def on_load(self, owner: Any, link: Any, wanted: Any, request: gr.Request) -> dict[Any, Any]:
        """The visitor's token, made on the first visit; the card with the job of a private link or as the
        visitor left it; the result of an admin link; for the admin the input folder.

        link: the token of an admin link or "". wanted: "id key" of a private link or "".
        """
        token = owner if self.studio.is_owner(owner) else self.studio.new_owner()
        result = ""
        if isinstance(link, str) and link:
            result = ACCEPTED if self.studio.claim_admin(token, link) else EXPIRED
        job_id, _, key = (wanted if isinstance(wanted, str) else "").strip().partition(" ")
        return {
            self.owner: token,
            self.shown: self.card.on_load(token, job_id, key),
            self.admin_link: result,
            **self.input_folder.updates(token, request.username or ""),
        }

    def report_admin_link(self, result: str) -> None:
        """Says what an admin link did."""
        if result == ACCEPTED:
            gr.Info(text("page.admin.accepted"))
        elif result == EXPIRED:
            gr.Warning(text("page.admin.expired"))
