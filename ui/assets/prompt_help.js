/* Suggestions below a prompt: phrases that are written at the cursor, and the browser's own earlier prompts. */
(() => {
  "use strict";
  const { $, $$, part, text } = window.wanStudio;
  const MOST = 100;
  const key = (mode) => `wan-studio-prompts-${mode}`;
  const boxOf = (node) => node.closest?.(".prompt-help");
  const areaOf = (box) => $(`#${box.dataset.field} textarea`);

  // -- earlier prompts: newest first, each once ---------------------------------------------------------------
  const prompts = (mode) => {
    try {
      const found = JSON.parse(window.wanStorage.getItem(key(mode)) || "[]");
      return Array.isArray(found) ? found.filter((one) => typeof one === "string").slice(0, MOST) : [];
    } catch {
      return [];
    }
  };
  const keep = (mode, found) => {
    if (found.length) window.wanStorage.setItem(key(mode), JSON.stringify(found.slice(0, MOST)));
    else window.wanStorage.removeItem(key(mode));
  };
  const remember = (mode, prompt) => {
    if (prompt.trim()) keep(mode, [prompt, ...prompts(mode).filter((one) => one !== prompt)]);
  };
  const start = (prompt) => ([...prompt].length > 60 ? `${[...prompt].slice(0, 60).join("")}…` : prompt);
  const draw = (box) => {
    const all = prompts(box.dataset.mode);
    const wanted = $("input[type=search]", box);
    if (all.length < 2) wanted.value = ""; // nothing to search: a hidden search must not hide the last one
    const words = wanted.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = all.filter((one) => words.every((word) => one.toLowerCase().includes(word)));
    wanted.hidden = all.length < 2;
    $("[data-forget-all]", box).hidden = !all.length;
    const rows = found.map((one) => {
      const row = document.createElement("li");
      const use = Object.assign(document.createElement("button"), { type: "button", className: "use", dir: "auto" });
      const drop = Object.assign(document.createElement("button"), { type: "button", className: "drop" });
      use.textContent = one;
      drop.setAttribute("aria-label", text("forget_prompt", { prompt: start(one) }));
      row.append(use, drop);
      row.prompt = one;
      return row;
    });
    $("ul", box).replaceChildren(...rows);
    const note = $(".history .note", box);
    note.dataset.empty ??= note.textContent;
    note.textContent = all.length ? text("no_prompt") : note.dataset.empty;
    note.hidden = Boolean(rows.length);
  };
  // -- phrases ------------------------------------------------------------------------------------------------
  const PHRASES = window.wanPhrases; // from ui/forms/script_tables.py

  const phrases = (number) => {
    const [label, found] = PHRASES.groups[number];
    const [group, row] = [part("div", "chips"), part("div", "")];
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", label);
    for (const [name, words] of found) {
      const chip = Object.assign(part("button", "chip", name), { type: "button", title: words });
      chip.dataset.words = words;
      row.append(chip);
    }
    group.append(part("p", "label", label), row);
    return group;
  };
  const open = (box, yes) => {
    if (yes && !$(".chips", box)) $(".history", box).before(...PHRASES.modes[box.dataset.mode].map(phrases));
    const button = $(".help-toggle", box);
    button.setAttribute("aria-expanded", String(yes));
    $(".help-panel", box).hidden = !yes;
    if (yes) draw(box);
  };

  // -- writing into the field ------------------------------------------------------------------------------
  // As if typed, so that Ctrl+Z takes it back. Without a keyboard the field is not focused: that would open one.
  const write = (area, from, to, words) => {
    const touch = matchMedia("(hover: none)").matches;
    if (!touch) {
      area.focus({ preventScroll: true });
      area.setSelectionRange(from, to);
      if (document.execCommand("insertText", false, words)) return;
    }
    area.setRangeText(words, from, to, "end");
    area.dispatchEvent(new Event("input", { bubbles: true }));
  };
  // `exact`: words that must stay as they are.
  const add = (area, words, exact = false) => {
    const before = area.value.slice(0, area.selectionStart);
    const after = area.value.slice(area.selectionEnd);
    const said = before.trimEnd();
    const starts = !said || /\p{Sentence_Terminal}[\p{Pe}\p{Pf}"']*$/u.test(said); // of any script
    const head = !said || /\s$/.test(before) ? "" : " ";
    const comma = starts || /\p{Terminal_Punctuation}$/u.test(said) ? "" : ",";
    const stop = /^\s*\p{Lu}/u.test(after) ? "." : ",";
    const joined = !after.trim() || /^\s*\p{Terminal_Punctuation}/u.test(after);
    const tail = joined ? "" : /^\s/.test(after) ? stop : `${stop} `;
    const from = comma ? said.length : area.selectionStart;
    const phrase = starts && !exact ? words[0].toUpperCase() + words.slice(1) : words;
    write(area, from, area.selectionEnd, `${comma}${comma ? " " : head}${phrase}${tail}`);
  };

  window.wanStudio.addWords = (mode, words) => add($(`#${mode}-prompt textarea`), words, true);

  document.addEventListener("click", (event) => {
    const generate = event.target.closest?.("button.ws-generate");
    if (generate && !generate.disabled) {
      const mode = generate.id.replace(/-generate$/, "");
      const box = $(`.prompt-help[data-mode="${mode}"]`);
      if (box) remember(mode, areaOf(box).value);
      if (box && !$(".help-panel", box).hidden) draw(box);
    }
    const box = boxOf(event.target);
    const button = event.target.closest?.("button");
    if (!box || !button) return;
    const area = areaOf(box);
    if (button.matches(".help-toggle")) open(box, button.getAttribute("aria-expanded") !== "true");
    if (button.matches(".chip")) {
      add(area, button.dataset.words);
      if (!event.detail) button.focus({ preventScroll: true }); // pressed by key: the next one is near
    }
    if (button.matches(".use")) write(area, 0, area.value.length, button.parentNode.prompt);
    if (button.matches(".drop")) {
      const rows = $$("li", box);
      const at = rows.indexOf(button.parentNode);
      const mode = box.dataset.mode;
      keep(mode, prompts(mode).filter((one) => one !== button.parentNode.prompt));
      draw(box);
      const left = $$(".drop", box);
      (left[Math.min(at, left.length - 1)] || $(".help-toggle", box)).focus();
    }
    if (button.matches("[data-forget-all]")) {
      if (button.dataset.sure) {
        keep(box.dataset.mode, []);
        calm(button);
        draw(box);
        $(".help-toggle", box).focus();
      } else {
        Object.assign(button.dataset, { sure: "1", label: button.textContent });
        button.textContent = text("forget_sure");
        button.addEventListener("blur", () => calm(button), { once: true });
      }
    }
  });
  const calm = (button) => {
    if (button.dataset.label) button.textContent = button.dataset.label;
    delete button.dataset.sure;
    delete button.dataset.label;
  };
  document.addEventListener("input", (event) => {
    if (event.target.matches?.(".prompt-help input[type=search]")) draw(boxOf(event.target));
  });
  document.addEventListener("keydown", (event) => {
    const box = event.key === "Escape" && boxOf(event.target);
    if (!box || $(".help-panel", box).hidden) return;
    open(box, false);
    $(".help-toggle", box).focus();
  });
})();
