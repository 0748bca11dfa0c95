/* Delete and its Undo: one click deletes once, and a toast brings the clip back for a few seconds. A double click
   deletes nothing. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, $$, text } = studio;
  const MS = { double: 800, answer: 5000, settle: 80 };
  const MOST = 3; // toasts at a time
  const sent = new Map(); // id of a clip that is being deleted -> where it was, and what comes after it
  let last = 0;
  let takeBack = () => {}; // undoes the deletion that was shown last

  const clip = (id) => `[data-act="show"][data-id="${CSS.escape(id)}"]`;
  // The job on the stage, for events that draw the card again.
  studio.onStage = () => {
    const { shown, shownkey } = $("#ws-card .card")?.dataset || {};
    return { shown: shown || "", shownkey: shownkey || "" };
  };

  // The second click of a double click meets what has moved under the pointer: it undoes the first and does nothing else.
  const stray = (event) => {
    if (event.detail < 2 || Date.now() - last > MS.double) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.type !== "click") return;
    const newest = [...sent.values()].pop();
    if (newest) newest.twice = true;
    else takeBack();
  };
  for (const kind of ["mousedown", "click", "dblclick"]) document.addEventListener(kind, stray, true);

  // Whether a click on Delete is sent: once for each clip.
  studio.deletes = (button, event) => {
    const { id } = button.dataset;
    if (sent.has(id)) return false;
    last = Date.now();
    const tile = button.closest(".tile");
    const tiles = $$("#ws-library .tile"), at = tiles.indexOf(tile);
    const beside = tile ? tiles[at + 1] || tiles[at - 1] : null;
    const one = {
      on: tile ? "library" : "card",
      keyboard: event.detail === 0,
      next: beside ? $(".open", beside)?.dataset.id : "",
    };
    sent.set(id, one);
    (tile || button).classList.add("going");
    button.disabled = true;
    setTimeout(() => {
      if (sent.get(id) !== one) return; // answered
      sent.delete(id);
      (tile || button).classList.remove("going"); // refused, or lost with the connection
      button.disabled = false;
    }, MS.answer);
    return true;
  };

  const focusAfter = ({ on, next }) => {
    const found = on === "library"
      ? (next && $(`#ws-library ${clip(next)}`)) || $("#ws-library .open") || $("#library-search :is(input, textarea)")
      : $("#ws-card :is(.head, .steps) :is(a.btn, [data-act])") || $("#ws-tabs [role=tab][aria-selected=true]");
    found?.focus({ preventScroll: true });
  };

  studio.undo = ({ element, trigger, watch }) => {
    const list = document.createElement("div");
    list.className = "ws-toasts";
    list.setAttribute("role", "status");
    (element.closest(".gradio-container") || document.body).append(list);
    let seen = "";

    const part = (name, className, words) => {
      const node = document.createElement(name);
      node.className = className;
      node.textContent = words;
      return node;
    };
    const show = ({ id, key, title, seconds, more }) => {
      const was = sent.get(id) || { on: "library", keyboard: false, next: "" };
      sent.delete(id);
      const row = part("div", "undo-toast", "");
      const said = part("p", "", JSON.parse(more || "[]").length ? text("deleted_title", { title }) : text("deleted"));
      said.title = text("deleted_title", { title });
      const undo = part("button", "undo", text("undo"));
      const close = part("button", "dismiss", "");
      close.setAttribute("aria-label", text("dismiss"));
      undo.setAttribute("aria-label", `${text("undo")}. ${text("deleted_title", { title })}`);
      undo.type = close.type = "button";
      row.append(said, undo, close);
      list.append(row);
      while (list.children.length > MOST) list.firstChild.remove();
      const end = () => {
        clearTimeout(timer);
        const held = row.contains(document.activeElement);
        row.remove();
        if (held) focusAfter(was);
      };
      const timer = setTimeout(end, seconds * 1000);
      close.addEventListener("click", end);
      undo.addEventListener("click", () => {
        trigger("undo", { id, key, more, on: was.on, ...studio.onStage() });
        focusAfter(was);
        end();
      });
      takeBack = () => row.isConnected && undo.click();
      if (was.twice) return takeBack();
      row.addEventListener("keydown", (event) => event.key === "Escape" && end());
      setTimeout(() => (was.keyboard ? undo.focus({ preventScroll: true }) : focusAfter(was)), MS.settle);
    };
    watch("value", () => {
      const told = $("[data-number]", element);
      if (!told || told.dataset.number === seen) return;
      seen = told.dataset.number;
      show(told.dataset);
    });
    // Ctrl+Z outside of a field undoes the last deletion while its toast is there.
    document.addEventListener("keydown", (event) => {
      if (event.key !== "z" || !(event.ctrlKey || event.metaKey) || event.shiftKey) return;
      if (event.target.closest?.("input, textarea, [contenteditable]")) return;
      const undo = $(".undo-toast:last-child .undo", list);
      if (!undo) return;
      event.preventDefault();
      undo.click();
    });
  };
})();
