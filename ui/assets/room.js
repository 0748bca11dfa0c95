/* Places messages in a part of the window that is empty, else in a gap that is opened for them between two rows
   of the page. They cover nothing, in any tab and at any size. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, $$ } = studio;
  const GAP = 8, EDGE = 4, WIDEST = 440; // pixels
  const CONTENT = "h1, h2, h3, p, li, dl, dt, dd, th, td, label, legend, span, strong, small, code, summary, button, a, input, textarea, select, img, video, audio, .stage, .ws-drop, .media, .ws-generate-box, .bar, .queue-panel";
  const PARTS = `.gradio-container :is(${CONTENT}):not(.tile *), .gradio-container .tile`;
  const ROWS = ".tiles > *, .machine > *, .machine .bars, .machine dl, .machine section > *, .models tr, .ws-library-head, #ws-library .nothing > *, .tabitem > .column > *, .tabitem .column > .block, .tabitem .column > .row, .card > *";
  const rect = (node) => (node && node.getClientRects().length ? node.getBoundingClientRect() : null);
  const hosts = () => [$(".toast-wrap"), $(".ws-toasts"), $(".ws-said")].filter((host) => host && host.offsetHeight > 0);
  const isOurs = (node) => node.closest(".toast-wrap, .ws-toasts, .ws-said");

  // Left edge and width of the strips of the window that a message may use, the best first.
  const lanes = () => {
    if (studio.oneColumn()) return [[16, innerWidth - 32]];
    const column = rect($$("#ws-tabs .tabitem").find(rect));
    const generate = $$(".ws-generate-box").find(rect);
    if (generate && column) return [[Math.max(GAP, column.left), column.width]];
    const width = Math.min(WIDEST, innerWidth - 32), left = column ? Math.max(16, column.left) : 16;
    const machine = rect($(".ws-machine"));
    const lane = machine ? [[machine.left, Math.min(width, machine.width)]] : [];
    return [...lane, [innerWidth - 24 - width, width], [left, width]];
  };
  // [top, bottom] of the elements in a strip of the window.
  const taken = ([left, width]) => {
    const found = [];
    for (const node of $$(PARTS)) {
      const box = rect(node);
      if (!box || box.width < 3 || box.height < 3 || box.right <= left || box.left >= left + width) continue;
      if (box.bottom > 0 && box.top < innerHeight && !isOurs(node)) found.push([box.top, box.bottom]);
    }
    return found;
  };
  // The lowest place of this height that is empty; null without one.
  const emptyPlace = (tall, spans) => {
    let floor = innerHeight - EDGE;
    for (const [top, bottom] of [...spans].sort((a, b) => b[1] - a[1])) {
      if (floor - bottom >= tall + 2 * EDGE) break;
      floor = Math.min(floor, top);
    }
    const top = floor - tall - EDGE;
    return top >= EDGE ? top : null;
  };

  // -- a gap between two rows ---------------------------------------------------------------------------------
  let gap = null; // {nodes: [[node, its margin before]], tall}
  const close = () => {
    for (const [node, margin] of gap?.nodes || [])
      if (margin) node.style.setProperty("margin-top", margin);
      else node.style.removeProperty("margin-top");
    gap = null;
  };
  const gapTop = () => {
    const box = rect(gap.nodes[0][0]);
    return box ? box.top - GAP - gap.tall : -1;
  };
  const bottom = () => Math.min(innerHeight, ...$$(".ws-generate-box").filter((box) => getComputedStyle(box).position === "fixed").map((box) => rect(box)?.top ?? innerHeight));
  const isFree = (top, tall, lane) => taken(lane).every(([from, to]) => to <= top + 1 || from >= top + tall - 1);
  const openAt = (nodes, tall, lane) => {
    gap = { tall, nodes: nodes.map((node) => [node, node.style.getPropertyValue("margin-top")]) };
    for (const node of nodes) node.style.setProperty("margin-top", `${parseFloat(getComputedStyle(node).marginTop) + tall + 2 * GAP}px`, "important");
    const top = gapTop();
    if (top >= EDGE && top + tall <= bottom() - EDGE && isFree(top, tall, lane)) return top;
    close();
    return null;
  };
  const open = (tall, lane, spans) => {
    const rows = new Map(); // top -> nodes
    for (const node of $$(ROWS)) {
      const box = rect(node);
      if (!box || box.height < 3 || ["fixed", "absolute"].includes(getComputedStyle(node).position)) continue;
      const top = Math.round(box.top);
      if (top < EDGE || top + tall + 2 * GAP > bottom()) continue;
      // A row inside of another that begins there moves with it.
      const known = rows.get(top) || [];
      if (!known.some((other) => other.contains(node))) rows.set(top, [...known.filter((other) => !node.contains(other)), node]);
    }
    const straddled = (top) => spans.some(([from, to]) => from < top - 1 && to > top + 1);
    for (const top of [...rows.keys()].sort((a, b) => b - a).slice(0, 12)) {
      const nodes = rows.get(top), inside = nodes.some((node) => rect(node).left < lane[0] + lane[1] && rect(node).right > lane[0]);
      if (!inside || straddled(top)) continue;
      const found = openAt(nodes, tall, lane);
      if (found !== null) return found;
    }
    return null;
  };

  const set = (host, name, value) => host.style.getPropertyValue(name) !== value && host.style.setProperty(name, value);
  const put = (shown, [left, width], top) => {
    for (const host of shown) {
      set(host, "--toast-left", `${Math.round(left)}px`);
      set(host, "--toast-width", `${Math.round(width)}px`);
      if (top === undefined) continue;
      set(host, "--toast-top", `${Math.round(top)}px`);
      top += host.offsetHeight + GAP;
    }
  };
  const height = (shown) => shown.reduce((sum, host) => sum + host.offsetHeight, GAP * (shown.length - 1));
  // Returns whether the messages cover nothing.
  studio.placeToasts = () => {
    const shown = hosts();
    if (!shown.length) return close(), true;
    const strips = lanes();
    put(shown, strips[0]);
    if (gap && gap.nodes[0][0].isConnected && gap.tall === height(shown)) {
      const top = gapTop();
      if (top >= EDGE && top + gap.tall <= bottom() - EDGE && isFree(top, gap.tall, strips[0])) return put(shown, strips[0], top), true;
    }
    const middle = document.elementFromPoint(innerWidth / 2, innerHeight / 2), before = rect(middle)?.top, above = gap && gapTop() < 0;
    close();
    let done = false;
    for (const how of [(tall, lane, spans) => emptyPlace(tall, spans), open]) {
      for (const lane of strips) {
        put(shown, lane);
        const top = how(height(shown), lane, taken(lane));
        if (top === null) continue;
        put(shown, lane, top);
        done = true;
        break;
      }
      if (done) break;
    }
    if (!done) put(shown, strips[0], Math.max(EDGE, bottom() - height(shown) - GAP));
    // With two columns the browser keeps the scroll position.
    if (above && studio.oneColumn() && middle?.isConnected && before !== undefined) scrollBy(0, rect(middle).top - before);
    return done;
  };
  studio.showsToasts = () => Boolean(gap) || hosts().length > 0;
})();
