/* Extend and Re-roll: their dialogs (bodies from ui/views/extend.py), what was typed in them, and the strip of parts. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, $$, text, part, dialog } = studio;
  const STORED = "wan-studio-extend"; // what was typed, by clip: {id: {values, at}}
  const MOST = 24; // clips whose values are kept, the latest first
  const MS = { plan: 250, keep: 200, look: 50, answer: 1500 };
  let owner = ""; // the visitor's token
  let host = null; // of the card: {element, trigger, server, upload, about}

  // -- what was typed, kept in this browser --------------------------------------------------------------
  const all = () => {
    try {
      const found = JSON.parse(window.wanStorage.getItem(STORED) || "{}");
      return found && typeof found === "object" && !Array.isArray(found) ? found : {};
    } catch {
      return {};
    }
  };
  const kept = (name) => {
    const found = all()[name]?.values;
    return found && typeof found === "object" ? found : {};
  };
  const write = (found) => {
    const newest = Object.entries(found).sort(([, one], [, other]) => (other?.at || 0) - (one?.at || 0)).slice(0, MOST);
    window.wanStorage.setItem(STORED, JSON.stringify(Object.fromEntries(newest)));
  };
  const keep = (name, values) => write({ ...all(), [name]: { values, at: Date.now() } });
  const forget = (name) => {
    const { [name]: _, ...rest } = all();
    write(rest);
  };

  // -- both dialogs -----------------------------------------------------------------------------------------
  const made = {}; // name -> the dialog, with `clip` (what it is about) and `busy`
  const build = (name, heading, submit) => {
    const one = dialog.make({ name, heading });
    if (made[name]) return made[name];
    one.body.innerHTML = window.wanDialogs[name];
    const cancel = part("button", "btn", text("withdraw")), go = part("button", "btn make", submit);
    cancel.type = go.type = "button";
    cancel.setAttribute("data-dialog-close", "");
    go.setAttribute("data-dialog-submit", "");
    one.foot.append(cancel, go);
    const found = (made[name] = { ...one, name, go, clip: null, busy: false, timer: 0, keeping: 0, turn: 0 });
    const changed = () => {
      clearTimeout(found.keeping);
      found.keeping = setTimeout(() => store(found), MS.keep);
    };
    one.body.addEventListener("input", ({ target }) => {
      const field = target.closest("[data-field]")?.dataset.field;
      if (field) dialog.problem(one.element, field, "");
      one.refusal = null;
      changed();
      if (field !== "prompt" && field !== "end_image") planSoon(found);
    });
    go.addEventListener("click", () => press(found));
    return found;
  };
  const store = (one) => {
    clearTimeout(one.keeping);
    one.keeping = 0;
    if (one.clip) keep(one.clip.kept, read[one.name](one));
  };
  addEventListener("pagehide", () => Object.values(made).forEach((one) => one.keeping && store(one)));
  const clear = (one) => {
    one.refusal = null;
    one.said("");
    for (const { dataset } of $$("[data-field]", one.element)) dialog.problem(one.element, dataset.field, "");
  };
  const chosen = (one, name) => $(`[name="extend-${name}"]:checked`, one.element)?.value;
  const choose = (one, name, value) => {
    const radio = $$(`[name="extend-${name}"]`, one.element).find((input) => input.value === String(value));
    if (radio) radio.checked = true;
  };
  const prompt = (one) => $("textarea", one.element);

  // -- Extend -------------------------------------------------------------------------------------------------
  const spot = (one, name) => $(`[data-x="${name}"]`, one.element);
  const player = (one) => $("[data-player]", one.element);
  const frames = (one) => Math.max(1, Number(player(one).dataset.frames) || 1);
  const frame = (one) => {
    if (!one.ready) return one.wanted;
    const shown = studio.frameShown(one.element) - 1;
    return shown >= frames(one) - 1 ? -1 : shown;
  };
  const showFrame = (one, number) => {
    one.wanted = number;
    if (one.ready) studio.showFrame(player(one), number < 0 ? frames(one) - 1 : number);
  };
  const read = {
    extend: (one) => ({
      prompt: prompt(one).value, seconds: Number(chosen(one, "seconds")), speed: chosen(one, "speed"),
      method: chosen(one, "method"), frame: frame(one), end: one.end,
    }),
    reroll: (one) => ({ prompt: prompt(one).value }),
  };
  const end = (one, picture, address = "") => {
    one.end = picture;
    const image = spot(one, "end-picture");
    image.hidden = !address;
    if (address) image.src = address;
    else image.removeAttribute("src");
    spot(one, "end-name").textContent = picture?.name || "";
    spot(one, "end-remove").hidden = !picture;
    spot(one, "end-said").textContent = "";
    spot(one, "end-words").textContent = text(picture ? "extend_other" : "extend_choose");
  };
  const address = (path) => new URL(`gradio_api/file=${path.split("/").map(encodeURIComponent).join("/")}`, document.baseURI).href;
  // An upload is kept for a while only: a picture that is gone has to be chosen again.
  const restoreEnd = async (one, picture) => {
    end(one, null);
    if (typeof picture?.path !== "string" || typeof picture.name !== "string") return;
    const about = one.clip;
    try {
      const answer = await fetch(address(picture.path), { method: "HEAD" });
      if (answer.ok && one.clip === about) return end(one, { path: picture.path, name: picture.name }, address(picture.path));
    } catch {
      /* away: said when it is sent */
    }
    if (one.clip === about) dialog.problem(one.element, "end_image", text("extend_end_gone", { name: picture.name }));
  };
  // Of several files the first picture is taken.
  const addEnd = async (one, files) => {
    const all = [...(files || [])], file = all.find(({ type }) => type.startsWith("image/")) || all[0];
    if (!file) return;
    const about = one.clip;
    dialog.problem(one.element, "end_image", "");
    const limit = window.wanLimits.upload;
    if (limit && file.size > limit)
      return dialog.problem(one.element, "end_image", text("upload_too_large", { limit: Math.floor(limit / 1e6) }));
    one.adding = true;
    spot(one, "end-words").textContent = text("adding_picture");
    try {
      const { path } = await host.upload(file);
      if (one.clip !== about) return;
      end(one, { path, name: file.name }, URL.createObjectURL(file));
      const left = all.length - 1;
      if (left) spot(one, "end-said").textContent = text(left > 1 ? "file_of_many" : "file_of_two", { name: file.name, count: left });
      store(one);
      planSoon(one);
    } catch (error) {
      console.warn("The end picture could not be added", error);
      if (one.clip !== about) return;
      end(one, one.end, one.end ? address(one.end.path) : "");
      dialog.problem(one.element, "end_image", text("upload_failed"));
    } finally {
      one.adding = false;
    }
  };

  const planSoon = (one) => {
    one.refusal = null;
    planAgain(one);
  };
  const planAgain = (one) => {
    if (one.name === "extend") methodNote(one);
    clearTimeout(one.timer);
    one.timer = setTimeout(plan, MS.plan, one);
  };
  const methodNote = (one) => {
    const method = chosen(one, "method");
    for (const note of $$("[data-method]", one.element)) note.hidden = note.dataset.method !== method;
    const radio = $(`[name="extend-method"]:checked`, one.element);
    spot(one, "method").textContent = radio?.parentElement.textContent || "";
  };
  const plan = async (one) => {
    const about = one.clip, turn = (one.turn += 1);
    const { end: picture, ...values } = read[one.name](one);
    const asked = { owner, id: about.id, key: about.key, ...values, part: about.part || 0, end: Boolean(picture) };
    let answer;
    try {
      answer = await host.server.extend_plan(asked);
    } catch {
      answer = undefined;
    }
    if (!answer || one.clip !== about || turn !== one.turn) return; // not answered, or asked again since
    if (answer.gone) return one.said(text("extend_gone"), true);
    for (const name of one.name === "extend" ? ["length", "time", "route", "reason", "notes"] : ["notes"])
      spot(one, name).textContent = answer[name] || "";
    problems(one, answer.problems || {});
  };
  const problems = (one, found) => {
    one.said("");
    for (const name of ["frame", "seconds", "method", "speed", ...(one.end ? ["end_image"] : [])]) dialog.problem(one.element, name, "");
    for (const [name, words] of Object.entries(found)) {
      if (!name || !dialog.problem(one.element, name, words)) one.said(words, true);
      else if (name === "method") $(".extend-method", one.element).open = true;
    }
    one.refusal?.(); // stays until something is changed
    one.blocked = Object.keys(found).length > 0;
    one.go.setAttribute("aria-disabled", String(one.blocked));
  };

  const openExtend = (button) => {
    const { id, key, prompt: sentence, pace: speed } = button.dataset;
    const stage = $("#ws-card .stage[data-player]"), video = stage && $("video", stage);
    if (!video) return;
    video.pause(); // nothing plays behind the dialog, and the frame that is shown stays
    const one = build("extend", text("extend_heading"), text("extend_submit"));
    const start = { prompt: sentence, seconds: 5, speed, method: "auto", frame: -1, end: null };
    const values = { ...start, ...kept(id) };
    Object.assign(one, { clip: { id, key, kept: id, act: "extend" }, ready: false, blocked: false, wanted: Number(values.frame) });
    dress(one);
    clear(one);
    const place = player(one), copy = $("video", place);
    Object.assign(place.dataset, { fps: stage.dataset.fps, frames: stage.dataset.frames });
    place.style.setProperty("--shape", `${video.videoWidth || 16} / ${video.videoHeight || 9}`);
    copy.poster = video.poster;
    copy.onloadedmetadata = () => {
      one.ready = true;
      showFrame(one, one.wanted);
    };
    copy.src = video.getAttribute("src");
    prompt(one).value = typeof values.prompt === "string" ? values.prompt : start.prompt;
    choose(one, "seconds", start.seconds);
    for (const name of ["seconds", "speed", "method"]) choose(one, name, values[name]);
    restoreEnd(one, values.end);
    const shown = studio.frameShown($("#ws-card")) - 1;
    spot(one, "shown").hidden = shown >= frames(one) - 1;
    one.shown = shown;
    busy(one, false);
    planSoon(one);
    showLate(one);
    dialog.open(one.element, { from: button, focus: studio.oneColumn() ? null : prompt(one), closed: () => closed(one) });
  };
  const closed = (one) => {
    if (one.keeping) store(one);
    clearTimeout(one.timer);
    if (!one.busy) one.clip = null;
    const copy = $("video", one.element);
    if (!copy) return;
    copy.onloadedmetadata = null;
    copy.removeAttribute("src");
    copy.load();
  };
  let dressed = false;
  const dress = (one) => {
    if (dressed) return;
    dressed = true;
    const { element } = one;
    element.addEventListener("click", ({ target }) => {
      const act = target.closest("[data-x]")?.dataset.x;
      if (act === "last") showFrame(one, -1);
      else if (act === "shown") showFrame(one, one.shown);
      else if (act === "end-remove") {
        end(one, null);
        dialog.problem(element, "end_image", "");
        $("input[type=file]", element).focus();
      } else if (!target.closest("[data-p]")) return;
      setTimeout(() => one.clip && store(one), MS.keep);
      planSoon(one);
    });
    $("input[type=file]", element).addEventListener("change", ({ target }) => {
      addEnd(one, target.files);
      target.value = "";
    });
    element.addEventListener("drop", ({ dataTransfer }) => addEnd(one, dataTransfer?.files));
    element.addEventListener("paste", ({ clipboardData }) => {
      addEnd(one, [...(clipboardData?.files || [])].filter(({ type }) => type.startsWith("image/")));
    });
  };

  // -- Re-roll ------------------------------------------------------------------------------------------------
  const openReroll = (button) => {
    const { id, key, number, prompt: sentence } = button.dataset;
    const one = build("reroll", text("reroll_heading", { number }), text("reroll_submit"));
    one.clip = { id, key, kept: `${id} ${number}`, act: "reroll", part: Number(number), sentence };
    clear(one);
    const before = kept(one.clip.kept).prompt;
    prompt(one).value = typeof before === "string" ? before : sentence;
    one.blocked = false;
    spot(one, "notes").textContent = "";
    busy(one, false);
    planSoon(one);
    showLate(one);
    dialog.open(one.element, { from: button, focus: studio.oneColumn() ? null : prompt(one), closed: () => closed(one) });
  };

  // -- sending ------------------------------------------------------------------------------------------------
  const busy = (one, yes) => {
    one.busy = yes;
    one.go.setAttribute("aria-disabled", String(yes || Boolean(one.blocked)));
    if (yes) one.said(text("extend_sending"));
  };
  const press = (one) => {
    if (one.busy || !one.clip) return;
    if (one.adding) return one.said(text("adding_picture"));
    if (one.blocked) return $("[data-invalid] :is(input, textarea, select)", one.element)?.focus();
    clear(one);
    store(one);
    const { end: picture, ...values } = read[one.name](one);
    const { id, key, act, part: number } = one.clip;
    if (number) values.part = number;
    clearTimeout(one.timer);
    one.turn += 1; // a plan that is on its way says nothing of this press
    one.press = `${Date.now()} ${Math.random()}`;
    busy(one, true);
    host.trigger(act, { ...host.about(id, key), path: picture?.path || "", press: one.press, data: JSON.stringify(values) });
  };
  const said = (raw) => {
    try {
      return JSON.parse(raw) || {};
    } catch {
      return {};
    }
  };
  // `raw`: the answer to a press. No answer, or the answer to another press, is treated as no answer of the server.
  const answered = async (name, raw) => {
    const one = made[name];
    if (!one?.busy) return;
    const { press, made: job, problem, field } = said(raw);
    if (press === one.press && job) return finished(one, job);
    busy(one, false);
    const words = press === one.press && problem ? problem : text("failed");
    refuse(one, field, words);
    if (one.element.open) return planAgain(one);
    one.late = { about: one.clip.kept, field, words };
    one.clip = null;
  };
  const refuse = (one, field, words) => {
    one.refusal = () => {
      if (field && dialog.problem(one.element, field, words)) one.said("");
      else one.said(words, true);
    };
    one.refusal();
  };
  // The dialog stays until the card shows the new job, or for a moment: another answer may have replaced the card.
  const finished = async (one, job) => {
    const until = Date.now() + MS.answer;
    while ($("#ws-card .card")?.dataset.made !== job && Date.now() < until) await new Promise((done) => setTimeout(done, MS.look));
    forget(one.clip.kept);
    busy(one, false);
    one.said("");
    if (one.element.open) dialog.close(one.element);
    one.clip = null;
    scrollTo({ top: 0 });
  };
  // The reason of a refusal that came after its dialog was closed.
  const showLate = (one) => {
    const { late } = one;
    one.late = null;
    if (late?.about === one.clip.kept) refuse(one, late.field, late.words);
  };

  // -- the page -------------------------------------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-open]");
    if (button?.dataset.open === "extend") openExtend(button);
    if (button?.dataset.open === "reroll") openReroll(button);
    const jump = event.target.closest?.("[data-jump]");
    const stage = jump && $("#ws-card .stage[data-player]");
    if (!stage) return;
    const video = $("video", stage), show = () => stage.isConnected && studio.showFrame(stage, Number(jump.dataset.jump));
    video.pause();
    if (video.readyState) show();
    else video.addEventListener("loadedmetadata", show, { once: true });
    stage.scrollIntoView({ block: "nearest", behavior: studio.still() ? "auto" : "smooth" });
  });
  studio.extend = { host: (given) => (host = given), owner: (token) => (owner = token), answered };
})();
