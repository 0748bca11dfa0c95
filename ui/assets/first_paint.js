/* Remembers whether a job stood on the stage, so that the next load keeps its place on a phone. */
(() => {
  "use strict";
  const KEY = "wan-studio-stage", root = document.documentElement;
  try {
    root.dataset.before = localStorage.getItem(KEY) || "";
  } catch {
    /* storage is blocked: the place is not kept */
  }
  new MutationObserver(() => {
    const state = root.dataset.card;
    if (!state || state === "loading") return;
    try {
      localStorage.setItem(KEY, state === "empty" ? "" : "job");
    } catch {
      /* as above */
    }
  }).observe(root, { attributeFilter: ["data-card"] });
})();
