/* Presets: the row above each form and its menu. A preset is loaded by the event `apply`, as the settings of a clip are.
   The dialogs are in preset_dialogs.js. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, $$, part, text } = studio;
  const { icons, titles } = window.wanPresets; // from ui/forms/script_tables.py
  const CURRENT = "wan-studio-preset", EXPECTED = "wan-studio-preset-default", CHANGED = "wan-studio-presets-changed";
  const MS = { wait: 4000, fresh: 10_000 };

  let ready, event;
  const hosted = new Promise((resolve) => (ready = resolve));
  let rows = []; // of the server: shipped ones and the visitor's own
  let at = -Infinity; // when they arrived
  let pending = null; // what is being loaded: {mode, id, name, left}
  const box = (mode) => $(`.preset[data-mode="${mode}"]`); // Gradio may have replaced it

  const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
  const row = (id) => rows.find((one) => one.id === id);
  const of = (mode) => rows.filter((one) => one.mode === mode);
  const byDefault = (mode) => of(mode).find((one) => one.default);
  const session = (value) => {
    try {
      if (value) sessionStorage.setItem(CURRENT, JSON.stringify(value));
      const found = JSON.parse(sessionStorage.getItem(CURRENT));
      return found && typeof found === "object" ? found : {};
    } catch {
      return {};
    }
  };
  const current = session(); // mode -> id of the preset that was loaded last
  const setCurrent = (mode, id) => {
    if (id) current[mode] = id;
    else delete current[mode];
    session(current);
    draw(mode);
  };

  // -- values --------------------------------------------------------------------------------------------------
  const list = (value) => {
    try {
      const found = JSON.parse(value || "[]");
      return found.map(({ name, strength = 1, strength_low = strength }) => [name, strength, strength_low]);
    } catch {
      return value;
    }
  };
  // An emptied number is null, or "" once its box was on the page; a list of LoRAs can be written in several ways.
  const plain = (name, value) => (name === "loras" ? list(value) : value === "" ? null : value);
  const differs = (mode, one) => {
    const now = studio.drafts.values(mode);
    return Object.entries(one.values).some(([name, value]) => !same(plain(name, value), plain(name, now[name])));
  };

  // -- calls of the server ---------------------------------------------------------------------------------------
  const call = async (name, about = {}) => {
    const { server } = await hosted;
    let answer;
    try {
      answer = await server[name]({ owner: studio.drafts.owner(), ...about });
    } catch {
      /* offline */
    }
    if (answer?.rows) take(answer.rows, name !== "presets");
    return answer || { said: text("failed") };
  };
  // own: this tab changed the presets. Other tabs are notified, and show a message if their default was deleted.
  const take = (found, own) => {
    const before = rows;
    const gone = before.find((one) => one.default && !found.some(({ id }) => id === one.id));
    if (own) window.wanStorage.setItem(CHANGED, String(Date.now()));
    else if (gone) studio.say(text("preset_default_gone", { name: gone.name }));
    // The initial values change; the current values of the form stay.
    studio.drafts.rebase(() => (rows = found));
    at = performance.now();
    if (rows.some((one) => one.default)) window.wanStorage.setItem(EXPECTED, "1");
    else window.wanStorage.removeItem(EXPECTED);
    if (same(before, rows)) return;
    Object.keys(titles).forEach(draw);
    const menu = $$(".preset .menu").find((one) => !one.hidden);
    if (menu) fill(menu.closest(".preset"));
  };
  const refresh = () => call("presets");
  addEventListener("storage", ({ key }) => key === CHANGED && refresh());

  // -- the row and its menu ----------------------------------------------------------------------------------------
  const set = (node, words) => node.textContent !== words && (node.textContent = words);
  const draw = (mode) => {
    const shown = box(mode);
    if (!shown) return;
    const one = row(current[mode]);
    const changed = Boolean(one) && pending?.mode !== mode && differs(mode, one);
    set($("strong", shown), one?.name || text("preset_none"));
    $("small", shown).hidden = !changed;
  };
  const item = (label, data, { note = "", symbol = "" } = {}) => {
    const made = part("button", "menu-item");
    Object.assign(made, { type: "button", tabIndex: -1 });
    made.setAttribute("role", "menuitem");
    Object.assign(made.dataset, data);
    made.innerHTML = icons[symbol] || icons.none;
    const words = part("span", "", label);
    words.dir = "auto";
    made.append(words);
    if (note) made.append(part("small", "", note));
    return made;
  };
  const group = (heading, inside) => {
    const made = part("span", "");
    made.setAttribute("role", "group");
    made.setAttribute("aria-label", heading);
    const head = part("span", "menu-head", heading);
    head.setAttribute("aria-hidden", "true");
    made.append(head, ...inside);
    return made;
  };
  const fill = (box) => {
    const { mode } = box.dataset, menu = $(".menu", box);
    const focused = menu.contains(document.activeElement) ? [...menu.querySelectorAll("[role=menuitem]")].indexOf(document.activeElement) : -1;
    const line = (one) =>
      item(one.name, { presetLoad: one.id }, { symbol: one.id === current[mode] ? "check" : "", note: one.default ? text("preset_is_default") : "" });
    const own = of(mode).filter((one) => !one.shipped), shipped = of(mode).filter((one) => one.shipped);
    const actions = part("span", "");
    actions.setAttribute("role", "group");
    actions.append(item(text("preset_save_as"), { preset: "save" }, { symbol: "save" }), item(text("preset_manage"), { preset: "manage" }, { symbol: "manage" }));
    menu.replaceChildren(
      ...(own.length ? [group(text("preset_own"), own.map(line))] : []),
      ...(shipped.length ? [group(text("preset_shipped"), shipped.map(line))] : []),
      actions,
    );
    if (focused >= 0) $$("[role=menuitem]", menu)[focused]?.focus();
  };
  // Runs before menu.js opens it.
  const opens = (happened) => {
    const button = happened.target.closest?.(".preset [data-menu]");
    if (!button || (happened.type === "keydown" && !["ArrowDown", "ArrowUp"].includes(happened.key))) return;
    fill(button.closest(".preset"));
    if (performance.now() - at > MS.fresh) refresh();
  };
  for (const kind of ["click", "keydown"]) document.addEventListener(kind, opens, true);

  // -- loading -----------------------------------------------------------------------------------------------------
  const load = (what, { mode, id = "", name = "", left = [] }) => {
    pending = { mode, id, name, left };
    event?.("apply", what);
  };
  // Settings that this version cannot use are reported at their fields.
  const sayLeftOut = ({ mode, name, left }) => {
    const fields = left.filter((field) => field in studio.drafts.values(mode));
    if (fields.some((field) => window.wanForms[mode].advanced.includes(field))) studio.openAdvanced(mode, true);
    for (const field of fields) {
      const end = performance.now() + MS.wait, id = `${mode}-${field}`;
      const look = () => {
        if (document.getElementById(id)) studio.sayAtField(id, text("preset_left_out", { name }));
        else if (performance.now() < end) setTimeout(look, 50);
      };
      look();
    }
  };
  const applied = () => {
    const done = pending;
    pending = null;
    if (!done) return;
    setCurrent(done.mode, done.id);
    sayLeftOut(done);
    if (done.id) refresh(); // it may have been deleted in another tab
  };

  // -- clicks ----------------------------------------------------------------------------------------------------------
  document.addEventListener("click", ({ target }) => {
    const pressed = target.closest?.(".preset [data-preset], .preset [data-preset-load]");
    if (!pressed) return;
    const box = pressed.closest(".preset"), { mode } = box.dataset;
    const from = pressed.matches(".preset-save") ? pressed : $("[data-menu]", box);
    const { preset, presetLoad } = pressed.dataset;
    if (preset === "save") studio.presets.saving(mode, from);
    if (preset === "manage") studio.presets.managing(mode, from);
    const one = row(presetLoad);
    if (one) load({ id: one.id }, one);
  });

  studio.presets = {
    host: ({ trigger, server }) => {
      event = trigger;
      ready({ server });
    },
    row: ({ element }) => {
      draw($(".preset", element).dataset.mode);
    },
    // Before the forms are filled: loads the initial values of a new form if a preset sets any.
    ready: async () => {
      if (window.wanStorage.getItem(EXPECTED) || Object.keys(current).length)
        await Promise.race([refresh(), new Promise((resolve) => setTimeout(resolve, MS.wait))]);
    },
    // mode -> the values of its default preset.
    base: (mode) => byDefault(mode)?.values || {},
    begun: (mode) => setCurrent(mode, byDefault(mode)?.id),
    changed: draw,
    applied,
    // Used by the dialogs.
    call, refresh, row, of, load, setCurrent,
    current: (mode) => row(current[mode]),
  };
})();
