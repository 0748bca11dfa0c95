/* Compare: two clips or pictures in a dialog, side by side or under a slider, with one clock (compare_clock.js).
   studio.compare.open([{id, key, url, title, fps, frames, still}, {...}], from): everything but id and key is looked up
   when it is not given, and what differs in the settings always. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, $$, part, text } = studio;
  const NAMES = ["A", "B"];
  const QUARTER = 0.25, SECOND = 1; // of the arrow keys, J and L, as in the player
  const kept = { view: "side", zoom: "fit", sound: "none" }; // while the page is open
  const asked = { number: 0 };
  let open = null; // what is shown now

  const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
  const labelled = (name, words, tip = words) => {
    const button = part("button", "", "");
    Object.assign(button, { type: "button", title: tip });
    button.dataset.c = name;
    button.setAttribute("aria-label", words);
    return button;
  };
  const choice = (name, label, options) => {
    const field = part("fieldset", "compare-choice"), row = part("div", "dialog-choice"), legend = part("legend", "sr", label);
    field.dataset.choice = name;
    for (const [value, words, tip] of options) {
      const option = part("label", ""), input = document.createElement("input");
      Object.assign(input, { type: "radio", name: `compare-${name}`, value });
      if (tip) option.title = tip;
      option.append(input, part("span", "", words));
      row.append(option);
    }
    field.append(legend, row);
    return field;
  };

  // -- the dialog, built once ---------------------------------------------------------------------------
  const built = () => {
    const dialog = studio.dialog.make({ name: "compare", heading: text("compare_heading"), wide: true });
    if ($(".compare", dialog.body)) return dialog;
    const box = part("div", "compare"), tools = part("div", "compare-tools"), stage = part("div", "compare-stage");
    tools.append(
      choice("view", text("compare_view"), [["side", text("compare_side")], ["slider", text("compare_slider")]]),
      choice("zoom", text("compare_zoom"), [["fit", text("compare_fit")], ["whole", text("compare_whole"), text("compare_whole_tip")]]),
      choice("sound", text("compare_sound"), [["none", text("compare_silent")], ["0", "A"], ["1", "B"]]),
    );
    for (const [index, name] of NAMES.entries()) {
      const half = part("figure", "compare-half"), view = part("div", "compare-view"), words = part("figcaption", "");
      half.dataset.half = index;
      words.append(part("strong", "", name), Object.assign(part("span", "title"), { dir: "auto" }), part("span", "facts"));
      view.append(part("div", "compare-frame"));
      half.append(view, words);
      stage.append(half);
    }
    const grip = part("div", "compare-grip");
    grip.tabIndex = 0;
    for (const [name, value] of [["role", "slider"], ["aria-label", text("compare_grip")], ["aria-valuemin", 0], ["aria-valuemax", 100]])
      grip.setAttribute(name, value);
    stage.append(grip);
    const bar = part("div", "compare-bar"), range = document.createElement("input");
    bar.setAttribute("role", "group");
    bar.setAttribute("aria-label", text("compare_bar"));
    Object.assign(range, { type: "range", min: 0, step: 1, value: 0 });
    range.setAttribute("aria-label", text("compare_position"));
    bar.append(
      labelled("back", text("compare_back"), text("compare_back_tip")),
      labelled("play", text("play"), text("compare_play_tip")),
      labelled("next", text("compare_next"), text("compare_next_tip")),
      part("span", "now"),
      range,
      part("span", "count"),
    );
    const differs = part("section", "compare-differs");
    box.append(tools, stage, bar, differs);
    dialog.body.append(box);
    dialog.element.addEventListener("keydown", keys);
    box.addEventListener("change", changed);
    range.addEventListener("input", () => open?.clock?.to(Number(range.value)));
    bar.addEventListener("click", ({ target }) => press(target.closest("[data-c]")?.dataset.c));
    stage.addEventListener("pointerdown", drag);
    grip.addEventListener("keydown", slide);
    for (const view of $$(".compare-view", stage)) view.addEventListener("scroll", () => scrolled(view), { passive: true });
    return dialog;
  };

  // -- the slider ------------------------------------------------------------------------------------------
  const cut = (percent) => {
    const stage = $(".compare-stage"), grip = $(".compare-grip", stage), now = Math.round(Math.min(100, Math.max(0, percent)));
    stage.style.setProperty("--cut", `${now}%`);
    grip.setAttribute("aria-valuenow", now);
    grip.setAttribute("aria-valuetext", text("compare_cut", { percent: now }));
    open.cut = now;
  };
  const slide = (event) => {
    const by = { ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2, PageDown: -10, PageUp: 10 }[event.key];
    const to = { Home: 0, End: 100 }[event.key] ?? (by && open.cut + by);
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    cut(to);
  };
  // The picture itself drags the slider; at full size only the grip does, because the picture is moved then.
  const drag = (event) => {
    if (!open || kept.view !== "slider" || event.button > 0) return;
    const stage = $(".compare-stage"), grip = $(".compare-grip", stage), box = $(".compare-view", stage).getBoundingClientRect();
    if (kept.zoom === "whole" && !grip.contains(event.target)) return;
    if (!event.target.closest(".compare-view, .compare-grip")) return;
    event.preventDefault();
    grip.focus({ preventScroll: true });
    const move = ({ clientX }) => cut((100 * (clientX - box.left)) / box.width);
    const end = () => {
      removeEventListener("pointermove", move);
      for (const kind of ["pointerup", "pointercancel"]) removeEventListener(kind, end);
    };
    move(event);
    addEventListener("pointermove", move);
    for (const kind of ["pointerup", "pointercancel"]) addEventListener(kind, end);
  };

  // -- size: both in frames of one size, so that the same place is at the same point of each ----------------
  const sized = () => {
    const { clips } = open, stage = $(".compare-stage");
    const wide = Math.max(16, ...clips.map(({ width }) => width || 0)), high = Math.max(16, ...clips.map(({ height }) => height || 0));
    stage.style.setProperty("--wide", wide);
    stage.style.setProperty("--high", high);
    stage.style.setProperty("--dots", devicePixelRatio || 1);
    for (const view of $$(".compare-view", stage)) {
      const scrolls = kept.zoom === "whole";
      view.toggleAttribute("tabindex", false);
      if (scrolls) view.tabIndex = 0;
    }
  };
  let moving = null; // the view that the visitor scrolls; the other one follows
  const scrolled = (view) => {
    if (!open || (moving && moving !== view)) return;
    moving = view;
    for (const other of $$(".compare-view")) if (other !== view) Object.assign(other, { scrollLeft: view.scrollLeft, scrollTop: view.scrollTop });
    requestAnimationFrame(() => (moving = null));
  };

  // -- what is shown -----------------------------------------------------------------------------------------
  const arranged = () => {
    const stage = $(".compare-stage");
    Object.assign(stage.dataset, { view: kept.view, zoom: kept.zoom });
    for (const [name, value] of Object.entries(kept))
      for (const input of $$(`[name="compare-${name}"]`)) input.checked = input.value === value;
    $(".compare-grip", stage).hidden = kept.view !== "slider";
    sized();
    cut(open.cut);
    heard();
  };
  const heard = () => {
    const { clips } = open, field = $('[data-choice="sound"]');
    field.hidden = !clips.some(({ sound }) => sound);
    for (const input of $$("input", field)) input.disabled = input.value !== "none" && !clips[input.value].sound;
    const now = kept.sound !== "none" && clips[kept.sound].sound ? kept.sound : "none";
    for (const input of $$("input", field)) input.checked = input.value === now;
    open.media.forEach((node, index) => node.tagName === "VIDEO" && (node.muted = String(index) !== now));
  };
  const changed = ({ target }) => {
    if (!open || target.type !== "radio" || !target.checked) return;
    kept[target.name.replace("compare-", "")] = target.value;
    arranged();
  };
  const drawn = ({ moment, length, playing, step, steps, frames }) => {
    const bar = $(".compare-bar"), range = $("input", bar), play = $('[data-c="play"]', bar);
    range.max = steps - 1;
    range.value = step;
    range.style.setProperty("--p", (steps > 1 ? step / (steps - 1) : 0).toFixed(4));
    const place = text("position", { seconds: moment.toFixed(1), length: length.toFixed(1) });
    range.setAttribute("aria-valuetext", place);
    $(".now", bar).textContent = text("compare_time", { now: clock(moment), length: clock(length) });
    const numbers = frames.map((frame, index) => (stands(open.clips[index]) ? "–" : frame + 1));
    $(".count", bar).textContent = text("compare_frames", { first: numbers[0], second: numbers[1] });
    bar.toggleAttribute("data-playing", playing);
    play.setAttribute("aria-label", text(playing ? "pause" : "play"));
  };

  // A file that cannot be loaded gets a new address once: signed ones expire.
  const lost = async (index) => {
    const mine = open, clip = mine.clips[index];
    if (clip.renewed) return failed(index);
    clip.renewed = true;
    const answer = await studio.compared(mine.pairs).catch(() => undefined);
    if (mine !== open) return;
    if (!answer?.clips) return failed(index);
    mine.media[index].src = answer.clips[index].url;
  };
  const failed = (index) => {
    const frame = $$(".compare-frame")[index];
    if ($(".lost", frame)) return;
    const line = part("p", "lost", text("compare_lost"));
    line.setAttribute("role", "alert");
    frame.append(line);
    open.clips[index].lost = true; // the other clip continues alone
    clocked();
  };
  const medium = (clip, index) => {
    const node = document.createElement(clip.still ? "img" : "video");
    if (clip.still) node.alt = clip.title || "";
    else {
      Object.assign(node, { muted: true, playsInline: true, preload: "auto", tabIndex: -1 });
      if (clip.poster) node.poster = clip.poster;
      node.setAttribute("aria-label", clip.title || NAMES[index]);
      for (const kind of ["loadedmetadata", "loadeddata"]) node.addEventListener(kind, () => open?.media[index] === node && open.clock?.ready());
    }
    node.addEventListener("error", () => open?.media[index] === node && lost(index));
    node.src = clip.url;
    return node;
  };
  const filled = (given) => {
    const { clips } = open;
    clips.forEach((clip, index) => Object.assign(clip, given[index]));
    $$(".compare-half").forEach((half, index) => {
      const clip = clips[index], frame = $(".compare-frame", half);
      $(".title", half).textContent = clip.title || "";
      $(".facts", half).textContent = (clip.facts || []).join(", ");
      if (open.media[index]) return;
      open.media[index] = medium(clip, index);
      frame.replaceChildren(open.media[index]);
    });
    clocked();
    arranged();
  };
  const stands = ({ still, lost }) => still || lost;
  const clocked = () => {
    const { clips, media } = open;
    open.clock?.close();
    open.clock = studio.pairClock(clips.map((clip, index) => (stands(clip) ? { frames: 0 } : { video: media[index], fps: clip.fps || 16, frames: clip.frames })), drawn);
    $(".compare-bar").hidden = clips.every(stands);
    open.clock.seek(0);
  };
  const told = (rows) => {
    const place = $(".compare-differs"), heading = part("h3", "", text("compare_differs"));
    if (!rows.length) return place.replaceChildren(heading, part("p", "", text("compare_alike")));
    const table = part("table", ""), head = table.createTHead().insertRow(), body = table.createTBody();
    for (const words of ["", ...NAMES]) {
      const cell = part("th", "", words);
      cell.scope = "col";
      head.append(cell);
    }
    for (const [name, first, second] of rows) {
      const row = body.insertRow(), label = part("th", "", name);
      label.scope = "row";
      row.append(label);
      for (const value of [first, second]) {
        const cell = part("td", "", value);
        cell.dir = "auto";
        row.append(cell);
      }
    }
    place.replaceChildren(heading, table);
  };

  // -- keys and buttons -----------------------------------------------------------------------------------------
  const PRESS = { play: () => open.clock.toggle(), back: () => open.clock.step(-1), next: () => open.clock.step(1) };
  const press = (name) => open?.clock && PRESS[name]?.();
  const KEYS = {
    " ": () => press("play"), k: () => press("play"), ",": () => press("back"), ".": () => press("next"),
    ArrowLeft: () => open.clock.jump(-QUARTER), ArrowRight: () => open.clock.jump(QUARTER),
    j: () => open.clock.jump(-SECOND), l: () => open.clock.jump(SECOND), Home: () => open.clock.seek(0), End: () => open.clock.seek(open.clock.length),
  };
  const MOVED = { ArrowLeft: 1, ArrowRight: 1, Home: 1, End: 1 }; // have another meaning on these elements
  const keys = (event) => {
    if (!open?.clock || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const place = event.target;
    if (MOVED[key] && place.matches("input[type=radio], .compare-grip, .compare-view[tabindex]")) return;
    if (key === " " && place.matches("button, input[type=radio]")) return;
    if (!KEYS[key] || $(".compare-bar").hidden) return;
    event.preventDefault();
    event.stopPropagation();
    KEYS[key]();
  };

  // -- opening and closing -----------------------------------------------------------------------------------
  const closed = () => {
    if (!open) return;
    open.clock?.close();
    for (const node of open.media) {
      node?.removeAttribute("src"); // ends the download
      node?.load?.();
    }
    for (const frame of $$(".compare-frame")) frame.replaceChildren();
    open = null;
  };
  const show = async (clips, from) => {
    closed();
    const dialog = built(), pairs = clips.map(({ id, key }) => ({ id, key })), mine = (asked.number += 1);
    open = { clips: clips.map((clip) => ({ ...clip })), pairs, media: [], clock: null, cut: 50 };
    for (const video of $$("#ws-card video")) video.pause();
    $(".compare-differs").replaceChildren();
    $(".compare-bar").hidden = true;
    for (const place of $$(".compare-half :is(.title, .facts)")) place.textContent = "";
    dialog.said("");
    studio.dialog.open(dialog.element, { from, focus: dialog.title, closed });
    arranged();
    if (open.clips.every(({ url }) => url)) filled([{}, {}]);
    const answer = await studio.compared(pairs).catch(() => undefined);
    if (mine !== asked.number || !open) return;
    if (!answer?.clips) {
      if (answer?.unfinished) return dialog.said(text("compare_unfinished", { title: answer.unfinished }), true);
      return dialog.said(text(answer ? "compare_gone" : "compare_failed"), true);
    }
    const known = open.clips.every(({ url }) => url);
    filled(known ? answer.clips.map(({ url, ...rest }) => rest) : answer.clips);
    told(answer.differs);
    if (!studio.still()) open.clock.play();
  };
  addEventListener("resize", () => open && sized());
  studio.compare = { open: show, state: () => open && { cut: open.cut, ...kept } };
})();
