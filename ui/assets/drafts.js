/* Unsent forms: stored in the browser as they change, one draft for each tab, and put back when the page opens. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, $$, text } = studio;
  const store = window.wanStorage;
  const PREFIX = "wan-studio-draft-", MINE = "wan-studio-tab", VERSION = 1;
  const NEWEST = 10, TEXT_MAX = 8000, LONGER = { variations: 60_000 }; // characters of a text, by its name
  const MS = { write: 300, answer: 500, reload: 1200, restore: 15_000, fill: 8000, used: 6 * 3_600_000 };
  const ID = /^[0-9a-f]{32}$/, NAME = /^[a-z_]{1,40}$/;

  let id = "", owner = "", used = 0, writing = 0;
  let written = 0; // when this page has stored its draft, or read it
  let starts = {}; // mode -> initial values
  let state = { tab: "", kinds: {}, forms: {} }; // what differs from them: mode -> {values, media: {field: {upload, id}}}
  let busy = true; // arriving values are not the creator's input
  let filling = null; // the forms before the current fill
  let opened = false; // the stored drafts have been read
  let come = false; // the values of a restored form have arrived from the server
  const touched = new Set(); // modes in which something was typed before they came
  const typed = {}; // mode -> its form then
  const undo = {}; // mode -> its form before the last clear, restore or fill
  const said = {}; // mode -> the last action
  const kept = {}; // "mode field" -> id of a restored file whose new path has not arrived yet

  const copy = (value) => JSON.parse(JSON.stringify(value ?? null));
  const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const object = (value) => (value && typeof value === "object" && !Array.isArray(value) ? value : {});
  const signal = () => {
    let done;
    const promise = new Promise((resolve) => (done = resolve));
    return { promise, done };
  };
  const hosted = signal();
  let ready = signal(), restored = signal();

  // -- what is stored ------------------------------------------------------------------------------
  const read = (one) => {
    try {
      const found = object(JSON.parse(store.getItem(PREFIX + one)));
      return found.v === VERSION ? found : null;
    } catch {
      return null;
    }
  };
  const stored = () => {
    let keys = [];
    try {
      keys = Object.keys(localStorage);
    } catch {
      /* blocked */
    }
    const ids = keys.filter((key) => key.startsWith(PREFIX)).map((key) => key.slice(PREFIX.length));
    return ids.map((one) => ({ id: one, at: Number(read(one)?.at) || 0 })).sort((a, b) => b.at - a.at);
  };
  const chosenTab = () => $("#ws-tabs [role=tab].selected")?.id.replace(/^tab-|-button$/g, "") || state.tab;
  const write = () => {
    clearTimeout(writing);
    writing = 0;
    if (!id || busy) return;
    if (isForeign()) fork();
    // After a restore that failed, the tab has its former draft until there is something to store.
    if (session() !== id && !Object.keys(state.forms).length) return;
    session(id);
    state.tab = chosenTab();
    if (!Object.keys(state.forms).length && state.tab === Object.keys(window.wanTabs)[0]) store.removeItem(PREFIX + id);
    else store.setItem(PREFIX + id, JSON.stringify({ v: VERSION, at: (written = Date.now()), by: me, ...state }));
  };
  // Another page has written this draft meanwhile: it was frozen or slow, and missed this page's message.
  const isForeign = () => {
    const there = written ? read(id) : null;
    return Boolean(there) && there.by !== me && Number(there.at) >= written;
  };
  // This page continues as a separate draft, with its own id and its own copies of the files.
  const fork = () => {
    claim((id = fresh()));
    session(id);
    for (const [mode, form] of Object.entries(state.forms))
      for (const [field, one] of Object.entries(form.media)) {
        delete one.id;
        keep(mode, field, one.upload);
      }
  };
  // Not postponed by further changes, so that continuous typing is stored as well.
  const soon = () => (writing ||= setTimeout(write, MS.write));

  // -- calls of the server, one after the other ------------------------------------------------------
  let calls = Promise.resolve();
  const call = (name, about) => {
    calls = calls.then(async () => {
      const { server } = await hosted.promise;
      try {
        return await server[name]({ owner, draft: id, ...about() });
      } catch {
        return undefined; // offline: the upload itself stays for a day
      }
    });
    return calls;
  };
  const media = () => Object.values(state.forms).flatMap((form) => Object.values(form.media));
  const retain = () => {
    used = Date.now();
    return call("retain", () => ({ files: media().map((one) => [one.id || "", one.upload]) }));
  };
  const keep = async (mode, field, path) => {
    const answer = await call("keep", () => ({ path }));
    const now = state.forms[mode]?.media[field];
    if (now?.upload !== path) return;
    if (answer?.said) studio.sayAtField(`${mode}-${field}`, text("not_kept", { reason: answer.said }));
    if (!answer?.id) return;
    now.id = answer.id;
    soon();
  };
  const forget = (one) => {
    store.removeItem(PREFIX + one);
    call("retain", () => ({ draft: one, files: [] }));
  };

  // -- a form changed ------------------------------------------------------------------------------
  // A new form starts with the initial values and over them those of a preset, if there is one for it.
  const begin = (mode) => ({ ...starts[mode], ...base(mode) });
  const base = (mode) =>
    Object.fromEntries(Object.entries(studio.presets.base(mode)).filter(([name, value]) => !usual(value, object(starts[mode])[name])));
  const blank = (mode) => ({ values: copy(base(mode)), media: {} });
  const values = (mode) => ({ ...starts[mode], ...(state.forms[mode] || blank(mode)).values });
  // An emptied number is null, or "" once its box was on the page.
  const usual = (one, other) => same(one === "" ? null : one, other === "" ? null : other);
  const taken = (mode, given) => {
    const form = { values: {}, media: {} };
    for (const [name, value] of Object.entries(given)) {
      if (name in object(starts[mode])) {
        const kept = typeof value === "string" ? value.slice(0, LONGER[name] || TEXT_MAX) : value;
        if (!usual(kept, starts[mode][name]) || !usual(kept, begin(mode)[name])) form.values[name] = kept;
      } else {
        const path = object(Array.isArray(value) ? value[0] : value).path;
        if (typeof path === "string" && path) form.media[name] = { upload: path };
      }
    }
    return form;
  };
  const isEmpty = (mode, form) => {
    if (!form || Object.keys(form.media).length) return !form;
    const all = { ...starts[mode], ...form.values };
    return Object.entries(begin(mode)).every(([name, value]) => usual(value, all[name]));
  };
  const plain = (form) => ({ values: object(form?.values), paths: Object.entries(object(form?.media)).map(([name, one]) => [name, one.upload]) });
  const save = (mode, names, token, ...values) => {
    if (token) owner = token;
    const form = taken(mode, Object.fromEntries(names.map((name, n) => [name, values[n]])));
    if (busy) {
      if (!come && touched.has(mode)) typed[mode] = form;
      return;
    }
    const before = state.forms[mode];
    if (same(plain(before), plain(form))) return;
    let dropped = false;
    for (const [field, one] of Object.entries(form.media)) {
      const old = before?.media[field];
      if (old?.upload === one.upload) one.id = old.id;
      else {
        one.id = kept[`${mode} ${field}`];
        dropped ||= Boolean(old) && !one.id;
        keep(mode, field, one.upload);
      }
      delete kept[`${mode} ${field}`];
    }
    dropped ||= Object.keys(object(before?.media)).some((field) => !(field in form.media));
    if (filling && filling.until > Date.now() && !filling.done.has(mode)) {
      filling.done.add(mode);
      undo[mode] = filling.forms[mode] || blank(mode);
      said[mode] = "";
    }
    if (isEmpty(mode, form)) delete state.forms[mode];
    else state.forms[mode] = form;
    soon();
    if (dropped) retain();
    show(mode);
  };

  // -- Clear and Undo --------------------------------------------------------------------------------
  const show = (mode) => {
    const values = Object.keys(object(state.forms[mode]?.values));
    if (values.some((name) => window.wanForms[mode].advanced.includes(name))) studio.buildAdvanced(mode);
    for (const row of $$(`.draft[data-mode="${mode}"]`)) {
      const set = (act, shown) => {
        const button = $(`[data-draft="${act}"]`, row);
        if (button.hidden === shown) button.hidden = !shown;
      };
      set("clear", !isEmpty(mode, state.forms[mode]));
      set("undo", mode in undo);
      const words = $("span", row);
      if (words.textContent !== (said[mode] || "")) words.textContent = said[mode] || "";
    }
    studio.presets.changed(mode);
  };
  const showAll = () => Object.keys(starts).forEach(show);

  /* Fills forms by the event `restore`; nothing is stored meanwhile, and no form is planned. Waits as long as the
     event is under way, and returns whether the values have come. */
  const put = async (draft, forms, kinds = {}) => {
    const { trigger } = await hosted.promise;
    [busy, come] = [true, false];
    const earlier = ready;
    (ready = signal()).promise.then(earlier.done); // for a plan that has waited since the page was opened
    restored = signal();
    for (const [mode, form] of Object.entries(forms))
      for (const [field, one] of Object.entries(object(form.media))) kept[`${mode} ${field}`] = one.id;
    trigger("restore", { draft, forms, kinds });
    const waits = () => Promise.race([restored.promise.then(() => false), pause(MS.restore).then(() => true)]);
    while (await waits()) if (!studio.events.isUnderWay("restore")) break;
    if (!come) Object.keys(kept).forEach((key) => delete kept[key]);
    settle();
    return come;
  };
  // Text typed while a form was being filled: kept if that form was not filled, else restored by Undo.
  const keepTyped = (filled) => {
    for (const [mode, form] of Object.entries(typed)) {
      delete typed[mode];
      if (mode in filled && !filled[mode].part) {
        undo[mode] = form;
        continue;
      }
      if (mode in filled) Object.assign(form.values, base(mode));
      state.forms[mode] = form;
      for (const [field, one] of Object.entries(form.media)) keep(mode, field, one.upload);
      soon();
    }
    touched.clear();
    showAll();
  };
  const settle = () => {
    busy = false;
    ready.done();
    showAll();
    hosted.promise.then(() => studio.replan?.(studio.mode()));
  };
  const swap = async (mode, form, words) => {
    const before = [copy(state.forms[mode]), undo[mode], said[mode]];
    const set = (form) => (isEmpty(mode, form) ? delete state.forms[mode] : (state.forms[mode] = form));
    undo[mode] = before[0] || blank(mode);
    said[mode] = words;
    set(form);
    filling = null;
    if (!(await put(id, { [mode]: form }))) {
      set(before[0]); // the form on the page is as it was
      [undo[mode], said[mode]] = before.slice(1);
      if (!undo[mode]) delete undo[mode];
      return showAll();
    }
    keepTyped({ [mode]: form });
    write();
    retain();
    $("[role=status]", document.getElementById("ws-drafts")).textContent = words;
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-draft]");
    if (busy) return;
    if (button) {
      const { draft: act, mode } = button.dataset;
      if (act === "clear") {
        await swap(mode, blank(mode), text("cleared"));
        studio.presets.begun(mode);
      }
      else await swap(mode, undo[mode], text("undone"));
      // The pressed button may be gone: the focus moves to the remaining one.
      if (button.hidden) $$("[data-draft]", button.parentElement).find((one) => !one.hidden)?.focus();
    }
    if (event.target.closest?.("#ws-tabs [role=tab]")) setTimeout(soon, 50);
  });
  const touches = (event) => {
    if (!event.isTrusted) return;
    filling = null;
    const field = busy && event.target.closest?.(".block[id], .ws-drop[id]")?.id;
    const mode = field && Object.keys(window.wanForms).find((name) => field.startsWith(`${name}-`));
    if (mode) touched.add(mode);
  };
  for (const kind of ["input", "change", "drop"]) document.addEventListener(kind, touches, true);

  // -- which draft is this tab's ---------------------------------------------------------------------
  const fresh = () => [...crypto.getRandomValues(new Uint8Array(16))].map((n) => n.toString(16).padStart(2, "0")).join("");
  const me = fresh(); // this page, as long as it is open
  const between = studio.betweenTabs("wan-studio-drafts");
  const answers = new Map(); // id asked for -> what to do when a tab has it
  between.listen((data) => {
    // If two pages ask at the same time, one of them gets it.
    const mine = data.ask === id || (answers.has(data.ask) && me < data.from);
    if (data.ask && data.from !== me && mine) between.tell({ held: data.ask });
    answers.get(data.held)?.();
  });
  const lock = (one) =>
    new Promise((resolve) => {
      navigator.locks
        .request(PREFIX + one, { ifAvailable: true }, (got) => {
          resolve(Boolean(got));
          return got ? new Promise(() => {}) : undefined; // held until the tab is closed
        })
        .catch(() => resolve(true));
    });
  // Whether no other page has this draft.
  const ask = async (one) => {
    const held = signal();
    answers.set(one, () => held.done(true));
    between.tell({ ask: one, from: me });
    const taken = await Promise.race([held.promise, pause(MS.answer)]);
    answers.delete(one);
    return !taken;
  };
  // Locks are for pages on https or on this machine alone.
  const claim = (one) => (navigator.locks ? lock(one) : ask(one));
  const claimOwn = async (one) => {
    // During a reload the old page may hold it for a moment.
    const end = Date.now() + MS.reload;
    while (!(await claim(one))) {
      if (Date.now() > end) return false;
      await pause(50);
    }
    return true;
  };
  const session = (value) => {
    try {
      if (value) sessionStorage.setItem(MINE, value);
      return sessionStorage.getItem(MINE) || "";
    } catch {
      return "";
    }
  };
  // The draft to show: the tab's own; that of the tab it was duplicated from; the newest one without a tab.
  const choose = async () => {
    const own = session();
    if (ID.test(own)) {
      if (await claimOwn(own)) return (id = own);
      await claim((id = fresh()));
      return own;
    }
    for (const { id: one } of stored()) if (ID.test(one) && (await claim(one))) return (id = one);
    await claim((id = fresh()));
    return id;
  };
  const prune = async () => {
    const locks = await navigator.locks?.query().catch(() => null);
    const held = new Set((locks?.held || []).map((one) => one.name));
    for (const { id: one } of stored().slice(NEWEST)) {
      if (one === id || held.has(PREFIX + one)) continue;
      if (!ID.test(one)) store.removeItem(PREFIX + one);
      else if (navigator.locks || (await ask(one))) forget(one);
    }
  };

  // -- the page opens --------------------------------------------------------------------------------
  const openTab = (name) => {
    const linked = new URL(location.href).searchParams.has("job"); // the card is not beside the other tabs
    if (typeof name === "string" && NAME.test(name) && (!linked || name in window.wanTabs) && name !== chosenTab())
      document.getElementById(`tab-${name}-button`)?.click();
  };
  const open = async (token) => {
    owner = token || owner;
    const { element } = await hosted.promise;
    starts = JSON.parse($("[data-starts]", element).dataset.starts);
    const [source] = await Promise.all([choose(), studio.presets.ready()]);
    session(id);
    const found = read(source);
    written = Date.now();
    if (found) {
      for (const [mode, form] of Object.entries(object(found.forms))) {
        const { values, media: files } = object(form);
        const usable = Object.entries(object(files)).filter(([, one]) => typeof object(one).upload === "string");
        if (mode in starts) state.forms[mode] = { values: object(values), media: Object.fromEntries(usable) };
      }
      state.kinds = object(found.kinds);
      openTab(found.tab);
      state.tab = chosenTab();
      for (const mode of Object.keys(state.forms)) {
        undo[mode] = blank(mode);
        said[mode] = text("restored");
      }
    }
    opened = true;
    const { forms, kinds } = copy(state);
    // A new form gets only the values of its preset: something may have been typed already.
    const begun = Object.keys(starts).filter((mode) => !forms[mode] && Object.keys(base(mode)).length);
    for (const mode of begun) forms[mode] = { ...blank(mode), part: true };
    const isStored = Object.keys(forms).length + Object.keys(kinds).length;
    if (!isStored) settle();
    else if (!(await put(source, forms, kinds))) {
      // The stored draft stays for the next load; later input goes to another draft.
      Object.assign(state, { kinds: {}, forms: {} });
      for (const mode of Object.keys(forms)) delete undo[mode];
      await claim((id = fresh()));
      written = 0;
      return keepTyped({});
    }
    keepTyped(forms);
    begun.forEach(studio.presets.begun);
    if (source !== id) write();
    if (media().length) retain();
    prune();
  };
  const flush = () => {
    if (writing || (!busy && chosenTab() !== state.tab)) write();
  };
  addEventListener("pagehide", flush);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) flush();
    else if (media().length && Date.now() - used > MS.used) retain();
  });
  setInterval(() => media().length && retain(), MS.used);

  studio.drafts = {
    host: hosted.done,
    open: (token) => {
      open(token).catch(settle).then(studio.presets.opened);
    },
    save,
    kind: (tab, value) => {
      if (busy || state.kinds[tab] === value) return;
      state.kinds[tab] = value;
      soon();
    },
    restored: () => restored.done(),
    // The answer of `restore` has arrived; the page shows it in a moment.
    arrives: () => (come = true),
    busy: () => busy,
    owner: () => owner,
    values,
    // The initial values of new forms change; open forms keep their values.
    rebase: (change) => {
      if (!opened) return change();
      const before = Object.fromEntries(Object.keys(starts).map((mode) => [mode, values(mode)]));
      change();
      for (const [mode, now] of Object.entries(before)) {
        const form = { values: taken(mode, now).values, media: state.forms[mode]?.media || {} };
        if (isEmpty(mode, form)) delete state.forms[mode];
        else state.forms[mode] = form;
        if (!busy) show(mode);
      }
      if (!busy) soon();
      return undefined;
    },
    // Whether values that arrive now may be those of a fill.
    filling: () => Boolean(filling) && filling.until > Date.now(),
    // Resolves once the forms are filled; they are planned after that.
    ready: () => Promise.race([ready.promise, pause(MS.restore)]),
    // A fill of the page (settings, a starter, a frame) is about to arrive.
    before: () => {
      studio.beforeFill?.();
      filling = { forms: copy(state.forms), until: Date.now() + MS.fill, done: new Set() };
    },
  };
})();
