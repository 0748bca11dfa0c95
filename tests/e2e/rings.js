/* Stops of the Tab key without a focus ring, or with one that is cut off or hardly differs from what is behind it. The
   last key before must have been Tab. Returns a list of findings. */
() => {
  const found = [];
  const STOPS = "button, a[href], input, select, textarea, summary, [tabindex]";
  const channels = (colour) => (colour.match(/[\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((one) => (one / 255 <= 0.04045 ? one / 3294.6 : ((one / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (node) => {
    for (let one = node; one; one = one.parentElement) {
      const colour = channels(getComputedStyle(one).backgroundColor);
      if (colour.length === 3 || colour[3] > 0.5) return colour;
    }
    return [255, 255, 255];
  };
  for (const stop of document.querySelectorAll(`.gradio-container :is(${STOPS})`)) {
    const seen = stop.checkVisibility({ visibilityProperty: true }) && stop.getClientRects().length;
    if (!seen || stop.disabled || stop.tabIndex < 0 || stop.closest(".sr")) continue;
    stop.focus();
    stop.scrollIntoView({ block: "nearest", inline: "nearest" }); // what is half out of a strip is measured in full
    if (document.activeElement !== stop) continue;
    const target = stop.type === "radio" ? stop.closest("label") : stop;
    const { outlineStyle, outlineWidth, outlineOffset, outlineColor } = getComputedStyle(target);
    const name = `${target.tagName.toLowerCase()} "${(stop.ariaLabel || target.textContent || stop.id || target.className).trim().slice(0, 40)}"`;
    if (outlineStyle === "none" || parseFloat(outlineWidth) < 2) {
      found.push(`no ring: ${name}`);
      continue;
    }
    const wide = parseFloat(outlineOffset) + parseFloat(outlineWidth), rect = target.getBoundingClientRect();
    const ring = { left: rect.left - wide, top: rect.top - wide, right: rect.right + wide, bottom: rect.bottom + wide };
    for (let one = target.parentElement; one && one !== document.body; one = one.parentElement) {
      const { overflowX, overflowY, position } = getComputedStyle(one);
      const { left, top } = one.getBoundingClientRect(), [x, y] = [left + one.clientLeft, top + one.clientTop];
      const across = Math.max(x - ring.left, ring.right - x - one.clientWidth);
      const down = Math.max(y - ring.top, ring.bottom - y - one.clientHeight);
      if ((overflowX !== "visible" && across > 0.6) || (overflowY !== "visible" && down > 0.6)) {
        found.push(`ring cut off by ${one.className || one.tagName}: ${name}`);
        break;
      }
      if (position === "fixed") break;
    }
    if (stop.closest(".stage, .image-container")) continue; // over a picture
    const [one, other] = [light(channels(outlineColor)), light(behind(wide > 0 ? target.parentElement : target))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 3) found.push(`ring of ${contrast.toFixed(1)}:1: ${name}`);
  }
  document.activeElement?.blur?.();
  return [...new Set(found)];
}
