/* Texts that touch another one of their row, are cut off without an ellipsis, or are wider than their button or the
   window; buttons alone in the last line of a row. Returns a list of findings. */
() => {
  const NEAR = 4, ACROSS = 1, DOWN = 4; // pixels: between two texts of a row; what a box may cut off
  const found = [], styles = new Map();
  const style = (node) => styles.get(node) || styles.set(node, getComputedStyle(node)).get(node);
  const parents = (node) => {
    const all = [];
    for (let one = node; one && one !== document.documentElement; one = one.parentElement) all.push(one);
    return all;
  };
  const clips = (value) => value === "hidden" || value === "clip";
  const scrolls = (value) => value === "auto" || value === "scroll";
  const box = (node) => {
    const { left, top } = node.getBoundingClientRect();
    const [x, y] = [left + node.clientLeft, top + node.clientTop];
    return { left: x, top: y, right: x + node.clientWidth, bottom: y + node.clientHeight };
  };
  const ends = (one) => style(one).textOverflow === "ellipsis" || style(one).webkitLineClamp !== "none";
  const say = (what, words, rect) =>
    found.push(`${what}: "${words.trim().slice(0, 40)}" at ${Math.round(rect.left)},${Math.round(rect.top)}`);

  // -- every line of every text that is seen: its rectangle, the box it is set in, the layer it belongs to ------------
  const lines = [];
  const walker = document.createTreeWalker(document.querySelector(".gradio-container"), NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const parent = text.parentElement;
    if (!text.data.trim() || parent.closest("script, style, option, textarea, svg")) continue;
    if (!parent.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    const above = parents(parent);
    if (above.some((one) => style(one).clipPath.startsWith("inset(50") || style(one).clip.startsWith("rect"))) continue;
    const unit = above.find((one) => !["inline", "contents"].includes(style(one).display)) || parent;
    const layer = above.find((one) => ["fixed", "sticky"].includes(style(one).position) || one.matches(".menu"));
    const button = above.find((one) => one.matches("button, a.btn, label, .tag, .len, .menu-item"));
    const inside = button && !above.slice(0, above.indexOf(button)).some((one) => style(one).position === "absolute");
    const range = document.createRange();
    range.selectNodeContents(text);
    for (const { left, top, right, bottom } of range.getClientRects()) {
      const rect = { left, top, right, bottom };
      if (right - left < 1 || bottom - top < 1) continue;
      let seen = true, shortened = false;
      for (const one of above) {
        const { overflowX, overflowY, position } = style(one);
        if (overflowX === "visible" && overflowY === "visible") continue;
        const edge = box(one);
        const across = Math.max(edge.left - rect.left, rect.right - edge.right);
        const down = Math.max(edge.top - rect.top, rect.bottom - edge.bottom);
        if (ends(one)) shortened ||= across > 0 || down > 0;
        else if (clips(overflowX) && across > ACROSS && rect.right > edge.left && rect.left < edge.right)
          say("cut off at the side", text.data, rect);
        else if (clips(overflowY) && down > DOWN && rect.bottom > edge.top && rect.top < edge.bottom)
          say("cut off in height", text.data, rect);
        Object.assign(rect, { left: Math.max(rect.left, edge.left), right: Math.min(rect.right, edge.right) });
        Object.assign(rect, { top: Math.max(rect.top, edge.top), bottom: Math.min(rect.bottom, edge.bottom) });
        seen &&= rect.right - rect.left > 1 && rect.bottom - rect.top > 1;
        if (!seen || position === "fixed") break;
      }
      if (!seen) continue;
      if (rect.right > innerWidth + 1 || rect.left < -1) say("outside of the window", text.data, rect);
      if (inside && !shortened) {
        const edge = button.getBoundingClientRect();
        if (rect.left < edge.left - ACROSS || rect.right > edge.right + ACROSS) say("wider than its box", text.data, rect);
      }
      lines.push({ ...rect, unit, layer, words: text.data });
    }
  }

  // -- two texts of a row -----------------------------------------------------------------------------------------------
  lines.sort((a, b) => a.top - b.top);
  for (const [n, a] of lines.entries())
    for (let m = n + 1; m < lines.length && lines[m].top < a.bottom; m += 1) {
      const b = lines[m];
      if (a.unit === b.unit || a.layer !== b.layer) continue;
      const down = Math.min(a.bottom, b.bottom) - b.top, gap = Math.max(a.left, b.left) - Math.min(a.right, b.right);
      if (down > 0.35 * Math.min(a.bottom - a.top, b.bottom - b.top) && gap < NEAR)
        say(`${gap.toFixed(1)} px from "${b.words.trim().slice(0, 40)}"`, a.words, a);
    }

  // -- what fields show ---------------------------------------------------------------------------------------------------
  const brush = document.createElement("canvas").getContext("2d");
  for (const field of document.querySelectorAll("input:not([type=range], [type=file], [type=radio], [type=checkbox]), select")) {
    if (!field.checkVisibility({ visibilityProperty: true }) || field.clientWidth < 8) continue;
    const { font, paddingLeft, paddingRight } = style(field);
    brush.font = font;
    const words = field.selectedOptions?.[0]?.text || field.value || field.placeholder || "";
    const room = field.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
    if (brush.measureText(words).width > room + ACROSS) say("wider than its field", words, field.getBoundingClientRect());
  }

  // -- rows of buttons that wrap ----------------------------------------------------------------------------------------------
  const items = (row) =>
    [...row.children].flatMap((one) => (style(one).display === "contents" ? items(one) : one.getClientRects().length ? [one] : []));
  for (const row of document.querySelectorAll(".steps, .steps .group, .foot-buttons, .tile-steps, .queue-foot")) {
    if (style(row).display !== "flex" || !row.checkVisibility()) continue;
    const rows = new Map();
    for (const one of items(row)) {
      const rect = one.getBoundingClientRect(), middle = Math.round((rect.top + rect.bottom) / 8);
      rows.set(middle, [...(rows.get(middle) || []), rect]);
    }
    const all = [...rows.values()], last = all.at(-1);
    if (all.length > 1 && last.length === 1 && all[0].length > 1 && last[0].width < 0.9 * row.clientWidth)
      say("alone in its line", row.textContent, last[0]);
  }
  return [...new Set(found)];
}
