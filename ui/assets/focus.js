/* The focus never falls to the page's body: when what had it is removed, hidden or disabled, it goes to what came in
   its place, else to what is beside it. */
(() => {
  "use strict";
  const { $$ } = window.wanStudio;
  const STOPS = 'button, a[href], input, select, textarea, summary, audio[controls], video[controls], [tabindex]:not([tabindex="-1"])';
  const TEXT = "textarea, input:not([type=radio], [type=checkbox], [type=range], [type=file], [type=button])";
  const usable = (node) => node.isConnected && !node.disabled && node.tabIndex >= 0 && node.getClientRects().length > 0 && getComputedStyle(node).visibility !== "hidden";
  // What tells an element from its siblings after the server has drawn them again.
  const marks = (node) => [...node.attributes].filter(({ name }) => /^(id|name|role|aria-controls|data-.*)$/.test(name) && !/^data-(testid|held|early|svelte)/.test(name)).map(({ name, value }) => `${name}=${value}`).sort().join(" ");
  const kind = (node) => `${node.tagName} ${node.dataset.act || node.dataset.m || node.dataset.draft || node.getAttribute("role") || ""}`;

  let last = null; // what had the focus: {node, path: its ancestors, at: its index among the stops of each}
  const remember = (node) => {
    if (!node || node === document.body || !node.closest?.(".gradio-container")) return;
    const path = [];
    for (let parent = node.parentElement; parent && parent !== document.body; parent = parent.parentElement)
      path.push({ parent, id: parent.id, at: $$(STOPS, parent).indexOf(node) });
    last = { node, path, mark: marks(node), kind: kind(node), text: node.matches(TEXT) };
  };
  const within = (place) => (place.parent.isConnected ? place.parent : place.id ? document.getElementById(place.id) : null);
  // The element that replaces the lost one, or the nearest one in the smallest part of the page that is left.
  const heir = ({ path, mark, kind: lost, text }) => {
    for (const place of path) {
      const root = within(place);
      if (!root) continue;
      const stops = $$(STOPS, root).filter((stop) => usable(stop) && (text || !stop.matches(TEXT)));
      const same = mark && stops.find((stop) => marks(stop) === mark);
      if (same) return same;
      const all = $$(STOPS, root);
      const near = (found) => found.sort((a, b) => Math.abs(all.indexOf(a) - place.at) - Math.abs(all.indexOf(b) - place.at))[0];
      const alike = near(stops.filter((stop) => kind(stop) === lost && stop.dataset.act));
      const found = alike || near([...stops]);
      if (found) return found;
    }
    return null;
  };
  let due = 0;
  const settle = () => {
    due = 0;
    const { activeElement: now } = document;
    if (!last || (now && now !== document.body) || usable(last.node)) return;
    const next = heir(last);
    if (!next) return;
    next.focus({ preventScroll: true });
    remember(next);
  };
  const soon = () => {
    if (last && !due) due = setTimeout(() => requestAnimationFrame(settle), 0);
  };
  document.addEventListener("focusin", ({ target }) => remember(target));
  // A click beside everything lets go of the focus.
  document.addEventListener("pointerdown", ({ target }) => {
    if (!target.closest?.(STOPS)) last = null;
  }, true);
  new MutationObserver(soon).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["disabled", "hidden", "class", "style", "data-open"] });
})();
