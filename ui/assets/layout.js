/* Where things stand: toasts, the strip of an ended job on phones, the tab list's keys, the theme's button. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, $$, text } = studio;
  const root = document.documentElement;
  const MOST_TOASTS = 3;

  // -- toasts: the same text counts up; at most three; where they stand is in room.js ---------------------
  const rect = (node) => (node && node.getClientRects().length ? node.getBoundingClientRect() : null);
  const coalesce = (wrap, most) => {
    const first = new Map();
    const items = $$(".toast-message-item", wrap);
    for (const item of items) {
      const words = $(".toast-message-text", item)?.textContent.trim() || "";
      const kind = item.closest(".toast-body")?.className.match(/error|warning|success|info/)?.[0] || "";
      const known = first.get(kind + words);
      if (known) known.times += 1;
      else first.set(kind + words, { item, times: 1 });
    }
    const shown = new Set([...first.values()].slice(-most).map(({ item }) => item));
    for (const item of items) if (item.hidden === shown.has(item)) item.hidden = !shown.has(item);
    for (const { item, times } of first.values()) {
      const words = times > 1 ? text("times", { count: times }) : "";
      const place = $(".toast-message-text", item);
      if (!place || (place.dataset.times || "") === words) continue;
      if (words) place.dataset.times = words;
      else delete place.dataset.times;
    }
  };
  let due = 0;
  const settle = () => {
    due = 0;
    const wrap = $(".toast-wrap");
    for (let most = MOST_TOASTS; most > 0; most -= 1) {
      if (wrap) coalesce(wrap, most);
      if (studio.placeToasts()) return;
    }
  };
  const soon = () => (due ||= requestAnimationFrame(settle));
  addEventListener("scroll", () => studio.showsToasts() && soon(), { passive: true });
  addEventListener("resize", () => studio.showsToasts() && soon());
  setInterval(() => studio.showsToasts() && soon(), 500); // a picture that has loaded moves what is below it

  // -- the strip: on a phone another tab folds a job that has ended; a tap or a new result opens it ---------------
  let folded = "";
  const fold = (id) => {
    folded = id;
    root.toggleAttribute("data-strip", Boolean(id));
  };
  const ENDED = "#ws-card .card:is([data-state=done], [data-state=failed], [data-state=cancelled])";
  const shown = () => $(ENDED)?.dataset.shown || "";
  const unfold = () => {
    if (folded && shown() !== folded) fold("");
  };
  // So does what a button of a result puts into a form, in whichever tab: the form is what is worked in next.
  const FILLS = ["reuse", "send", "frame", "picture"], FILL_MS = 10_000;
  let filledAt = -Infinity;
  studio.beforeFill = () => {
    if (performance.now() - filledAt > FILL_MS || !studio.oneColumn() || !shown()) return;
    filledAt = -Infinity;
    fold(shown());
    scrollTo({ top: 0 });
    if (!document.activeElement?.getClientRects().length || document.activeElement === document.body) $(".reopen")?.focus({ preventScroll: true });
  };
  document.addEventListener("click", (event) => {
    const tab = event.target.closest?.("#ws-tabs [role=tab]");
    if (tab && studio.oneColumn() && tab.getAttribute("aria-selected") !== "true") fold(shown());
    if (FILLS.includes(event.target.closest?.("[data-act]")?.dataset.act)) filledAt = performance.now();
    if (event.target.closest?.(".reopen")) {
      fold("");
      $("#ws-card [data-player] button, #ws-card .btn.ink")?.focus({ preventScroll: true });
    }
  }, true);

  // -- the tab list: one stop, arrow keys, Home and End; then the theme's button ----------------------------------
  const tabs = () => $$("#ws-tabs [role=tab]").filter(rect);
  let chosen = null;
  // On a phone the row scrolls: the chosen tab is shown in full, also when a button of a result has opened it.
  const reveal = (tab) => {
    if (!tab || tab === chosen) return;
    chosen = tab;
    const row = tab.closest(".tab-wrapper");
    row?.scrollTo({ left: tab.offsetLeft - (row.clientWidth - tab.offsetWidth) / 2, behavior: studio.still() ? "auto" : "smooth" });
  };
  const rove = () => {
    reveal($("#ws-tabs [role=tab][aria-selected=true]"));
    for (const tab of $$("#ws-tabs [role=tab]")) {
      const stop = tab.getAttribute("aria-selected") === "true" ? 0 : -1;
      if (tab.tabIndex !== stop) tab.tabIndex = stop;
    }
  };
  document.addEventListener("keydown", (event) => {
    const tab = event.target.closest?.("#ws-tabs [role=tab]");
    const to = { ArrowRight: 1, ArrowLeft: -1, Home: "first", End: "last" }[event.key];
    if (!tab || !to || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const all = tabs();
    const next = to === "first" ? all[0] : to === "last" ? all.at(-1) : all[(all.indexOf(tab) + to + all.length) % all.length];
    next.click();
    next.focus();
    rove();
  }, true);
  const settleTheme = () => {
    const button = $(".header .theme"), list = $("#ws-tabs > .tab-wrapper");
    if (!button || !list) return;
    button.classList.add("placed");
    list.after(button);
  };

  const changed = () => {
    settleTheme();
    rove();
    unfold();
    if (studio.showsToasts()) soon();
  };
  new MutationObserver((changes) => {
    const ours = changes.some(({ type, target, addedNodes, removedNodes }) =>
      type === "attributes" ? target.matches("[role=tab], .card") : addedNodes.length || removedNodes.length);
    if (ours) changed();
  }).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["aria-selected", "data-shown", "data-state"] });
  changed();
})();
