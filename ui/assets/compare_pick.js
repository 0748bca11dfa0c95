/* "Compare" at a clip: the second clip is chosen by a press on any other one, on the card or in the Library. A line says
   so; Escape and its button end it. A button with data-other compares with that clip at once. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, $$, part, text } = studio;
  const root = document.documentElement;
  const PLACES = "#ws-card .recent .thumb, #ws-library .open";
  let first = null; // {id, key, title, from}

  const line = () => {
    let found = $("#ws-comparing");
    if (found) return found;
    found = part("div", "ws-comparing");
    found.id = "ws-comparing";
    found.setAttribute("role", "status");
    const cancel = part("button", "btn", text("compare_cancel"));
    cancel.type = "button";
    cancel.addEventListener("click", () => end(true));
    found.append(part("p", ""), cancel);
    $(".gradio-container").append(found);
    return found;
  };
  const can = (place) => place.dataset.id !== first?.id && !place.hasAttribute("data-waits") && !place.closest('.tile:not([data-state="done"])');
  const dress = () => {
    for (const place of $$(PLACES)) {
      place.toggleAttribute("data-comparable", Boolean(first) && can(place));
      place.toggleAttribute("data-compared", Boolean(first) && place.dataset.id === first?.id);
    }
  };
  const begin = (button) => {
    const { id, key, title } = button.dataset;
    first = { id, key, title, from: button.closest(".menu-box")?.querySelector("[data-menu]") || button };
    const found = line();
    found.hidden = false;
    $("p", found).textContent = text("compare_choose", { title });
    root.dataset.comparing = "";
    dress();
    const others = $$(PLACES).filter((place) => place.getClientRects().length && can(place));
    if (!others.length) $('#ws-card [data-act="library"]')?.click(); // nothing to choose from here
    else {
      others[0].focus({ preventScroll: true });
      others[0].scrollIntoView({ block: "center", behavior: studio.still() ? "auto" : "smooth" });
    }
  };
  const end = (back) => {
    if (!first) return;
    const { from } = first;
    first = null;
    delete root.dataset.comparing;
    line().hidden = true;
    dress();
    if (back && from.isConnected) from.focus({ preventScroll: true });
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.('[data-act="compare"]');
    if (!button) return;
    const { id, key, title, other, otherkey } = button.dataset;
    if (!other) return begin(button);
    end(false);
    studio.compare.open([{ id, key, title }, { id: other, key: otherkey }], button);
  });
  // Before the page's own handlers, which would show the clip.
  document.addEventListener("click", (event) => {
    const place = first && event.target.closest?.(PLACES);
    if (!place) return;
    event.preventDefault();
    event.stopPropagation();
    if (!can(place)) return;
    const { from, ...one } = first;
    end(false);
    studio.compare.open([one, { id: place.dataset.id, key: place.dataset.key }], from.isConnected ? from : place);
  }, true);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && first && !event.defaultPrevented && !$("dialog[open]")) {
      event.preventDefault();
      end(true);
    }
  });
  new MutationObserver(() => first && dress()).observe(document.body, { childList: true, subtree: true });
})();
