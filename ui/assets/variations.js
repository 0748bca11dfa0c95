/* How many videos a form makes, beside Generate, and what they differ in, above it. Both are edited as JSON in a text
   field of the form: ui/forms/variations.py has its shape. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, $$, part, text } = studio;
  const MOST = 9;
  const forms = window.wanForms; // from ui/forms/script_tables.py
  const blockOf = (mode) => document.getElementById(`${mode}-variations`);
  const areaOf = (mode) => $("textarea, input[type=text]", blockOf(mode) || document.createElement("i"));
  const modeOf = (node) => {
    const box = node.closest(".vary-count, .ws-variations");
    return box?.dataset.mode || box?.id.replace(/-variations$/, "");
  };
  const fieldOf = (mode, name) => forms[mode].varied.find((one) => one.name === name);
  const make = (name, properties = {}, data = {}) => {
    const node = Object.assign(document.createElement(name), properties);
    Object.assign(node.dataset, data);
    return node;
  };

  // -- the value of the form -------------------------------------------------------------------------------------
  const states = {}; // mode -> {count, vary, values: {name: [...]}, lora, draft}
  const written = {}; // mode -> what this script wrote last, which it shows already
  const early = {}; // mode -> a value that came before the field was on the page
  const read = (mode, value) => {
    const state = { count: 1, vary: "", values: {}, lora: "", draft: true };
    try {
      const found = JSON.parse(value || "{}");
      if (Number.isInteger(found.count) && found.count >= 1 && found.count <= MOST) state.count = found.count;
      if (fieldOf(mode, found.vary)) state.vary = found.vary;
      for (const [name, list] of Object.entries(found.values || {}))
        if (fieldOf(mode, name) && Array.isArray(list)) state.values[name] = list.slice(0, MOST);
      if (typeof found.lora === "string") state.lora = found.lora;
      state.draft = found.draft !== false;
    } catch {
      /* a text of another version counts as one video */
    }
    return state;
  };
  const isPlain = ({ count, vary, values, draft }) => count === 1 && !vary && draft && !Object.keys(values).length;
  const write = (mode) => {
    const state = states[mode], area = areaOf(mode);
    if (!area) return;
    area.value = written[mode] = isPlain(state) ? "" : JSON.stringify(state);
    area.dispatchEvent(new Event("input", { bubbles: true }));
    studio.label();
  };

  // -- values to begin with ----------------------------------------------------------------------------------------
  // The value of a field of the form; undefined while its part of Advanced is not built.
  const present = (mode, name) => {
    const block = document.getElementById(`${mode}-${name}`);
    const chosen = block && $('input[type="radio"]:checked', block);
    if (chosen) return chosen.value;
    const typed = block && $("textarea, input[type=number]", block);
    return typed ? typed.value : undefined;
  };
  const figure = (value) => (value === "" || value === undefined || Number.isNaN(Number(value)) ? null : Number(value));
  const added = (mode, field, list) => {
    if (field.kind === "text") return list.length ? "" : present(mode, field.name) || "";
    const left = field.compared.find((one) => !list.includes(one));
    return left === undefined ? null : left;
  };
  // One value for each video; numbers that were not typed ascend.
  const filled = (mode, count) => {
    const state = states[mode], field = fieldOf(mode, state.vary);
    if (!field) return;
    const list = state.values[field.name] || [];
    if (field.kind === "choice") {
      const all = field.options.map(([value]) => value), now = present(mode, field.name);
      const order = [...new Set([...list, ...(all.includes(now) ? [now] : []), ...all])].slice(0, Math.min(count, all.length));
      state.values[field.name] = all.filter((value) => order.includes(value));
      state.count = Math.max(2, state.values[field.name].length);
      return;
    }
    const fresh = !list.length;
    const next = list.slice(0, count);
    while (next.length < count) next.push(added(mode, field, next));
    if (fresh && field.kind !== "text") next.sort((a, b) => a - b);
    state.values[field.name] = next;
  };

  // -- drawing -------------------------------------------------------------------------------------------------------
  const many = (mode, count) => text(forms[mode].makes === "picture" ? "vary_pictures" : "vary_videos", { count });
  const single = (mode) => text(forms[mode].makes === "picture" ? "vary_picture" : "vary_video");
  const options = (select, entries, chosen) => {
    const shown = JSON.stringify(entries);
    if (select.dataset.shown !== shown) {
      select.replaceChildren(...entries.map(([value, label]) => make("option", { value, textContent: label })));
      select.dataset.shown = shown;
    }
    if (select.value !== String(chosen)) select.value = String(chosen);
  };
  const chooser = (label, data, seen = true) => {
    const box = part("label", "vary-choose");
    const select = make("select", {}, data);
    box.append(part("span", seen ? "label" : "sr", label), select);
    return box;
  };
  const listOf = (mode, field) => states[mode].values[field.name] || [];
  const choices = (mode, field) => {
    const list = listOf(mode, field), notes = forms[mode].notes[field.name] || {};
    return field.options.map(([value, label]) => {
      const row = part("label", "vary-check"), words = part("span", "");
      words.append(part("b", "", label));
      if (notes[value]) words.append(part("small", "", notes[value]));
      row.append(make("input", { type: "checkbox", checked: list.includes(value), value }, { value }), words);
      return row;
    });
  };
  const numbers = (mode, field) => {
    const row = part("div", "vary-numbers");
    for (const [at, value] of listOf(mode, field).entries()) {
      const input = make("input", { type: "number", min: field.zero ? 0 : field.low, max: field.high, step: field.step, value: value ?? "", inputMode: "decimal" }, { at });
      input.setAttribute("aria-label", text("vary_value", { label: field.label, number: at + 1 }));
      row.append(input);
    }
    const note = text(field.zero ? "vary_limits_zero" : "vary_limits", { low: field.low, high: field.high });
    return [row, part("p", "note", note)];
  };
  const sentences = (mode, field) => [
    ...listOf(mode, field).map((value, at) => {
      const area = make("textarea", { rows: 2, value, dir: "auto" }, { at });
      area.setAttribute("aria-label", text("vary_value", { label: field.label, number: at + 1 }));
      area.placeholder = text("vary_value", { label: field.label, number: at + 1 });
      return area;
    }),
    part("p", "note", text("vary_sentences")),
  ];
  const loras = (mode, field) => {
    const area = $(`#${mode}-loras :is(textarea, input[type=text])`);
    let rows = [];
    try {
      rows = JSON.parse(area?.value || "[]").map((one) => (typeof one === "string" ? one : one.name));
    } catch {
      /* the list shows the problem */
    }
    if (!rows.length) {
      const open = make("button", { type: "button", className: "link", textContent: text("vary_add_lora") }, { add: "lora" });
      const said = part("p", "note", `${text("vary_no_lora")} `);
      said.append(open);
      return [said];
    }
    const found = [];
    if (rows.length > 1) {
      const which = chooser(text("vary_which_lora"), { lora: "" });
      options($("select", which), rows.map((name) => [name, name.split(/[/\\]/).pop()]), rows.includes(states[mode].lora) ? states[mode].lora : rows[0]);
      found.push(which);
    }
    return [...found, ...numbers(mode, field)];
  };
  const KINDS = { choice: choices, text: sentences, loras };
  const values = (mode) => {
    const field = fieldOf(mode, states[mode].vary);
    if (!field) return [part("p", "note", text("vary_seeds"))];
    return (KINDS[field.kind] || numbers)(mode, field);
  };

  const draw = (mode) => {
    const state = states[mode], block = blockOf(mode), box = block && $(".vary-box", block);
    const count = $(`.vary-count[data-mode="${mode}"] select`);
    if (!box || !count) return;
    const field = fieldOf(mode, state.vary);
    const most = field?.kind === "choice" ? Math.min(MOST, field.options.length) : MOST;
    const entries = Array.from({ length: most }, (_, n) => [n + 1, n ? many(mode, n + 1) : single(mode)]);
    options(count, entries, state.count);
    block.toggleAttribute("data-open", state.count > 1);
    box.hidden = state.count === 1;
    $(`#${mode}-generate`)?.toggleAttribute("data-many", state.count > 1);
    const vary = [["", text("vary_seed")], ...forms[mode].varied.map((one) => [one.name, one.label])];
    options($("select[data-vary]", box), vary, state.vary);
    const held = document.activeElement?.closest?.(".vary-values") && document.activeElement.dataset;
    const at = held && { ...held };
    $(".vary-values", box).replaceChildren(...values(mode));
    if (at) $(`.vary-values ${at.at !== undefined ? `[data-at="${at.at}"]` : `[data-value="${CSS.escape(at.value || "")}"]`}`, box)?.focus({ preventScroll: true });
    const draft = $(".vary-draft", box);
    draft.hidden = !forms[mode].drafts;
    $("input", draft).checked = state.draft;
    studio.label();
  };

  // -- building: the number beside Generate, the rest in the block of the field ------------------------------------
  const build = (block) => {
    const mode = block.id.replace(/-variations$/, ""), button = document.getElementById(`${mode}-generate`);
    if (!button || !forms[mode]) return;
    const count = chooser(text("vary_count"), { count: "" }, false);
    count.classList.add("vary-count");
    count.dataset.mode = mode;
    $("select", count).id = `${mode}-count`;
    button.after(count);
    const box = part("fieldset", "vary-box"), draft = part("label", "vary-check vary-draft"), words = part("span", "");
    box.append(part("legend", "sr", text("vary_heading")));
    words.append(part("b", "", text("vary_draft")), part("small", "", text("vary_draft_note")));
    draft.append(make("input", { type: "checkbox" }, { small: "" }), words);
    box.append(chooser(text("vary_what"), { vary: "", control: "" }), part("div", "vary-values"), draft);
    block.append(box);
    written[mode] = early[mode] ?? areaOf(mode).value;
    states[mode] = read(mode, written[mode]);
    draw(mode);
  };

  // -- events ----------------------------------------------------------------------------------------------------------
  const setCount = (mode, count) => {
    states[mode].count = count;
    if (count > 1) filled(mode, count);
    write(mode);
    draw(mode);
    if (count > 1) requestAnimationFrame(() => $(".vary-box", blockOf(mode))?.scrollIntoView({ block: "nearest", behavior: studio.still() ? "auto" : "smooth" }));
  };
  document.addEventListener("change", ({ target }) => {
    const mode = target.closest?.(".vary-count, .vary-box") && modeOf(target);
    if (!mode) return;
    const state = states[mode];
    if ("count" in target.dataset) return setCount(mode, Number(target.value));
    if ("small" in target.dataset) state.draft = target.checked;
    else if ("lora" in target.dataset) state.lora = target.value;
    else if ("vary" in target.dataset) {
      state.vary = target.value;
      filled(mode, state.values[state.vary]?.length >= 2 ? state.values[state.vary].length : state.count);
      if (state.vary && fieldOf(mode, state.vary).kind !== "choice") state.count = state.values[state.vary].length;
      if (state.vary === "loras") openAdvanced(mode);
    } else if (target.type === "checkbox") {
      const field = fieldOf(mode, state.vary), all = field.options.map(([value]) => value);
      const ticked = $$("input:checked", target.closest(".vary-values")).map((one) => one.value);
      state.values[field.name] = all.filter((value) => ticked.includes(value));
      state.count = Math.min(MOST, Math.max(2, state.values[field.name].length));
    } else return;
    write(mode);
    draw(mode);
  });
  const openAdvanced = (mode) => studio.buildAdvanced?.(mode); // the list of LoRAs exists once it is built
  document.addEventListener("input", ({ target }) => {
    const mode = target.closest?.(".vary-values") && modeOf(target);
    if (mode && "at" in target.dataset) {
      const state = states[mode], list = state.values[state.vary];
      list[Number(target.dataset.at)] = target.tagName === "TEXTAREA" ? target.value : figure(target.value);
      return write(mode);
    }
    const changed = target.closest?.(".ws-loras[id]")?.id.replace(/-loras$/, "");
    if (changed && states[changed]?.vary === "loras") draw(changed);
  });
  // Several lines that are pasted into one prompt become several prompts.
  document.addEventListener("paste", (event) => {
    const area = event.target.closest?.(".vary-values textarea");
    const lines = (area && event.clipboardData?.getData("text") || "").split(/\r?\n/).map((line) => line.trim()).filter(Boolean);
    if (lines.length < 2) return;
    event.preventDefault();
    const mode = modeOf(area), state = states[mode], list = state.values[state.vary], at = Number(area.dataset.at);
    lines.slice(0, MOST - at).forEach((line, n) => (list[at + n] = line));
    state.count = list.length;
    write(mode);
    draw(mode);
  });
  document.addEventListener("click", (event) => {
    const add = event.target.closest?.('.vary-values [data-add="lora"]');
    if (!add) return;
    const mode = modeOf(add);
    studio.openAdvanced(mode, true);
    setTimeout(() => {
      const button = $(`#${mode}-loras [data-act=add]`);
      button?.scrollIntoView({ block: "center" });
      button?.click();
    }, 60);
  });

  studio.variations = {
    dress: () => $$(".ws-variations[id]:not(:has(> .vary-box))").filter((block) => $("textarea, input", block)).forEach(build),
    // The form was filled: by a job's settings, a draft, or Clear.
    show: (mode, value) => {
      if (!states[mode]) early[mode] = value || "";
      if (!states[mode] || (value || "") === written[mode]) return;
      written[mode] = value || "";
      states[mode] = read(mode, value);
      if (states[mode].vary === "loras") openAdvanced(mode);
      requestAnimationFrame(() => draw(mode)); // the event can precede the field's own update
    },
    // The label of Generate; "" for one video.
    words: (mode, busy) => {
      const state = states[mode], count = state?.count || 1;
      if (count === 1) return "";
      const { drafts, makes } = forms[mode];
      if (state.draft && drafts) return text(busy ? "vary_add_drafts" : "vary_make_drafts", { count });
      if (makes === "picture") return text(busy ? "vary_add_pictures" : "vary_make_pictures", { count });
      return text(busy ? "vary_add_videos" : "vary_make_videos", { count });
    },
  };
})();
