/* The page around the card: theme, keyboard, segmented controls, messages of the forms. Makes no requests. */
(() => {
  "use strict";
  const studio = (window.wanStudio = {});
  const root = document.documentElement;
  const $ = (selector, from = document) => from.querySelector(selector);
  const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];
  const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
  // A text of the page with its {placeholders} filled in; the table comes from ui/i18n by ui/head.py.
  const text = (key, values = {}) => window.wanTexts[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const ONE_COLUMN = matchMedia("(max-width: 859px) and (min-height: 500px), (max-width: 699px)"); // as in studio.css
  const part = (name, className, words = "") => Object.assign(document.createElement(name), { className, textContent: words });
  Object.assign(studio, { $, $$, still, text, part, oneColumn: () => ONE_COLUMN.matches });

  // -- theme: stored, and restored when Gradio changes the body's class ---------------------------
  const THEME = "wan-studio-theme";
  const stored = () => window.wanStorage.getItem(THEME);
  const applyTheme = () => {
    const wanted = stored();
    if (wanted && document.body.classList.contains("dark") !== (wanted === "dark"))
      document.body.classList.toggle("dark", wanted === "dark");
    root.style.colorScheme = document.body.classList.contains("dark") ? "dark" : "light";
  };
  const toggleTheme = () => {
    const next = document.body.classList.contains("dark") ? "light" : "dark";
    window.wanStorage.setItem(THEME, next);
    document.body.classList.toggle("dark", next === "dark");
  };
  new MutationObserver(applyTheme).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  applyTheme();

  // -- which tab, which mode ----------------------------------------------------------------------
  const TABS = window.wanTabs; // {key: {modes}}, from ui/tabs by ui/head.py
  const tab = () => Object.keys(TABS).find((name) => $(`#tab-${name}-button.selected`)) || Object.keys(TABS)[0];
  const isPicture = () => root.dataset.text === "text_to_image";
  studio.mode = () => (TABS[tab()].modes.length > 1 && isPicture() ? TABS[tab()].modes[1] : TABS[tab()].modes[0]);
  const panel = () =>
    document.getElementById(tab() !== "text" ? `tab-${tab()}` : isPicture() ? "text-picture" : "text-video");
  studio.textKind = (kind) => {
    if (root.dataset.text === kind) return;
    root.dataset.text = kind;
    studio.refreshFrame();
  };

  // -- the line under Generate carries the frame and the problems of the fields ----------------------------------
  studio.toFirstProblem = () => {
    const first = $$(".ws-problem, .ws-line .problem", panel() || document)[0];
    first?.scrollIntoView({ block: "center", behavior: still() ? "auto" : "smooth" });
    const field = first?.closest("[data-invalid]") || document.createElement("i");
    ($("[data-control]", field) || $("input, textarea", field))?.focus({ preventScroll: true });
  };
  const spread = (line) => {
    const { mode, frame, scroll } = line.dataset;
    if (mode === studio.mode()) for (const place of $$('[data-live="frame"]')) place.textContent = frame;
    studio.mark(line);
    if (scroll === "1") setTimeout(studio.toFirstProblem, 60);
  };
  studio.hint = ({ element, trigger, watch }) => {
    const line = () => $("[data-mode]", element);
    if (line()) studio.plans(line().dataset.mode, element, trigger);
    watch("value", () => line() && spread(line()));
    if (line()) spread(line());
  };
  studio.refreshFrame = () => {
    root.toggleAttribute("data-outdated", studio.isOutdated(studio.mode()));
    for (const line of $$(".ws-hint [data-mode]"))
      if (line.dataset.mode === studio.mode())
        for (const place of $$('[data-live="frame"]')) place.textContent = line.dataset.frame;
  };

  // -- Library grid -------------------------------------------------------------------------------
  studio.grid = ({ element, trigger, watch, events }) => {
    watch("value", () => studio.repaint?.());
    element.addEventListener("click", (event) => {
      const button = event.target.closest("[data-act]");
      if (!button || !events.includes(button.dataset.act)) return;
      const { act, id, key, change, n, mode, field } = button.dataset;
      if (act === "delete" && !studio.deletes(button, event)) return;
      trigger(act, act === "starter" ? { n: Number(n) } : { id, key, change, mode, field, ...studio.onStage() });
      if (["show", "reuse", "retry", "starter", "send", "vary"].includes(act)) scrollTo({ top: 0 });
    });
  };

  // An event has been answered: a button that was disabled while it was under way can be pressed again.
  studio.pressable = (selector) => {
    for (const button of $$(`${selector}:disabled`)) button.disabled = false;
  };

  // -- segmented controls: one tab stop, arrow keys -------------------------------------------------
  // What the values of a choice do, from their specification: {value: sentence}.
  const notesOf = (id) => {
    const mode = Object.keys(window.wanForms).find((name) => id.startsWith(`${name}-`));
    return (mode && window.wanForms[mode].notes[id.slice(mode.length + 1)]) || {};
  };
  const dress = (group) => {
    const inputs = $$('input[type="radio"]', group);
    if (!inputs.length) return;
    const box = inputs[0].closest(".wrap") || group;
    if (box.getAttribute("role") !== "radiogroup") {
      box.setAttribute("role", "radiogroup");
      box.setAttribute("aria-label", $('[data-testid="block-info"]', group)?.textContent.trim() || text("choice"));
    }
    const chosen = inputs.find((input) => input.checked) || inputs[0];
    for (const input of inputs) input.tabIndex = input === chosen ? 0 : -1;
    const notes = notesOf(group.id);
    for (const input of inputs) {
      const span = $("span", input.closest("label"));
      if (notes[input.value] && !$("small", span))
        span.append(part("small", "", notes[input.value]));
    }
  };
  let dressing = 0;
  const dressAll = () => {
    dressing = 0;
    $$(".ws-seg").forEach(dress);
    const kinds = $$("#text-kind input");
    const kind = kinds.find((input) => input.checked);
    if (kind) studio.textKind(kind.value);
    for (const zone of $$(".ws-drop button.upload-container")) {
      const words = zone.closest(".ws-media")?.querySelector(".drop-words") || zone;
      const name = words.textContent.trim().replace(/\s+/g, " ");
      if (name && zone.getAttribute("aria-label") !== name) zone.setAttribute("aria-label", name);
    }
    studio.dressAdvanced();
    studio.dressForms();
    studio.variations?.dress();
    label();
  };
  // New elements only: changed texts, such as a clock, need no dressing.
  const grew = ({ addedNodes }) => [...addedNodes].some((node) => node.nodeType === 1);
  new MutationObserver((changes) => {
    if (!dressing && changes.some(grew)) dressing = requestAnimationFrame(dressAll);
  }).observe(document.body, { childList: true, subtree: true });
  document.addEventListener("change", (event) => event.target.closest?.(".ws-seg") && setTimeout(dressAll, 0));
  document.addEventListener("keydown", (event) => {
    const input = event.target.closest?.('.ws-seg input[type="radio"]');
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!input || !by) return;
    event.preventDefault();
    const inputs = $$('input[type="radio"]', input.closest(".ws-seg"));
    const next = inputs[(inputs.indexOf(input) + by + inputs.length) % inputs.length];
    next.click();
    next.focus();
    setTimeout(dressAll, 30);
  });

  // -- Generate's label -----------------------------------------------------------------------------
  const label = () => {
    const usual = text(root.dataset.busy ? "add_to_queue" : "generate");
    for (const button of $$("button.ws-generate")) {
      const several = studio.variations?.words(button.id.replace(/-generate$/, ""), Boolean(root.dataset.busy));
      const words = button.dataset.held ? text(button.dataset.held) : several || usual;
      const node = [...button.childNodes].find((child) => child.nodeType === 3 && child.data.trim());
      if (node && node.data.trim() !== words) node.data = words;
      if (!button.title) button.title = text("generate_keys");
    }
  };
  studio.label = label;
  studio.busy = (yes) => {
    if (yes) root.dataset.busy = "1";
    else delete root.dataset.busy;
    label();
  };

  // -- a file that the browser cannot show is hidden; the line below describes it ---------------------------
  const PICTURES = ".ws-drop, .stage, .thumb, .tile";
  document.addEventListener("error", (event) => event.target.closest?.(PICTURES) && event.target.classList.add("unseen"), true);
  document.addEventListener("load", (event) => event.target.closest?.(PICTURES) && event.target.classList.remove("unseen"), true);

  // -- clicks and keys of the page --------------------------------------------------------------------
  const copy = async (value) => {
    try {
      await navigator.clipboard.writeText(value);
    } catch {
      const area = Object.assign(document.createElement("textarea"), { value });
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
  };
  studio.copy = copy;
  document.addEventListener("click", async (event) => {
    const at = (selector) => event.target.closest?.(selector);
    if (at("[data-theme-toggle]")) toggleTheme();
    const copied = at("[data-copy], [data-link]");
    if (copied) {
      const { copy: value, link } = copied.dataset;
      await copy(link ? new URL(link, location.origin + location.pathname).href : value);
      const span = $("span", copied);
      const before = span.textContent;
      span.style.minWidth = `${span.offsetWidth}px`; // the buttons beside it stay where they are
      if (before !== text("copied")) setTimeout(() => (span.textContent = before), 1600);
      span.textContent = text("copied");
    }
    if (at("#ws-tabs [role=tab]")) setTimeout(studio.refreshFrame, 50);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    const button = panel() && $("button.ws-generate", panel());
    if (!button || !button.offsetParent) return;
    event.preventDefault();
    document.activeElement?.blur?.(); // commits a number that is being typed
    setTimeout(() => studio.press(studio.mode(), button), 30);
  });
})();
