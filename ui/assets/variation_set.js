/* Variations on the card (ui/views/variation_set.py): their clips play in step under one set of controls, and some of
   them are picked. One clip leads, the longest; the others follow its time. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, $$, text } = studio;
  const LOADS = 3; // files at a time, so that the page's other requests have connections
  const LARGEST = 80_000_000; // bytes of a clip that is held in memory; a larger one is read as it plays
  const NEAR = 0.02, FAR = 0.3; // seconds between a clip and the leading one: in step, and too far to catch up
  const SEEK = 2000; // milliseconds that a seek may take before the others continue without it
  const TICK = 100; // milliseconds

  const set = () => $("#ws-card .stage.set");
  const bar = (box) => box && $(".set-bar", box);
  const kept = { looping: true, speed: 1 }; // while the page is open
  const picked = new Map(); // id of a set -> ids of the picked ones
  const clips = new Map(); // address -> {url, state: "waits" | "loads" | "there" | "lost"}
  const addressOf = new WeakMap(); // video -> the address that it shows
  let playing = false, sound = "", at = 0; // seconds at which all of them are paused
  let timer = 0, waiting = 0;

  const videos = (box) => $$("video", box);
  const loaded = (box) => videos(box).filter((video) => video.readyState && video.duration); // also while it seeks
  const ready = (box) => videos(box).filter((video) => video.readyState >= 2 && video.duration);
  const fps = (video) => Number(video?.dataset.fps) || 16;
  const leader = (box) => ready(box).reduce((best, one) => (!best || one.duration > best.duration + 0.01 ? one : best), null);
  const frames = (box) => Math.max(1, ...videos(box).map((video) => Number(video.dataset.frames) || 1));
  const within = (frame, box) => Math.min(frames(box) - 1, Math.max(0, frame));
  const time = (box) => (playing && leader(box) ? leader(box).currentTime : at);
  const frame = (box) => within(Math.floor(time(box) * fps(leader(box) || videos(box)[0]) + 0.01), box);

  // -- what the controls show -----------------------------------------------------------------------------------------
  const write = (node, value) => node && node.textContent !== value && (node.textContent = value);
  const draw = (box) => {
    const controls = bar(box);
    if (!controls) return;
    const now = frame(box), all = frames(box), range = $('input[type="range"]', controls);
    if (Number(range.max) !== all - 1) range.max = all - 1;
    if (!range.matches(":active")) range.value = now;
    range.style.setProperty("--p", (all > 1 ? now / (all - 1) : 0).toFixed(4));
    const words = text("frame_of", { frame: now + 1, frames: all });
    range.setAttribute("aria-valuetext", words);
    write($(".count", controls), words);
    controls.toggleAttribute("data-paused", !playing);
    $('[data-s="play"]', controls).setAttribute("aria-label", text(playing ? "pause" : "play"));
    $('[data-s="loop"]', controls).setAttribute("aria-pressed", String(kept.looping));
    const speed = $("[data-set-speed]", controls);
    if (speed.value !== String(kept.speed)) speed.value = String(kept.speed);
    for (const cell of $$(".cell", box)) {
      const own = cell.dataset.cell === sound, video = $("video", cell);
      $('[data-s="sound"]', cell)?.setAttribute("aria-pressed", String(own));
      if (video && video.muted === own) video.muted = !own;
    }
  };

  // -- the clock -------------------------------------------------------------------------------------------------------
  const sought = (video, seconds) =>
    new Promise((done) => {
      const to = Math.min(seconds, Math.max(0, (video.duration || 0) - 0.5 / fps(video)));
      const end = () => {
        clearTimeout(late);
        video.removeEventListener("seeked", end);
        done();
      };
      const late = setTimeout(end, SEEK);
      video.addEventListener("seeked", end);
      video.currentTime = to;
    });
  const seek = (box, seconds) => {
    at = seconds;
    draw(box);
    return Promise.all(loaded(box).map((video) => sought(video, seconds)));
  };
  let turn = 0; // a later call of play, pause or seek overrides an earlier one
  const start = async (box) => {
    const own = (turn += 1);
    for (const video of videos(box)) video.pause();
    playing = true;
    const first = leader(box);
    if (!first) return (playing = false);
    if (at >= first.duration - 1 / fps(first)) at = 0;
    await seek(box, at);
    if (own !== turn || !box.isConnected) return;
    for (const video of ready(box)) run(video);
    tick();
  };
  const run = (video) => {
    video.playbackRate = kept.speed;
    video.play().catch((error) => {
      if (error.name !== "NotAllowedError") return; // else it was paused before it began
      video.muted = true;
      video.play().catch(() => {});
    });
  };
  const settle = (box, seconds) => {
    turn += 1;
    playing = false;
    clearTimeout(timer);
    for (const video of videos(box)) video.pause();
    return seek(box, seconds);
  };
  const middle = (box, number) => (within(number, box) + 0.5) / fps(leader(box) || videos(box)[0]);
  const pause = (box) => settle(box, middle(box, frame(box)));
  const show = (box, number) => settle(box, middle(box, number));
  const toggle = (box) => (playing ? pause(box) : start(box));
  const jump = (box, seconds) => show(box, frame(box) + Math.round(seconds * fps(leader(box))));
  // The others follow the leading clip: slightly faster or slower, or by a seek where that would take long.
  const follow = (box, first) => {
    for (const video of ready(box)) {
      if (video === first || video.ended) continue;
      const behind = first.currentTime - video.currentTime;
      if (Math.abs(behind) > FAR && first.currentTime < video.duration) video.currentTime = first.currentTime;
      const rate = Math.abs(behind) < NEAR ? 1 : 1 + Math.max(-0.3, Math.min(0.3, 2 * behind));
      video.playbackRate = kept.speed * rate;
      if (video.paused && first.currentTime < video.duration - 1 / fps(video)) run(video);
    }
  };
  const tick = () => {
    clearTimeout(timer);
    const box = set(), first = box && leader(box);
    if (!playing || !first) return (playing = false);
    if (!box.getClientRects().length || $("dialog[open]")) return pause(box); // another tab or a dialog is in front
    if (first.ended) {
      if (!kept.looping) return settle(box, middle(box, frames(box) - 1));
      at = 0;
      return start(box);
    }
    follow(box, first);
    at = first.currentTime;
    draw(box);
    timer = setTimeout(tick, TICK);
  };

  // -- loading: each file once, and kept as long as its set is on the card ---------------------------------------------
  const put = (video, clip) => {
    if (addressOf.get(video) === video.dataset.src && video.getAttribute("src")) return;
    addressOf.set(video, video.dataset.src);
    video.src = clip.url;
    video.preload = "auto";
  };
  const lost = (cell, yes) => {
    const line = $(".cell-lost", cell);
    if (!line) return;
    line.hidden = !yes;
    line.textContent = yes ? text("set_lost") : "";
  };
  const fetched = async (address, large) => {
    if (large) return address;
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(String(answer.status));
    return URL.createObjectURL(await answer.blob());
  };
  const load = async (address, large) => {
    const clip = clips.get(address);
    waiting += 1;
    clip.state = "loads";
    try {
      clip.url = await fetched(address, large);
      clip.state = "there";
    } catch (error) {
      console.warn("A clip could not be loaded", error);
      clip.state = "lost";
    }
    waiting -= 1;
    fill();
  };
  const fill = () => {
    const box = set();
    for (const video of box ? videos(box) : []) {
      const address = video.dataset.src, clip = clips.get(address) || { url: "", state: "waits" };
      clips.set(address, clip);
      if (clip.state === "there") put(video, clip);
      lost(video.closest(".cell"), clip.state === "lost");
      if (clip.state === "waits" && waiting < LOADS) load(address, Number(video.dataset.bytes) > LARGEST);
    }
  };
  const drop = (shown) => {
    for (const [address, clip] of [...clips]) {
      if (shown.has(address) || clip.state === "loads") continue;
      if (clip.url.startsWith("blob:")) URL.revokeObjectURL(clip.url);
      clips.delete(address);
    }
  };
  addEventListener("online", () => {
    for (const clip of clips.values()) if (clip.state === "lost") clip.state = "waits";
    fill();
  });
  // A newly loaded clip joins the others at their position.
  document.addEventListener("loadeddata", async ({ target }) => {
    const box = target.closest?.(".stage.set");
    if (!box) return;
    target.muted = target.closest(".cell").dataset.cell !== sound;
    await sought(target, time(box));
    if (playing) run(target);
    else if (box.dataset.starts && videos(box).every((video) => video.readyState >= 2)) {
      delete box.dataset.starts;
      start(box);
    }
    draw(box);
  }, true);

  // -- picking -----------------------------------------------------------------------------------------------------------
  const picksOf = (box) => {
    if (!picked.has(box.dataset.set)) picked.set(box.dataset.set, new Set());
    return picked.get(box.dataset.set);
  };
  const chosen = (box) => $$(".cell", box).filter((cell) => picksOf(box).has(cell.dataset.cell));
  const mark = (box) => {
    const picks = picksOf(box), cells = $$(".cell", box);
    for (const id of [...picks]) if (!cells.some((cell) => cell.dataset.cell === id)) picks.delete(id);
    for (const cell of cells) {
      const input = $("[data-pick]", cell);
      if (input && input.checked !== picks.has(cell.dataset.cell)) input.checked = picks.has(cell.dataset.cell);
      cell.toggleAttribute("data-picked", picks.has(cell.dataset.cell));
    }
    const card = box.closest(".card"), row = $(".picks", card), count = picks.size;
    if (!row) return;
    row.hidden = !count;
    const others = $(".set-steps", card);
    if (others) others.hidden = count > 0;
    if (count) write($(".picked", row), text("set_picked", { count }));
    const keep = $("[data-keep]", row);
    if (keep) keep.hidden = count === cells.length;
    for (const item of $$("[data-picks]", row)) item.hidden = Number(item.dataset.picks) !== count;
  };
  document.addEventListener("change", ({ target }) => {
    const box = target.closest?.(".stage.set");
    if (box && target.matches("[data-pick]")) {
      const { cell } = target.closest(".cell").dataset, picks = picksOf(box);
      if (target.checked) picks.add(cell);
      else picks.delete(cell);
      mark(box);
    }
    if (box && target.matches("[data-set-speed]")) {
      kept.speed = Number(target.value);
      for (const video of videos(box)) video.playbackRate = kept.speed;
    }
  });
  const pairs = (cells) => cells.map(({ dataset }) => [dataset.cell, dataset.key]);

  // -- what the buttons and keys do --------------------------------------------------------------------------------------
  const download = (cells) => {
    for (const cell of cells) {
      const media = $("video, img", cell), address = media.dataset.src || media.getAttribute("src");
      const link = Object.assign(document.createElement("a"), { href: `${address}&download=1`, download: "" });
      document.body.append(link);
      link.click();
      link.remove();
    }
  };
  const jobs = (cells) => cells.map(({ dataset }) => ({ id: dataset.cell, key: dataset.key, title: dataset.title }));
  const opener = (button) => button.closest(".menu-box")?.querySelector("[data-menu]") || button;
  // Of the cell that contains the button, else of the picked ones.
  const finish = (box, button) => {
    const own = button.closest(".cell"), cells = own ? [own] : chosen(box);
    if (!studio.pressedAgain("finish")) studio.makeFinals({ jobs: jobs(cells), resolution: button.dataset.size, speed: "quality" });
  };
  const clear = (box) => {
    picksOf(box).clear();
    mark(box);
    $("[data-pick]", box)?.focus({ preventScroll: true });
  };
  const listen = (box, button) => {
    const { cell } = button.closest(".cell").dataset;
    sound = sound === cell ? "" : cell;
    draw(box);
  };
  const ACTS = {
    play: toggle, back: (box) => show(box, frame(box) - 1), next: (box) => show(box, frame(box) + 1),
    loop: (box) => ((kept.looping = !kept.looping), draw(box)), clear, sound: listen,
    download: (box) => download(chosen(box)), finish,
    compare: (box, button) => studio.compare.open(jobs(chosen(box)), opener(button)),
    other: (box, button) => studio.finish.open(jobs(chosen(box)), opener(button)),
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("#ws-card [data-s]"), box = button && set();
    if (box) ACTS[button.dataset.s]?.(box, button);
  });
  document.addEventListener("input", ({ target }) => {
    const box = target.closest?.(".set-bar") && set();
    if (box && target.type === "range") show(box, Number(target.value));
  });
  const faster = (box, by) => {
    const select = $("[data-set-speed]", box), next = select.options[select.selectedIndex + by];
    if (!next) return;
    select.value = next.value;
    select.dispatchEvent(new Event("change", { bubbles: true }));
  };
  const KEYS = {
    " ": toggle, k: toggle, ",": ACTS.back, ".": ACTS.next, j: (box) => jump(box, -1), l: (box) => jump(box, 1),
    ArrowLeft: (box) => jump(box, -0.25), ArrowRight: (box) => jump(box, 0.25), r: ACTS.loop,
    "<": (box) => faster(box, -1), ">": (box) => faster(box, 1),
    m: (box) => {
      const cells = $$(".cell:has([data-s=sound])", box), now = cells.findIndex((cell) => cell.dataset.cell === sound);
      if (cells.length) sound = cells[now + 1]?.dataset.cell || "";
      draw(box);
    },
  };
  const HELD = [",", ".", "j", "l", "ArrowLeft", "ArrowRight"]; // act again while they are held down
  document.addEventListener("keydown", (event) => {
    const box = set(), seen = box && bar(box) && box.getBoundingClientRect();
    if (!seen || !seen.width || seen.bottom <= 0 || seen.top >= innerHeight || event.defaultPrevented) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const own = event.target.closest?.(".set-bar") && event.target.type === "range";
    if (!KEYS[key] || event.ctrlKey || event.metaKey || event.altKey || (!own && studio.takesKey(event))) return;
    event.preventDefault();
    if (!event.repeat || HELD.includes(key)) KEYS[key](box);
  });

  // -- for the card -------------------------------------------------------------------------------------------------------
  let before = "";
  studio.dressSet = (element) => {
    const box = $(".stage.set", element);
    if (!box) {
      if (before) drop(new Set());
      before = "";
      playing = false;
      return;
    }
    if (before !== box.dataset.set) Object.assign(box.dataset, $(".head[data-autoplay]", element) && !studio.still() ? { starts: "1" } : {});
    if (before !== box.dataset.set) [playing, at, sound] = [false, 0, ""];
    before = box.dataset.set;
    drop(new Set(videos(box).map((video) => video.dataset.src)));
    fill();
    mark(box);
    draw(box);
  };
  // The data of an event about the picked ones.
  studio.picks = () => {
    const box = set();
    return { id: box?.dataset.set || "", key: $("#ws-card .card").dataset.shownkey || "", picked: box ? pairs(chosen(box)) : [] };
  };
  // The clip whose frame is taken, and the number of that frame.
  studio.pickedVideo = () => {
    const box = set(), cell = box && chosen(box)[0];
    return cell ? $("video", cell) : null;
  };
  studio.setFrame = () => (set() ? frame(set()) + 1 : 0);
  // The preview of a running set belongs to one of its clips.
  studio.paintPart = (part, image) => {
    const picture = part && $(`.cell[data-cell="${CSS.escape(part)}"] [data-preview]`);
    if (!picture) return;
    picture.src = image;
    picture.classList.remove("dim");
  };
})();
