/* The dialogs of presets: to save one, to manage those of a mode, and to take one that was passed on by a link or a
   file. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, $$, part, text } = studio;
  const { icons, titles } = window.wanPresets; // from ui/forms/script_tables.py
  const { call, refresh, row, of, load, setCurrent, current } = studio.presets;
  const NAME_MAX = 60, FILE_MAX = 100_000, LINK_MAX = 4000;
  const FILE = /[.]wanpreset[.]json$/i;
  const fresh = () => [...crypto.getRandomValues(new Uint8Array(16))].map((n) => n.toString(16).padStart(2, "0")).join("");

  // -- parts of them ----------------------------------------------------------------------------------------------
  const button = (label, { kind = "", act, symbol = "", tip = "" } = {}) => {
    const made = part("button", `btn ${kind}`.trim());
    made.type = "button";
    if (symbol) made.innerHTML = icons[symbol];
    if (symbol && !label) {
      made.title = tip;
      made.setAttribute("aria-label", tip);
    } else made.append(part("span", "", label));
    made.addEventListener("click", act);
    return made;
  };
  // As the server stores a name: without spaces at its ends, and one between words.
  const oneLine = (name) => name.trim().replace(/\s+/g, " ");
  const field = (label, control, name) => {
    const box = part("div", "dialog-field"), title = part("label", "", label);
    control.id = `ws-preset-${name}`;
    title.htmlFor = control.id;
    box.dataset.field = name;
    box.append(title, control);
    return box;
  };
  const check = (label, note = "") => {
    const box = part("label", "preset-check"), control = Object.assign(document.createElement("input"), { type: "checkbox" });
    const words = part("span", "", label);
    if (note) words.append(part("small", "", note));
    box.append(control, words);
    return [box, control];
  };
  const foot = (dialog, ...buttons) => {
    $$(":scope > .btn", dialog.foot).forEach((one) => one.remove());
    dialog.foot.append(...buttons);
    dialog.said("");
  };
  const link = (words) => {
    const url = new URL(location.origin + location.pathname);
    url.searchParams.set("preset", words);
    return url.href;
  };

  // -- saving --------------------------------------------------------------------------------------------------------
  const saveDialog = (mode, from) => {
    const dialog = studio.dialog.make({ name: "preset-save", heading: text("preset_save_title", { mode: titles[mode] }) });
    const now = current(mode);
    const own = now && !now.shipped ? now : null;
    const id = fresh(); // a repeated call saves the preset once
    const name = Object.assign(document.createElement("input"), { type: "text", maxLength: NAME_MAX, autocomplete: "off", value: own?.name || "" });
    name.dir = "auto";
    const [sentenceBox, sentence] = check(text("preset_sentence"), text("preset_sentence_note"));
    const [defaultBox, byDefault] = check(text("preset_default"));
    sentence.checked = Boolean(own && "prompt" in own.values);
    byDefault.checked = Boolean(own?.default);
    const taken = () => of(mode).find((one) => !one.shipped && one.name.toLocaleLowerCase() === oneLine(name.value).toLocaleLowerCase());
    const make = button(text("preset_save"), { kind: "ink", act: async () => {
      make.disabled = true;
      const known = taken();
      const answer = await call("preset_save", {
        id: known?.id || id, mode, name: name.value, values: studio.drafts.values(mode),
        sentence: sentence.checked, replaces: Boolean(known), default: byDefault.checked,
      });
      make.disabled = false;
      if (answer.saved) {
        studio.dialog.close(dialog.element);
        setCurrent(mode, answer.saved);
        return;
      }
      if (answer.field === "name") {
        studio.dialog.problem(dialog.element, "name", answer.said);
        name.focus();
        refresh().then(label);
      } else dialog.said(answer.said, true);
    } });
    make.dataset.dialogSubmit = "";
    const label = () => {
      const known = taken();
      $("span", make).textContent = text(known ? "preset_replace" : "preset_save");
      dialog.said(known ? text("preset_replaces", { name: known.name }) : "");
    };
    name.addEventListener("input", () => {
      studio.dialog.problem(dialog.element, "name", "");
      label();
    });
    name.addEventListener("keydown", (pressed) => {
      if (pressed.key !== "Enter") return;
      pressed.preventDefault();
      make.click();
    });
    dialog.body.replaceChildren(field(text("preset_name"), name, "name"), sentenceBox, defaultBox);
    foot(dialog, make);
    label();
    studio.dialog.open(dialog.element, { from, focus: name });
    name.select();
    refresh().then(label);
  };

  // -- managing ------------------------------------------------------------------------------------------------------
  const manageDialog = (mode, from) => {
    const dialog = studio.dialog.make({ name: "preset-manage", heading: text("preset_manage_title", { mode: titles[mode] }) });
    const box = part("ul", "preset-list");
    const removed = new Map(); // id -> the row before it was deleted
    const says = (answer) => answer.said && dialog.said(answer.said, true);
    const star = (one) => {
      const made = button("", { kind: "preset-tool star", symbol: "star", tip: text(one.default ? "preset_unstar" : "preset_star", { name: one.name }), act: async () => {
        says(await call("preset_default", { mode, id: one.default ? "" : one.id }));
        show(one.id, ".star");
      } });
      made.setAttribute("aria-pressed", String(one.default));
      return made;
    };
    const rename = (one, line) => {
      const name = Object.assign(document.createElement("input"), { type: "text", maxLength: NAME_MAX, value: one.name });
      name.setAttribute("aria-label", text("preset_name"));
      name.dir = "auto";
      let over = false;
      const end = async (keep) => {
        if (over) return;
        over = true;
        const wanted = oneLine(name.value);
        if (keep && wanted && wanted !== one.name) says(await call("preset_rename", { id: one.id, name: wanted }));
        show(one.id, ".rename");
      };
      name.addEventListener("keydown", (pressed) => {
        const keep = pressed.key === "Enter";
        if (!keep && !(pressed.key === "Escape")) return;
        pressed.preventDefault();
        pressed.stopPropagation();
        end(keep);
      });
      name.addEventListener("blur", () => end(true));
      $(".preset-about", line).replaceChildren(name);
      name.focus();
      name.select();
    };
    const passOn = async (one, way) => {
      const answer = await call("preset_share", { id: one.id });
      if (!answer.file) return says(answer);
      if (way === "file") {
        const address = URL.createObjectURL(new Blob([answer.file], { type: "application/json" }));
        Object.assign(document.createElement("a"), { href: address, download: answer.name }).click();
        setTimeout(() => URL.revokeObjectURL(address), 60_000);
        return dialog.said("");
      }
      if (!answer.link) return says(answer);
      await studio.copy(link(answer.link));
      dialog.said(text("preset_link_copied"));
    };
    const remove = async (one) => {
      const answer = await call("preset_remove", { id: one.id });
      if (!answer.rows) return says(answer);
      removed.set(one.id, one);
      show(one.id, ".undo");
    };
    const bring = async (one) => {
      const answer = await call("preset_save", { id: one.id, mode, name: one.name, values: one.values, sentence: true, default: one.default });
      if (!answer.saved) return says(answer);
      removed.delete(one.id);
      show(one.id, ".preset-use");
    };
    const entry = (one) => {
      const line = part("li", "preset-entry"), about = part("div", "preset-about"), tools = part("div", "preset-tools");
      line.dataset.id = one.id;
      if (removed.has(one.id)) {
        about.append(part("span", "", text("preset_deleted", { name: one.name })));
        tools.append(button(text("undo"), { kind: "undo", act: () => bring(one) }));
        line.append(about, tools);
        return line;
      }
      const use = button(one.name, { kind: "preset-use", tip: one.note, act: () => {
        studio.dialog.close(dialog.element);
        load({ id: one.id }, { ...one, left: one.left });
      } });
      use.setAttribute("aria-label", text("preset_load_named", { name: one.name }));
      $("span", use).dir = "auto";
      about.append(use);
      if (one.note) about.append(part("small", "", one.note));
      tools.append(
        button("", { kind: "preset-tool", symbol: "link", tip: text("preset_link", { name: one.name }), act: () => passOn(one, "link") }),
        button("", { kind: "preset-tool", symbol: "download", tip: text("preset_file", { name: one.name }), act: () => passOn(one, "file") }),
      );
      if (!one.shipped)
        tools.append(
          button("", { kind: "preset-tool rename", symbol: "rename", tip: text("preset_rename", { name: one.name }), act: () => rename(one, line) }),
          button("", { kind: "preset-tool", symbol: "trash", tip: text("preset_delete", { name: one.name }), act: () => remove(one) }),
        );
      line.append(star(one), about, tools);
      return line;
    };
    const show = (id = "", at = "") => {
      const gone = [...removed.values()].filter((one) => !row(one.id));
      const own = [...of(mode).filter((one) => !one.shipped), ...gone].sort((a, b) => a.name.localeCompare(b.name));
      const shipped = of(mode).filter((one) => one.shipped);
      box.replaceChildren(...[...own, ...shipped].map(entry));
      if (!own.length) box.prepend(part("li", "preset-nothing", text("preset_no_own")));
      if (id) $(`[data-id="${id}"] ${at}`, box)?.focus();
    };
    const files = Object.assign(document.createElement("input"), { type: "file", accept: ".json,application/json", hidden: true });
    files.addEventListener("change", async () => {
      const [file] = files.files;
      files.value = "";
      const { found, what } = file ? await fileRead(file) : {};
      if (found && !found.mode) return says(found);
      if (!found) return undefined;
      studio.dialog.close(dialog.element);
      return offer(found, what, from);
    });
    dialog.body.replaceChildren(box, files);
    const another = button(text("preset_save_as"), { act: () => {
      studio.dialog.close(dialog.element);
      saveDialog(mode, from);
    } });
    foot(dialog, button(text("preset_from_file"), { act: () => files.click() }), another);
    show();
    studio.dialog.open(dialog.element, { from });
    refresh().then(() => show());
  };

  // -- one that was passed on ----------------------------------------------------------------------------------------
  const fileRead = async (file) => {
    if (file.size > FILE_MAX) return { found: { said: text("preset_file_large") } };
    const content = await file.text().catch(() => "");
    return { found: await call("preset_read", { file: content || " " }), what: { file: content } };
  };
  const openTab = (mode) => {
    const tab = Object.keys(window.wanTabs).find((key) => window.wanTabs[key].modes.includes(mode));
    const shown = document.getElementById(`tab-${tab}-button`);
    if (shown?.getAttribute("aria-selected") !== "true") shown?.click();
  };
  const offer = (found, what, from) => {
    const { mode, name, facts, left } = found;
    openTab(mode);
    const dialog = studio.dialog.make({ name: "preset-offer", heading: text("preset_offer", { name }) });
    const settings = part("dl", "preset-facts");
    for (const [label, value] of facts) {
      const pair = part("div", ""), shown = part("dd", "", value);
      shown.dir = "auto";
      pair.append(part("dt", "", label), shown);
      settings.append(pair);
    }
    const words = [part("p", "note", text("preset_offer_for", { mode: found.title }))];
    if (!facts.length) words.push(part("p", "note", text("preset_usual")));
    const names = left.join(", ");
    if (names) words.push(part("p", "note", text("preset_offer_left", { names })));
    dialog.body.replaceChildren(words[0], settings, ...words.slice(1));
    const yes = button(text("preset_load"), { kind: "ink", act: () => {
      studio.dialog.close(dialog.element);
      load(what, { mode, name, left });
    } });
    yes.dataset.dialogSubmit = "";
    foot(dialog, button(text("preset_not"), { act: () => studio.dialog.close(dialog.element) }), yes);
    studio.dialog.open(dialog.element, { from, focus: yes });
  };
  const linked = (() => {
    const here = new URL(location.href), given = here.searchParams.get("preset");
    if (given === null) return "";
    here.searchParams.delete("preset");
    history.replaceState(history.state, "", here);
    return given.slice(0, LINK_MAX + 1);
  })();
  const offerOrSay = (found, what) => {
    if (found.mode) return offer(found, what);
    const dialog = studio.dialog.make({ name: "preset-refused", heading: text("preset_refused") });
    dialog.body.replaceChildren(part("p", "note", found.said));
    foot(dialog, button(text("dialog_close"), { act: () => studio.dialog.close(dialog.element) }));
    return studio.dialog.open(dialog.element);
  };
  const offerLinked = async () => {
    await studio.drafts.ready();
    offerOrSay(await call("preset_read", { link: linked }), { link: linked });
  };

  // Whether a dropped or chosen file is a preset; a preset is offered.
  const takes = (file) => {
    if (!FILE.test(file.name)) return false;
    fileRead(file).then(({ found, what }) => offerOrSay(found, what));
    return true;
  };
  // A preset may be dropped anywhere, also on a field for other files: the window gets the event before the fields.
  addEventListener("drop", (event) => {
    const files = [...(event.dataTransfer?.files || [])];
    if (files.length !== 1 || !takes(files[0])) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    document.documentElement.removeAttribute("data-dragging");
    // Gradio's drop zone receives the end of the drag, without files.
    event.target.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: new DataTransfer() }));
  }, true);

  Object.assign(studio.presets, {
    saving: saveDialog,
    managing: manageDialog,
    // The forms are filled.
    opened: () => linked && offerLinked(),
    takes,
  });
})();
