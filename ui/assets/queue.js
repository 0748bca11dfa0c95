/* The queue's panel: opened by the header's badge, filled while it is open, closed by Escape or a click elsewhere. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, text } = studio;
  const SECONDS = { list: 3, sure: 5 };

  studio.queue = ({ element, trigger, watch, events }) => {
    const root = document.documentElement;
    const badge = () => $('[data-live="queue"]');
    const isOpen = () => root.hasAttribute("data-queue");
    let timer = 0, opened = 0, moved = null;

    const list = () => {
      clearTimeout(timer);
      if (!isOpen()) return;
      if (!document.hidden) trigger("list", {});
      timer = setTimeout(list, SECONDS.list * 1000);
    };
    const open = () => {
      root.setAttribute("data-queue", "");
      badge()?.setAttribute("aria-expanded", "true");
      opened = Date.now();
      list();
      $("h2", element)?.focus({ preventScroll: true });
    };
    const close = (back) => {
      if (!isOpen()) return;
      root.removeAttribute("data-queue");
      clearTimeout(timer);
      badge()?.setAttribute("aria-expanded", "false");
      if (back) badge()?.focus({ preventScroll: true });
    };

    // The focus follows the moved job; the list was patched in place.
    watch("value", () => {
      if (!moved) return;
      const { id, act } = moved;
      moved = null;
      const row = $(`li[data-id="${id}"]`, element);
      if (!row) return;
      const other = act === "up" ? "down" : "up";
      const button = [act, other].map((name) => $(`[data-act="${name}"]`, row)).find((found) => found && !found.disabled);
      button?.focus({ preventScroll: true });
      row.scrollIntoView({ block: "nearest" });
      const place = $(".place", row).textContent;
      $('[data-q="said"]', element).textContent = text("moved", { place });
    });

    const sure = (button) => {
      const words = $("span", button), before = words.textContent;
      words.textContent = button.dataset.sure;
      button.classList.add("sure");
      const reset = () => {
        if (!button.classList.contains("sure")) return;
        button.classList.remove("sure");
        words.textContent = before;
      };
      button.addEventListener("blur", reset, { once: true });
      setTimeout(reset, SECONDS.sure * 1000);
    };

    element.addEventListener("click", (event) => {
      if (event.target.closest("[data-q=close]")) return close(true);
      const button = event.target.closest("[data-act]");
      if (!button || !events.includes(button.dataset.act)) return;
      const { act, id, key } = button.dataset;
      if (button.dataset.sure && !button.classList.contains("sure")) return sure(button);
      if (act === "up" || act === "down") moved = { id, act };
      else if (document.activeElement === button) $("h2", element)?.focus({ preventScroll: true });
      const shown = $("#ws-card .card")?.dataset || {};
      trigger(act, { id, key, shown: shown.shown || "", shownkey: shown.shownkey || "" });
    });
    document.addEventListener("click", (event) => {
      if (event.target.closest?.('[data-live="queue"]')) return isOpen() ? close(true) : open();
      // A click on a button that the new list no longer has comes from inside all the same.
      if (isOpen() && event.target.isConnected && !element.contains(event.target)) close(false);
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && isOpen()) {
        event.preventDefault();
        close(true);
      }
    });
    element.addEventListener("focusout", (event) => {
      const to = event.relatedTarget;
      if (to && !element.contains(to) && !to.closest('[data-live="queue"]') && Date.now() - opened > 100) close(false);
    });
    document.addEventListener("visibilitychange", list);
  };
})();
