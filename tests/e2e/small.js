/* Buttons, links and fields that are smaller than a fingertip, in pixels; fields in small type. Returns a list of findings. */
(least = 40) => {
  const found = [];
  const SET_BY = "input[type=radio], input[type=file], input[type=checkbox]"; // their labels are the targets
  const ALL = "button, a[href], select, summary, input, textarea, [role=slider]";
  for (const node of document.querySelectorAll(ALL)) {
    if (node.matches(SET_BY) || node.closest(".sr")) continue;
    if (!node.checkVisibility({ visibilityProperty: true })) continue;
    const box = node.getBoundingClientRect();
    if (box.width <= 1 || box.right < 0) continue;
    if (box.width < least || box.height < least)
      found.push(`${Math.round(box.width)}x${Math.round(box.height)} ${node.outerHTML.slice(0, 90)}`);
  }
  const TYPED = "select, textarea, input:not([type=range], [type=radio], [type=file], [type=checkbox])";
  for (const node of document.querySelectorAll(TYPED)) {
    const size = parseFloat(getComputedStyle(node).fontSize);
    if (node.checkVisibility({ visibilityProperty: true }) && !node.closest(".sr") && size < 16)
      found.push(`${size} px, iPhones zoom in: ${node.outerHTML.slice(0, 90)}`);
  }
  for (const label of document.querySelectorAll(".ws-seg label")) {
    const box = label.getBoundingClientRect();
    if (box.width && box.height < least) found.push(`${Math.round(box.height)} ${label.textContent}`);
  }
  return found;
}
