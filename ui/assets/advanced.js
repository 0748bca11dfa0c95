/* Advanced: its row opens it, its content is built when it is needed; headings of its parts, the seed's button. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, $$, part } = studio;
  const { titles, notes, dice } = window.wanAdvanced; // from ui/forms/script_tables.py
  const BODY = ".ws-advanced-body";

  // -- opening ------------------------------------------------------------------------------------------
  studio.openAdvanced = (mode, open) => {
    document.getElementById(`${mode}-advanced`)?.toggleAttribute("data-open", open);
    $(`[aria-controls="${mode}-advanced"]`)?.setAttribute("aria-expanded", String(open));
  };
  const modeOf = (button) => button.getAttribute("aria-controls").replace("-advanced", "");
  studio.advanced = ({ element, watch }) => {
    // A new summary replaces the button: the state of the drawer is kept.
    watch("value", () => {
      const mode = modeOf($("button", element));
      studio.openAdvanced(mode, document.getElementById(`${mode}-advanced`)?.hasAttribute("data-open"));
    });
  };
  document.addEventListener("click", (event) => {
    const row = event.target.closest?.("button.advanced");
    if (row) studio.openAdvanced(modeOf(row), row.getAttribute("aria-expanded") !== "true");
  });

  // Gradio builds the content of a closed accordion when the accordion's own button, which is hidden, is pressed.
  const built = new WeakSet();
  const build = (body) => {
    const button = $(":scope > .label-wrap", body);
    if (!button || built.has(body)) return;
    built.add(body);
    if (!button.classList.contains("open")) button.click();
  };
  new MutationObserver(() => $$(`${BODY}[data-open]`).forEach(build)).observe(document.body, {
    subtree: true, attributes: true, attributeFilter: ["data-open"],
  });
  // Also without being opened, once it holds a value that is not the initial one; at once, or with its tab.
  const wanted = new Set();
  const buildWanted = () => {
    for (const mode of wanted) {
      const body = document.getElementById(`${mode}-advanced`);
      if (body) build(body);
    }
  };
  studio.buildAdvanced = (mode) => {
    wanted.add(mode);
    buildWanted();
  };

  // -- new elements: headings, and the button that draws another seed ------------------------------------------
  const another = (field) => {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "dice", title: dice.label });
    button.setAttribute("aria-label", dice.label);
    button.dataset.dice = field;
    button.innerHTML = dice.icon;
    return button;
  };
  studio.dressAdvanced = () => {
    buildWanted();
    for (const group of $$(".ws-group:not(:has(> .group-title))")) {
      const name = group.id.split("-group-")[1];
      const parts = [part("h3", "group-title", titles[name])];
      if (notes[name]) parts.push(part("p", "note ws-note", notes[name]));
      group.prepend(...parts);
    }
    for (const block of $$(".ws-seed:not(:has(> .dice))")) block.append(another(block.id));
    studio.loras?.dress();
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-dice]");
    if (!button) return;
    const input = $(`#${button.dataset.dice} input`);
    input.value = Math.floor(Math.random() * 1e9);
    for (const kind of ["input", "blur"]) input.dispatchEvent(new Event(kind, { bubbles: true }));
  });
})();
