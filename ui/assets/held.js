/* Generate while the server is away, or while a file of its form is on its way: a press waits, can be taken back, and
   is sent once. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, $$, events, network, text } = studio;
  const SHOWN = 500; // ms after which a file that is being added is mentioned
  const WORDS = { // what a press waits for -> keys of texts: of the button, below it, and below it before a press
    connection: ["waits_connection", "held"],
    picture: ["waits_picture", "held_picture", "adding_picture"],
    sound: ["waits_sound", "held_sound", "adding_sound"],
    video: ["waits_video", "held_video", "adding_video"],
    files: ["waits_files", "held_files", "adding_files"],
  };
  const held = new Map(); // mode of a press that waits for files -> what they are
  const failed = new Set(); // modes of presses that were dropped because a file did not arrive
  const slow = new Set(); // ids of fields whose file has been on its way for a while

  const modeOf = (button) => button.id.replace(/-generate$/, "");
  const plan = (mode) => document.getElementById(`${mode}-hint`)?.dataset || {};
  const kindOf = (fields) => {
    const kinds = fields.map((field) => Object.keys(WORDS).find((kind) => document.getElementById(field)?.classList.contains(`ws-takes-${kind}`)));
    return kinds.length === 1 && kinds[0] ? kinds[0] : "files";
  };
  // Whether only files that are still being uploaded prevent the job.
  const isNext = (mode, fields) => {
    const { ready, needed } = plan(mode);
    const names = new Set(fields.map((field) => field.slice(mode.length + 1)));
    return ready === "1" || (ready === "missing" && Object.keys(JSON.parse(needed || "{}")).every((name) => names.has(name)));
  };
  // What the press of a button waits for; "" when none waits.
  const waitsFor = (button, fields) => {
    const away = !["ok", "changed"].includes(network.state());
    if (events.waiting(button).length) return "connection";
    if (!held.has(modeOf(button))) return "";
    if (fields.length) held.set(modeOf(button), kindOf(fields));
    return away ? "connection" : held.get(modeOf(button));
  };

  const take = (button) => {
    held.delete(modeOf(button));
    events.waiting(button).forEach(events.withdraw);
    draw();
  };
  const lineFor = (button, fields, what) => {
    const mode = modeOf(button);
    if (what) return [text(WORDS[what][1]), true, false];
    if (failed.has(mode)) return [text("not_sent"), false, true];
    const known = fields.filter((field) => slow.has(field));
    if (known.length && network.state() === "ok") return [text(WORDS[kindOf(known)][2]), false, false];
    return null;
  };
  const say = (button, fields, what) => {
    const box = button.closest(".ws-generate-box");
    const old = $(":scope > .ws-held", box), said = lineFor(button, fields, what);
    if (!said) return old?.remove();
    const [words, cancels, problem] = said;
    if (old?.dataset.words === words && Boolean($("button", old)) === cancels) return;
    const line = document.createElement("p");
    line.className = "ws-held";
    line.dataset.words = words;
    line.toggleAttribute("data-problem", problem);
    line.setAttribute("role", problem ? "alert" : "status");
    line.append(words);
    if (cancels) {
      const cancel = document.createElement("button");
      cancel.type = "button";
      cancel.textContent = text("withdraw");
      cancel.addEventListener("click", () => {
        button.focus({ preventScroll: true });
        take(button);
      });
      line.append(" ", cancel);
    }
    if (old) old.replaceWith(line);
    else button.after(line);
  };
  // Gradio disables the button by what the server has seen of the form.
  const enable = (button, fields) => {
    const mode = modeOf(button);
    if (fields.length && isNext(mode, fields)) {
      if (button.disabled) button.dataset.early = "";
      button.disabled = false;
    } else if ("early" in button.dataset) {
      delete button.dataset.early;
      button.disabled = plan(mode).ready !== "1";
    }
  };
  const draw = () => {
    for (const button of $$("button.ws-generate")) {
      const fields = studio.arriving(modeOf(button));
      const what = waitsFor(button, fields);
      if (what) button.dataset.held = WORDS[what][0];
      else delete button.dataset.held;
      enable(button, fields);
      say(button, fields, what);
    }
    studio.label?.();
    studio.drawConnection();
  };

  studio.holds = (mode) => held.has(mode);
  studio.onArrival((field, coming) => {
    const mode = field && Object.keys(window.wanForms).find((name) => field.startsWith(`${name}-`));
    if (!mode) return;
    const underWay = studio.arriving(mode).includes(field);
    if (underWay) {
      failed.delete(mode);
      setTimeout(() => {
        if (!studio.arriving(mode).includes(field)) return;
        slow.add(field);
        draw();
      }, SHOWN);
    } else {
      slow.delete(field);
      if (!coming && held.delete(mode)) failed.add(mode);
    }
    draw();
  });
  // The plan includes all files of the form: a press that waits for them is sent, unless the plan prevents it.
  studio.planned = (mode) => {
    setTimeout(draw, 60); // the button is updated together with the line
    const button = document.getElementById(`${mode}-generate`);
    if (!held.has(mode) || !button || studio.arriving(mode).length) return;
    setTimeout(() => studio.press(mode, button, () => held.delete(mode) && !draw()), 60);
  };

  // Another press while one is waiting replaces it: what is in the form when it is sent counts.
  document.addEventListener(
    "click",
    (event) => {
      const button = event.target.closest?.("button.ws-generate");
      if (!button) return;
      const mode = modeOf(button), files = studio.arriving(mode).length > 0;
      const sent = events.waiting(button).length > 0;
      failed.delete(mode);
      setTimeout(draw, 0);
      if (!files && !sent && !held.has(mode)) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (sent) take(button);
      if (files) held.set(mode, kindOf(studio.arriving(mode)));
      else if (sent) setTimeout(() => button.click(), 200); // once Gradio has seen the end of the first
    },
    true,
  );
  // An emptied form is not sent.
  document.addEventListener("click", (event) => {
    const mode = event.target.closest?.("[data-draft]")?.dataset.mode;
    if (mode && held.delete(mode)) draw();
  });
  events.watch(draw);
  network.watch(draw);
})();
