/* Menus below buttons (ui/views/menu.py), the row with prompt and settings, and clicks that come late. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, $$ } = studio;
  const EDGE = 12; // pixels between a menu and the edge of the window
  const KEPT_OPEN = 900; // milliseconds for which "Copied" is shown
  const opener = (menu) => $("[data-menu]", menu.parentNode);
  const opened = () => $$(".menu").find((menu) => !menu.hidden);
  const items = (menu) => $$('[role="menuitem"]', menu).filter((item) => !item.hidden);

  const close = (menu, focus) => {
    if (!menu || menu.hidden) return;
    menu.hidden = true;
    opener(menu).setAttribute("aria-expanded", "false");
    menu.closest(".tile")?.removeAttribute("data-open");
    if (focus) opener(menu).focus();
  };
  // Below its button, or above where there is more room; inside the window in any case.
  const place = (menu) => {
    Object.assign(menu.style, { left: "0", right: "auto", top: "calc(100% + 6px)", bottom: "auto", maxHeight: "" });
    const button = opener(menu).getBoundingClientRect();
    const foot = $(".ws-generate-box:not([hidden])");
    const covered = foot && getComputedStyle(foot).position === "fixed" ? foot.offsetHeight : 0;
    const [below, above] = [innerHeight - covered - button.bottom, button.top].map((room) => room - 6 - EDGE);
    if (menu.offsetHeight > below && above > below) Object.assign(menu.style, { top: "auto", bottom: "calc(100% + 6px)" });
    menu.style.maxHeight = `${Math.max(160, menu.offsetHeight > below ? Math.max(above, below) : below)}px`;
    const over = button.left + menu.offsetWidth - (document.documentElement.clientWidth - EDGE);
    if (over > 0) menu.style.left = `${-Math.min(over, button.left - EDGE)}px`;
  };
  const open = (menu, last) => {
    close(opened());
    menu.hidden = false;
    opener(menu).setAttribute("aria-expanded", "true");
    menu.closest(".tile")?.setAttribute("data-open", "");
    place(menu);
    const found = items(menu);
    (last ? found.at(-1) : found[0])?.focus({ preventScroll: true });
    fill(menu);
  };
  // Whether the clip has a sound: looked up when a menu is opened.
  const known = new Map(); // job id -> the answer
  const fill = async (menu) => {
    const about = $("[data-id]", menu)?.dataset;
    if (!about || !studio.choices || !$("[data-needs]", menu)) return;
    let answer = known.get(about.id);
    if (!answer) {
      try {
        answer = await studio.choices(about.id, about.key);
      } catch {
        return;
      }
      if (!answer || answer.gone) return;
      known.set(about.id, answer);
      setTimeout(() => known.delete(about.id), 60_000);
    }
    for (const item of $$("[data-needs]", menu)) item.hidden = !answer[item.dataset.needs];
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-menu]");
    const menu = button && $(".menu", button.parentNode);
    if (menu) return menu.hidden ? open(menu) : close(menu, true);
    const item = event.target.closest?.('[role="menuitem"]');
    if (!item) return close(opened());
    const chosen = item.closest(".menu");
    if (item.matches("[data-copy], [data-link]")) setTimeout(close, KEPT_OPEN, chosen, chosen.contains(document.activeElement));
    else close(chosen, true);
  });
  document.addEventListener("keydown", (event) => {
    const button = event.target.closest?.("[data-menu]"), menu = opened();
    if (button && (event.key === "ArrowDown" || event.key === "ArrowUp") && button.getAttribute("aria-expanded") !== "true") {
      event.preventDefault();
      return open($(".menu", button.parentNode), event.key === "ArrowUp");
    }
    if (!menu) return;
    if (event.key === "Escape") {
      event.preventDefault();
      return close(menu, true);
    }
    if (event.key === "Tab") return close(menu, true);
    const found = items(menu), at = found.indexOf(document.activeElement);
    const next = { ArrowDown: at + 1, ArrowUp: at < 0 ? -1 : at - 1, Home: 0, End: -1 }[event.key];
    if (next === undefined) {
      const letter = event.key.length === 1 && !event.ctrlKey && !event.metaKey && event.key.trim().toLowerCase();
      const order = letter ? [...found.slice(at + 1), ...found.slice(0, at + 1)] : [];
      order.find((item) => item.textContent.trim().toLowerCase().startsWith(letter))?.focus();
      return;
    }
    event.preventDefault();
    found.at(next % found.length)?.focus();
  });
  addEventListener("resize", () => close(opened()));
  document.addEventListener("focusin", (event) => {
    const menu = opened();
    if (menu && !menu.parentNode.contains(event.target)) close(menu);
  });

  // -- prompt and settings: open or closed as the visitor left them ---------------------------------------
  let about = false;
  document.addEventListener("toggle", (event) => {
    if (event.target.matches?.("[data-about]") && event.target.isConnected) about = event.target.open;
  }, true);

  // -- a click that was meant for what stood there before -------------------------------------------------
  const LATE = 400; // milliseconds after a change of the buttons in which a press is meant for the old ones
  let state = "", changed = 0, moved = 0;
  document.addEventListener("pointermove", () => (moved = performance.now()), true);
  document.addEventListener("click", (event) => {
    const late = event.isTrusted && event.detail && performance.now() - changed < LATE && moved < changed;
    if (!late || !event.target.closest?.("#ws-card :is(.head, .foot, .steps) :is(button, a)")) return;
    event.preventDefault();
    event.stopPropagation();
  }, true);
  const pressed = new Map(); // event -> when it was sent
  studio.pressedAgain = (act) => {
    const before = pressed.get(act) || -Infinity;
    pressed.set(act, performance.now());
    return performance.now() - before < 1000;
  };
  studio.dressResult = (element) => {
    const { state: next, shown } = $(".card", element)?.dataset || {};
    if (state !== `${next} ${shown}`) changed = performance.now();
    state = `${next} ${shown}`;
    const row = $("[data-about]", element);
    if (row && row.open !== about) row.open = about;
    const menu = opened();
    if (menu) opener(menu).setAttribute("aria-expanded", "true");
  };
})();
