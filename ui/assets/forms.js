/* The forms while one types: plans again after a pause, and puts what the server says beside the fields. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, $$, text } = studio;
  const PAUSE = 350, BURST = 40; // ms without a key, without an event
  const KNOWN = 10000; // ms for which a plan is valid, unless something outside of the form has changed
  const LOST = 30000; // ms after which an answer counts as lost
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
    $("[data-control]", part) || $("textarea, input[type=number]", part) || $("button.upload-container", part) || $("input", part) || part;

  // -- asking the server: one plan at a time, and again while a reason may end by itself -------------------
  // mode -> `turn`: number of the last request; `answered`: of the last answer; `due`: something changed since
  // the request; `fresh`: the same values are planned again; `words`, `at`: what was planned last, and when;
  // `then`: what waits for the plan of all that has changed; `numbers`, `outdated`: the planned values without the
  // texts, and whether other ones have been chosen since.
  const plans = {};
  const formOf = (element) => element.closest(".ws-generate-box") || element;
  const isShown = (one) => formOf(one.element).getClientRects().length > 0;
  const watched = new Map(); // element -> its mode
  // A hidden form is planned when it is shown.
  const sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const one = plans[watched.get(target)], shown = isShown(one);
      if (shown && !one.shown) plan(watched.get(target), BURST);
      one.shown = shown;
    }
  });
  studio.plans = (mode, element, trigger) => {
    plans[mode] = { element, trigger, turn: 0, answered: 0, timer: 0, lost: 0, again: 0, due: false, fresh: false, shown: false, words: "", at: 0, then: null, numbers: "", outdated: false };
    watched.set(formOf(element), mode);
    sizes.observe(formOf(element));
  };
  const underWay = (one) => one.answered !== one.turn;
  const plan = (mode, delay = PAUSE, fresh = false) => {
    const one = plans[mode];
    if (!one) return;
    one.fresh ||= fresh;
    clearTimeout(one.timer);
    one.timer = setTimeout(ask, delay, mode);
  };
  const ask = async (mode) => {
    const one = plans[mode];
    one.timer = 0;
    if (!isShown(one) && !studio.holds(mode)) return;
    if (underWay(one)) return (one.due = true);
    const turn = (one.turn += 1);
    await studio.drafts.ready(); // the form is filled first
    one.due = false;
    one.trigger("typed", { turn: String(turn) });
    clearTimeout(one.lost);
    one.lost = setTimeout(answered, LOST, mode, turn, true);
  };
  // An emptied number is null, or "" once its box was on the page; of a file its path counts.
  const plain = (_, value) => (value === "" ? null : value?.path || value);
  // Size, length and time are hidden while they are outdated. Texts do not change them.
  const outdate = (mode, yes) => {
    if (plans[mode]) plans[mode].outdated = yes;
    studio.refreshFrame();
  };
  studio.isOutdated = (mode) => Boolean(plans[mode]?.outdated);
  /* The script of the event: given the values of the form, and which of them are texts. An error makes Gradio send
     nothing, without a message. */
  studio.plan = (mode, given, texts) => {
    const numbers = JSON.stringify(given.filter((_, n) => !texts.includes(n)), plain);
    if (numbers !== plans[mode].numbers) outdate(mode, true);
    plans[mode].numbers = numbers;
    const one = plans[mode], words = JSON.stringify(given, plain), now = performance.now();
    const known = words === one.words && !one.fresh && now - one.at < KNOWN;
    one.fresh = false;
    if (known) {
      setTimeout(answered, 0, mode, one.turn);
      throw new Error("just planned");
    }
    Object.assign(one, { words, at: now });
    return given;
  };
  // A value has changed: typing waits for a pause, a choice is planned at once.
  studio.replan = (mode, typed = false) => plan(mode, typed ? PAUSE : BURST);
  studio.isPlanned = (mode) => !plans[mode].timer && !underWay(plans[mode]);
  studio.replanAll = () => Object.keys(plans).forEach((mode) => plan(mode, BURST, true));
  const repeat = (mode, seconds) => {
    const one = plans[mode];
    clearTimeout(one.again);
    if (!seconds) return;
    one.again = setTimeout(() => {
      if (document.hidden || !isShown(one)) repeat(mode, seconds);
      else plan(mode, 0, true);
    }, 1000 * seconds);
  };
  const answered = (mode, turn, lost = false) => {
    const one = plans[mode];
    one.answered = Math.max(one.answered, Number(turn) || 0);
    if (underWay(one)) return;
    clearTimeout(one.lost);
    if (one.due) return plan(mode, 0);
    if (one.outdated && !one.timer && !lost) outdate(mode, false);
    if (!one.then || one.timer) return;
    const then = one.then;
    one.then = null;
    setTimeout(then, 50); // the button is updated together with the line
  };
  document.addEventListener("input", (event) => {
    if (!event.target.matches?.(TYPED)) return;
    const mode = modeOf(event.target);
    if (!mode) return;
    count(event.target);
    if (!event.target.matches("textarea")) outdate(mode, true);
    plan(mode);
  });
  document.addEventListener("change", (event) => {
    const mode = event.target.matches?.(".ws-seg input[type=radio]") && modeOf(event.target);
    if (!mode) return;
    outdate(mode, true);
    plan(mode, BURST);
  });
  /* Presses Generate once what was typed last is planned. While something prevents the job, its field is shown.
     `wanted`: asked just before. */
  studio.press = (mode, button, wanted = () => true) => {
    const one = plans[mode];
    const go = () => wanted() && (button.disabled ? toProblem(mode) : button.click());
    if (!one || studio.arriving(mode).length || (!one.timer && !underWay(one))) return go();
    const at = performance.now();
    one.then = () => (performance.now() - at < PATIENCE ? go() : wanted());
    if (one.timer) plan(mode, 0);
  };
  const toProblem = (mode) => {
    const first = $$(`[id^="${mode}-"]:is([data-invalid], [data-needed]):not([data-mode])`).find((part) => part.offsetParent);
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
      Object.assign(note, { id, className: { problem: "ws-problem", advice: "ws-advice" }[kind] || "sr" });
      part.append(note);
    }
    if (note?.parentNode === part && note.textContent !== words) note.textContent = words;
    return id;
  };
  const describe = (part, ids) => {
    const target = control(part);
    const others = (target.getAttribute("aria-describedby") || "")
      .split(" ")
      .filter((id) => id && !/-(problem|needed|advice)$/.test(id));
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
    const advice = JSON.parse(line.dataset.advice || "{}");
    for (const part of $$(`[id^="${mode}-"]:is([data-invalid], [data-needed], [data-advised]):not([data-mode])`)) {
      const field = part.id.slice(mode.length + 1);
      if (!(field in problems)) {
        part.removeAttribute("data-invalid");
        $(":scope > .ws-problem", part)?.remove();
      }
      if (!(field in needed)) {
        part.removeAttribute("data-needed");
        document.getElementById(`${part.id}-needed`)?.remove();
      }
      if (!(field in advice) || field in problems) {
        part.removeAttribute("data-advised");
        document.getElementById(`${part.id}-advice`)?.remove();
      }
      describe(part, []);
    }
    for (const field of new Set([problems, needed, advice].flatMap(Object.keys))) {
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
      if (field in advice && !(field in problems)) {
        part.setAttribute("data-advised", "");
        ids.push(sentence(mode, field, "advice", advice[field]));
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
    studio.arrived(line);
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
