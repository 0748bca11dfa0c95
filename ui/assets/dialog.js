/* Dialogs of the page: native, modal, styled by dialog.css.

   const dialog = studio.dialog.make({ name, heading, wide }) adds <dialog class="ws-dialog" id="ws-dialog-NAME">, once for
   each name: {element, title, body, foot, said}. `said(words, problem)` writes the line in the foot, which screen
   readers announce. studio.dialog.open(element, {from, focus, closed}) opens it: `from` is the element that gets the
   focus back (the focused one, if not given), `focus` the one that has it first (else [autofocus], the first field, the heading),
   `closed` is called after the dialog is closed. studio.dialog.close(element) closes it, and so do Escape, a click on
   the backdrop, and any element with data-dialog-close. Ctrl+Enter presses the button with data-dialog-submit.

   Inside: .dialog-field with a label and a control, and data-field for studio.dialog.problem(element, field, words);
   .dialog-choice with labels around native radios; .btn.make is the button that makes something. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, $$, part, text } = studio;
  const FIELDS = "textarea, select, input:not([type=hidden], [type=range]), button:not([data-dialog-close])";
  const opened = new WeakMap(); // dialog that is open -> {from, mark, within: whether that is on the card, closed}

  // The element that opened a dialog, or its replacement: cards are rendered again.
  const markOf = (node) => {
    const { id, act, open: name, number } = node?.dataset || {};
    if (node?.id) return `#${CSS.escape(node.id)}`;
    if (!act && !name) return "";
    const about = { act, open: name, id, number };
    return Object.entries(about).map(([key, value]) => (value ? `[data-${key}="${CSS.escape(value)}"]` : "")).join("");
  };
  const usable = (node) => node?.isConnected && node.getClientRects().length > 0 && !node.disabled;
  // A card that shows something else by now has the focus itself, or in a layout that dissolves it its first button.
  const card = (within) => {
    const found = within && $("#ws-card .card");
    if (!found) return null;
    found.tabIndex = -1;
    return [found, ...$$("button, a[href]", found)].find(usable);
  };
  const opener = ({ from, mark, within }) => {
    const found = [from, ...(mark ? $$(mark) : [])];
    const menus = found.map((node) => node?.closest?.(".menu-box") && $("[data-menu]", node.closest(".menu-box")));
    return [...found, ...menus].find(usable) || card(within) || $("#ws-tabs [role=tab][aria-selected=true]");
  };

  const close = (dialog) => dialog?.open && dialog.close();
  const ended = (dialog) => {
    const was = opened.get(dialog);
    if (!was) return;
    opened.delete(dialog);
    opener(was)?.focus({ preventScroll: true });
    was.closed?.();
  };
  const open = (dialog, { from = document.activeElement, focus, closed } = {}) => {
    if (dialog.open) return;
    opened.set(dialog, { from, mark: markOf(from), within: Boolean(from?.closest?.("#ws-card")), closed });
    dialog.showModal();
    const first = focus || $("[autofocus]", dialog) || (studio.oneColumn() ? null : $$(FIELDS, dialog).find(usable)) || $("h2", dialog);
    first?.focus({ preventScroll: true });
    $(".dialog-body", dialog)?.scrollTo(0, 0);
  };

  const dress = (dialog) => {
    let pressed = false; // the press began on the backdrop; a text selection may merely end there
    const outside = ({ target, clientX, clientY }) => {
      const box = dialog.getBoundingClientRect();
      return target === dialog && (clientX < box.left || clientX > box.right || clientY < box.top || clientY > box.bottom);
    };
    dialog.addEventListener("pointerdown", (event) => (pressed = outside(event)));
    dialog.addEventListener("click", (event) => {
      if ((pressed && outside(event)) || event.target.closest("[data-dialog-close]")) close(dialog);
      pressed = false;
    });
    dialog.addEventListener("close", () => ended(dialog));
    // Keys and files that the page behind it would handle.
    dialog.addEventListener("keydown", (event) => {
      const control = event.ctrlKey || event.metaKey;
      if (!control || !["Enter", "z"].includes(event.key)) return;
      event.stopPropagation();
      if (event.key === "Enter") {
        event.preventDefault();
        $$("[data-dialog-submit]", dialog).find(usable)?.click();
      }
    });
    for (const kind of ["paste", "drop", "dragover"])
      dialog.addEventListener(kind, (event) => {
        event.stopPropagation();
        if (kind !== "paste") event.preventDefault();
      });
  };

  const made = new Map(); // name -> the dialog and its parts
  const make = ({ name, heading = "", wide = false }) => {
    const known = made.get(name);
    if (known?.element.isConnected) {
      if (heading) known.title.textContent = heading;
      return known;
    }
    const element = part("dialog", wide ? "ws-dialog wide" : "ws-dialog");
    element.id = `ws-dialog-${name}`;
    const title = part("h2", "", heading), body = part("div", "dialog-body"), foot = part("div", "dialog-foot");
    title.id = `${element.id}-title`;
    title.tabIndex = -1;
    element.setAttribute("aria-labelledby", title.id);
    const head = part("div", "dialog-head"), cross = part("button", "");
    Object.assign(cross, { type: "button", title: text("dialog_close") });
    cross.setAttribute("aria-label", text("dialog_close"));
    cross.setAttribute("data-dialog-close", "");
    head.append(title, cross);
    const line = part("p", "dialog-said");
    line.setAttribute("role", "status");
    foot.append(line);
    element.append(head, body, foot);
    $(".gradio-container").append(element);
    dress(element);
    const said = (words, problem = false) => {
      line.textContent = words;
      line.toggleAttribute("data-problem", problem);
    };
    made.set(name, { element, title, body, foot, said });
    return made.get(name);
  };
  // The line below a field, "" removes it: <div class="dialog-field" data-field="NAME">.
  const problem = (dialog, field, words) => {
    const box = $(`[data-field="${field}"]`, dialog);
    if (!box) return false;
    let line = $(".dialog-problem", box);
    if (!line) {
      box.append((line = part("p", "dialog-problem")));
      line.id = `${dialog.id}-${field}-problem`;
      line.setAttribute("role", "alert");
    }
    line.textContent = words;
    box.toggleAttribute("data-invalid", Boolean(words));
    for (const control of $$("input, textarea, select", box)) {
      if (words) control.setAttribute("aria-describedby", line.id);
      else control.removeAttribute("aria-describedby");
      control.setAttribute("aria-invalid", String(Boolean(words)));
    }
    return true;
  };

  studio.dialog = { make, open, close, problem };
})();
