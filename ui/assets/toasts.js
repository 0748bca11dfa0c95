/* Messages at the top right come from our server. Gradio's own, which its scripts write, are replaced: those about a
   file go beside its field, those about the connection are on the connection's line. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, text } = studio;
  const letters = (value) => String(value).replace(/<[^>]*>/g, "").replace(/[^\p{L}\p{N}]+/gu, "");
  const ours = []; // what the server said, letters only
  studio.ours = (message) => {
    ours.push(letters(message));
    ours.splice(0, ours.length - 40);
  };

  const LOST = /^(Connection errored out|Connection to the server was lost|This application is currently busy|Server stopped unexpectedly|Queue is stopped|Failed to fetch|NetworkError|Load failed)/i;
  const FILE = /^(HTTP \d+|File\(s\) exceed|Invalid file type|Only .* allowed|Connection errored out.+fetch)/i;
  const judge = (item) => {
    const place = $('[data-testid="toast-text"]', item);
    if (!place || place.dataset.judged === place.textContent) return;
    const said = place.textContent.trim();
    item.style.display = "";
    if (!ours.includes(letters(said))) {
      console.warn("A message of Gradio was replaced:", said);
      if (FILE.test(said) ? studio.uploadFailed(said) : LOST.test(said)) item.style.display = "none";
      else place.textContent = text("failed");
    }
    place.dataset.judged = place.textContent;
  };
  // A group of messages is removed once none of them is shown.
  const tidy = (group) => {
    const shown = [...group.querySelectorAll(".toast-message-item")].some((item) => item.style.display !== "none");
    group.style.display = shown ? "" : "none";
    if (!shown) $('[data-testid="toast-close"]', group)?.click();
  };
  new MutationObserver((changes) => {
    if (!changes.some(({ target, addedNodes }) => addedNodes.length || target.parentElement?.closest?.('[data-testid="toast-text"]'))) return;
    for (const group of document.querySelectorAll('[data-testid="toast-body"]')) {
      for (const item of group.querySelectorAll(".toast-message-item")) judge(item);
      tidy(group);
    }
  }).observe(document.body, { childList: true, subtree: true, characterData: true });
})();
