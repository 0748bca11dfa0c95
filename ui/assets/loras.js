/* The creator's own LoRAs: the list in Advanced, with a search. The list is edited as JSON in a text field of the form. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, $$, part, text } = studio;
  const { most, strength, icons } = window.wanLoras; // from ui/forms/script_tables.py
  const PAUSE = 200; // ms without a key
  const PICTURES = 12; // in one request

  const host = {};
  host.ready = new Promise((resolve) => (host.found = resolve));
  const known = new Map(); // name -> row of the server
  const pictures = new Map(); // name -> data address, "" for none
  const call = async (name, asked) => {
    const server = await host.ready;
    try {
      return await server[name](asked);
    } catch {
      return {}; // offline: the list itself stays
    }
  };
  const experts = (mode) => window.wanForms[mode].experts;
  const blockOf = (mode) => document.getElementById(`${mode}-loras`);
  const modeOf = (node) => node.closest(".ws-loras").id.replace(/-loras$/, "");
  const areaOf = (mode) => $("textarea, input[type=text]", blockOf(mode));
  const button = (className, label, icon = "") => {
    const made = Object.assign(part("button", className), { type: "button" });
    if (icon) {
      made.innerHTML = icons[icon];
      made.setAttribute("aria-label", label);
      made.title = label;
    } else made.textContent = label;
    return made;
  };
  const shortName = (name) => name.split(/[/\\]/).pop().replace(/\.[a-z]+$/i, "");
  const titleOf = (name) => known.get(name)?.title || shortName(name);

  // -- the value of the form ------------------------------------------------------------------------------------
  // null: a text that is not a list; an API client may have stored it.
  const read = (value) => {
    if (!value) return [];
    try {
      const found = JSON.parse(value);
      if (!Array.isArray(found)) return null;
      const rows = found.map((one) => (typeof one === "string" ? { name: one } : one));
      return rows.every((one) => typeof one?.name === "string") ? rows : null;
    } catch {
      return null;
    }
  };
  const listOf = (mode) => read(areaOf(mode)?.value);
  const written = {}; // mode -> what this script wrote last, which it shows already
  const write = (mode, rows) => {
    const area = areaOf(mode);
    area.value = written[mode] = rows.length ? JSON.stringify(rows) : "";
    area.dispatchEvent(new Event("input", { bubbles: true }));
  };

  // -- pictures and rows of the server ------------------------------------------------------------------------
  const frame = (name) => {
    const box = part("span", "lora-picture");
    box.dataset.picture = name;
    box.innerHTML = icons.none;
    return box;
  };
  const place = (box) => {
    const address = pictures.get(box.dataset.picture);
    if (!address || $("img", box)) return;
    box.replaceChildren(Object.assign(document.createElement("img"), { src: address, alt: "" }));
  };
  const load = async (from) => {
    const wanted = $$("[data-picture]", from).map((box) => box.dataset.picture);
    const names = [...new Set(wanted)].filter((name) => !pictures.has(name));
    for (let at = 0; at < names.length; at += PICTURES) {
      const some = names.slice(at, at + PICTURES);
      const found = await call("pictures", { names: some });
      for (const name of some) pictures.set(name, found[name] || "");
    }
    $$("[data-picture]", from).forEach(place);
  };
  const learn = (rows) => {
    for (const row of rows || []) {
      known.set(row.name, row);
      if (row.partner && !known.has(row.partner)) known.set(row.partner, row);
    }
  };

  // -- the chosen ones ------------------------------------------------------------------------------------------
  const number = (mode, at, key, label, value, name) => {
    const box = part("label", "lora-strength");
    const input = Object.assign(document.createElement("input"), { type: "number", step: "0.05", min: -strength, max: strength, value });
    Object.assign(input.dataset, { at, key });
    input.setAttribute("aria-label", text("lora_strength_of", { label, name }));
    box.append(part("span", "", label), input);
    return box;
  };
  const entry = (mode, one, at, count) => {
    const row = part("li", "lora"), about = part("div", "lora-about"), tools = part("div", "lora-tools");
    const facts = known.get(one.name), name = titleOf(one.name);
    about.append(part("strong", "", name), part("small", "", [one.name, pairOf(facts)].filter(Boolean).join(" · ")));
    for (const [act, label] of [["earlier", text("lora_earlier", { name })], ["later", text("lora_later", { name })], ["remove", text("lora_remove", { name })]]) {
      const made = button("lora-tool", label, act);
      Object.assign(made.dataset, { act, at });
      made.disabled = (act === "earlier" && !at) || (act === "later" && at === count - 1);
      tools.append(made);
    }
    const figures = part("div", "lora-strengths");
    const first = one.strength ?? 1;
    if (experts(mode)) {
      figures.append(number(mode, at, "strength", text("lora_high"), first, name));
      figures.append(number(mode, at, "strength_low", text("lora_low"), one.strength_low ?? first, name));
    } else figures.append(number(mode, at, "strength", text("lora_strength"), first, name));
    row.append(frame(one.name), about, tools, figures);
    if (facts?.words?.length) {
      const words = part("div", "lora-words");
      words.setAttribute("role", "group");
      words.setAttribute("aria-label", text("lora_words", { name }));
      for (const word of facts.words) {
        const chip = button("chip", word);
        chip.dataset.word = word;
        words.append(chip);
      }
      row.append(words);
    }
    return row;
  };
  const pairOf = (row) => {
    if (!row) return "";
    if (row.partner) return text("lora_pair");
    return { high: text("lora_expert_high"), low: text("lora_expert_low") }[row.expert] || "";
  };
  const draw = (mode) => {
    const box = $(".lora-box", blockOf(mode));
    const rows = listOf(mode);
    const list = $(".lora-list", box), add = $("[data-act=add]", box);
    const shown = document.activeElement?.closest?.(".lora-list") === list ? document.activeElement.dataset : null;
    if (rows) list.replaceChildren(...rows.map((one, at) => entry(mode, one, at, rows.length)));
    else {
      const row = part("li", "lora broken", text("lora_broken"));
      const clear = button("link", text("lora_clear"));
      clear.dataset.act = "clear";
      row.append(clear);
      list.replaceChildren(row);
    }
    add.disabled = !rows || rows.length >= most;
    if (shown) {
      const same = shown.key ? `[data-at="${shown.at}"][data-key="${shown.key}"]` : `[data-at="${shown.at}"][data-act="${shown.act}"]`;
      ($(same, list) || add).focus?.({ preventScroll: true });
    }
    load(list);
  };
  const inform = async (mode) => {
    const names = (listOf(mode) || []).map((one) => one.name).filter((name) => !known.has(name));
    if (!names.length) return;
    learn((await call("find", { mode, names })).rows);
    draw(mode);
  };

  // -- the search -------------------------------------------------------------------------------------------------
  const option = (row) => {
    const item = part("li", ""), made = button("lora-option", "");
    const about = part("span", "lora-about");
    const facts = [row.name, pairOf(row)].filter(Boolean).join(" · ");
    about.append(part("strong", "", row.title), part("small", "", facts));
    if (row.obstacle || row.note) about.append(part("small", "lora-note", row.obstacle || row.note));
    made.dataset.use = row.name;
    if (row.obstacle) made.dataset.unfit = "";
    made.append(frame(row.name), about);
    item.append(made);
    return item;
  };
  const turns = {};
  const search = async (mode) => {
    const box = $(".lora-box", blockOf(mode));
    const turn = (turns[mode] = (turns[mode] || 0) + 1);
    const words = $("input[type=search]", box).value;
    const found = await call("find", { mode, search: words });
    if (turn !== turns[mode] || !found.rows) return;
    learn(found.rows);
    const chosen = new Set((listOf(mode) || []).map((one) => one.name));
    const rows = found.rows.filter((row) => !chosen.has(row.name));
    const more = found.count - found.rows.length;
    $(".lora-found", box).replaceChildren(...rows.map(option));
    const said = !found.listed ? text("lora_unlisted") : !found.count ? text(words ? "lora_none" : "lora_empty") : more > 0 ? text("lora_more", { count: more }) : "";
    $(".lora-panel .note", box).textContent = said;
    box.dataset.free = found.listed ? "" : "1";
    load($(".lora-found", box));
  };
  const open = (mode, yes) => {
    const box = $(".lora-box", blockOf(mode));
    $(".lora-panel", box).hidden = !yes;
    $("[data-act=add]", box).setAttribute("aria-expanded", String(yes));
    if (!yes) return;
    search(mode);
    if (!matchMedia("(hover: none)").matches) $("input[type=search]", box).focus({ preventScroll: true });
  };
  const use = (mode, name) => {
    const rows = listOf(mode);
    if (!rows || rows.length >= most || !name || rows.some((one) => one.name === name)) return;
    const added = { name, strength: 1 };
    if (experts(mode)) added.strength_low = 1;
    write(mode, [...rows, added]);
    open(mode, false);
    draw(mode);
    $("[data-act=add]", blockOf(mode)).focus({ preventScroll: true });
  };

  const build = (block) => {
    const mode = block.id.replace(/-loras$/, "");
    const box = part("div", "lora-box"), panel = part("div", "lora-panel");
    const add = button("lora-add", text("lora_add"));
    const field = Object.assign(document.createElement("input"), { type: "search", autocomplete: "off", placeholder: text("lora_search") });
    field.setAttribute("aria-label", text("lora_search"));
    panel.id = `${mode}-lora-panel`;
    panel.hidden = true;
    Object.assign(add.dataset, { act: "add", control: "" });
    add.setAttribute("aria-expanded", "false");
    add.setAttribute("aria-controls", panel.id);
    const note = part("p", "note");
    note.setAttribute("role", "status");
    panel.append(field, part("ul", "lora-found"), note);
    box.append(part("ul", "lora-list"), add, panel);
    block.append(box);
    written[mode] = areaOf(mode).value;
    draw(mode);
    inform(mode);
  };

  // -- events -------------------------------------------------------------------------------------------------------
  const move = (mode, act, at) => {
    const rows = listOf(mode);
    if (act === "clear") rows?.splice(0);
    else if (act === "remove") rows.splice(at, 1);
    else rows.splice(act === "earlier" ? at - 1 : at + 1, 0, ...rows.splice(at, 1));
    write(mode, rows || []);
    draw(mode);
  };
  document.addEventListener("click", (event) => {
    const pressed = event.target.closest?.(".lora-box button");
    if (!pressed) return;
    const mode = modeOf(pressed);
    const { act, at, word, use: name } = pressed.dataset;
    if (act === "add") open(mode, pressed.getAttribute("aria-expanded") !== "true");
    else if (act) move(mode, act, Number(at));
    if (word) studio.addWords(mode, word);
    if (name) use(mode, name);
  });
  const typing = {};
  document.addEventListener("input", (event) => {
    const field = event.target.closest?.(".lora-box input");
    if (!field) return;
    const mode = modeOf(field);
    if (field.type === "search") {
      clearTimeout(typing[mode]);
      typing[mode] = setTimeout(search, PAUSE, mode);
      return;
    }
    const rows = listOf(mode), value = field.valueAsNumber;
    if (!rows || Number.isNaN(value)) return;
    rows[Number(field.dataset.at)][field.dataset.key] = value;
    write(mode, rows);
  });
  document.addEventListener("focusout", (event) => {
    const field = event.target.closest?.(".lora-strength input");
    if (field && Number.isNaN(field.valueAsNumber)) draw(modeOf(field)); // an emptied number keeps its value
  });
  document.addEventListener("keydown", (event) => {
    const box = event.target.closest?.(".lora-panel");
    if (!box) return;
    const mode = modeOf(box);
    if (event.key === "Escape") {
      open(mode, false);
      $("[data-act=add]", blockOf(mode)).focus();
    }
    if (event.key !== "Enter" || event.ctrlKey || event.metaKey || event.target.type !== "search") return;
    event.preventDefault();
    if (box.closest(".lora-box").dataset.free) use(mode, event.target.value.trim());
    else $(".lora-option", box)?.focus();
  });

  studio.loras = {
    host: host.found,
    dress: () => $$(".ws-loras[id]:not(:has(> .lora-box))").filter((block) => $("textarea, input", block)).forEach(build),
    // The form was filled: by a job's settings, a draft, or Clear.
    show: (mode, value) => {
      if (!$(".lora-box", blockOf(mode) || document.createElement("i")) || (value || "") === written[mode]) return;
      written[mode] = value || "";
      // The event can precede the field's own update.
      requestAnimationFrame(() => {
        draw(mode);
        inform(mode);
      });
    },
  };
})();
