/* The forms while one types: plans again after a pause, and puts what the server says beside the fields. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, $$, text } = studio;
  const PAUSE = 350; // ms without a key
  const COUNTED = 0.8; // share of the limit from which on the characters are counted
  const PATIENCE = 10000; // ms for which a pressed Ctrl+Enter waits for its plan
  const TYPED = ".ws-text textarea, .ws-number input, .ws-slider input[type=number]";
  const FORMS = window.wanForms; // from ui/forms/script_tables.py
  const block = (mode, field) => document.getElementById(`${mode}-${field}`);
  const modeOf = (node) => {
    const id = node.closest?.(".block[id], .ws-drop[id]")?.id || "";
    return Object.keys(FORMS).find((mode) => id.startsWith(`${mode}-`));
  };
  const control = (part) =>
    $("textarea, input[type=number]", part) || $("button.upload-container", part) || $("input", part) || part;

  // -- asking the server: after a pause, and again while a reason may end by itself -----------------------
  const plans = {}; // mode -> {element, trigger, turn, answered, timer, again, then}
  studio.plans = (mode, element, trigger) => {
    plans[mode] = { element, trigger, turn: 0, answered: 0, timer: 0, again: 0, then: null };
  };
  const plan = (mode, delay = PAUSE) => {
    const one = plans[mode];
    if (!one) return;
    clearTimeout(one.timer);
    one.timer = setTimeout(() => {
      one.timer = 0;
      one.turn += 1;
      one.trigger("typed", { turn: String(one.turn) });
    }, delay);
  };
  studio.replan = (mode) => plan(mode);
  const repeat = (mode, seconds) => {
    const one = plans[mode];
    clearTimeout(one.again);
    if (!seconds) return;
    one.again = setTimeout(() => {
      if (document.hidden || !one.element.offsetParent) repeat(mode, seconds);
      else plan(mode, 0);
    }, 1000 * seconds);
  };
  const answered = (mode, turn) => {
    const one = plans[mode];
    if (turn) one.answered = Number(turn);
    if (!one.then || one.timer || one.answered !== one.turn) return;
    const then = one.then;
    one.then = null;
    setTimeout(then, 50); // the button is updated together with the line
  };
  document.addEventListener("input", (event) => {
    if (!event.target.matches?.(TYPED)) return;
    const mode = modeOf(event.target);
    if (!mode) return;
    count(event.target);
    plan(mode);
  });
  // Ctrl+Enter: what was typed last is planned first. While something prevents the job, its field is shown.
  studio.press = (mode, button) => {
    const one = plans[mode];
    const go = () => (button.disabled ? toProblem(mode) : button.click());
    if (!one || (!one.timer && one.answered === one.turn)) return go();
    const at = performance.now();
    one.then = () => performance.now() - at < PATIENCE && go();
    if (one.timer) plan(mode, 0);
  };
  const toProblem = (mode) => {
    const first = $$(`[id^="${mode}-"]:is([data-invalid], [data-needed])`).find((part) => part.offsetParent);
    if (!first) return;
    first.scrollIntoView({ block: "center", behavior: studio.still() ? "auto" : "smooth" });
    control(first).focus({ preventScroll: true });
  };

  // -- the sentences beside the fields ----------------------------------------------------------------------
  const sentence = (mode, field, kind, words) => {
    const id = `${mode}-${field}-${kind}`;
    const part = block(mode, field);
    let note = document.getElementById(id);
    if (!note && !(kind === "problem" && part.classList.contains("ws-drop"))) {
      note = document.createElement("p");
      Object.assign(note, { id, className: kind === "problem" ? "ws-problem" : "sr" });
      part.append(note);
    }
    if (note?.parentNode === part && note.textContent !== words) note.textContent = words;
    return id;
  };
  const describe = (part, ids) => {
    const target = control(part);
    const others = (target.getAttribute("aria-describedby") || "")
      .split(" ")
      .filter((id) => id && !/-(problem|needed)$/.test(id));
    const all = [...others, ...ids].join(" ");
    if (all) target.setAttribute("aria-describedby", all);
    else target.removeAttribute("aria-describedby");
    if (part.hasAttribute("data-invalid")) target.setAttribute("aria-invalid", "true");
    else target.removeAttribute("aria-invalid");
  };
  const later = new Set(); // modes with messages for fields of Advanced, which is not built yet
  const spread = (line) => {
    const { mode } = line.dataset;
    const problems = JSON.parse(line.dataset.problems || "{}");
    const needed = JSON.parse(line.dataset.needed || "{}");
    for (const part of $$(`[id^="${mode}-"]:is([data-invalid], [data-needed])`)) {
      const field = part.id.slice(mode.length + 1);
      if (!(field in problems)) {
        part.removeAttribute("data-invalid");
        $(":scope > .ws-problem", part)?.remove();
      }
      if (!(field in needed)) {
        part.removeAttribute("data-needed");
        document.getElementById(`${part.id}-needed`)?.remove();
      }
      describe(part, []);
    }
    for (const field of new Set([...Object.keys(problems), ...Object.keys(needed)])) {
      const part = block(mode, field);
      if (!part) {
        if (!FORMS[mode].advanced.includes(field)) continue;
        later.add(mode);
        if (field in problems) studio.openAdvanced(mode, true);
        continue;
      }
      const ids = [];
      if (field in problems) {
        part.setAttribute("data-invalid", "");
        ids.push(sentence(mode, field, "problem", problems[field]));
        if (part.closest(".ws-advanced-body")) studio.openAdvanced(mode, true);
      }
      if (field in needed) {
        part.setAttribute("data-needed", "");
        ids.push(sentence(mode, field, "needed", needed[field]));
      }
      describe(part, ids);
    }
    for (const [field, words] of Object.entries(JSON.parse(line.dataset.blanks || "{}"))) {
      const part = block(mode, field);
      if (!part) later.add(mode);
      const input = part && $("input[type=number]", part);
      if (input && input.placeholder !== words) input.placeholder = words;
    }
    for (const area of $$(`[id^="${mode}-"] textarea`)) count(area);
  };
  studio.mark = (line) => {
    const { mode, turn, again } = line.dataset;
    spread(line);
    if (plans[mode]) {
      answered(mode, turn);
      repeat(mode, Number(again));
    }
  };

  // -- characters of a text that nears its limit ---------------------------------------------------------------
  const count = (area) => {
    const part = area.closest(".ws-text[id]");
    const mode = part && modeOf(area);
    const limit = mode && FORMS[mode].limits[part.id.slice(mode.length + 1)];
    if (!limit) return;
    const length = area.value.length < COUNTED * limit ? 0 : [...area.value].length; // characters, as Python counts
    let place = $(":scope > .ws-count", part);
    if (length < COUNTED * limit) return place?.remove();
    if (!place) {
      place = Object.assign(document.createElement("p"), { className: "ws-count" });
      part.append(place);
    }
    const [used, most] = [length, limit].map((value) => value.toLocaleString("en-US"));
    const words = text("count", { used, most });
    if (place.textContent !== words) place.textContent = words;
    place.toggleAttribute("data-over", length > limit);
  };

  // -- direction of writing, and what a field must have, for new elements ----------------------------------
  studio.dressForms = () => {
    for (const area of $$(".ws-text textarea, .ws-search :is(input, textarea)")) if (area.dir !== "auto") area.dir = "auto";
    for (const mode of [...later]) {
      const line = document.getElementById(`${mode}-hint`);
      if (!line || !$(`#${mode}-advanced .ws-group`)) continue;
      later.delete(mode);
      spread(line);
      if (line.dataset.scroll === "1") studio.toFirstProblem();
    }
    for (const button of $$("button.ws-generate")) {
      const hint = button.id.replace("-generate", "-hint");
      if (button.getAttribute("aria-describedby") !== hint) button.setAttribute("aria-describedby", hint);
    }
  };
})();
