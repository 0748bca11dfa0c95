/* The clip's player: play, single frames, speed, repeat, sound, full screen, and its keys. Media events do not
   bubble: they are captured. Frame n is on the screen from n / fps to (n + 1) / fps: seeking to the middle of that
   span shows exactly this frame. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, $$, text } = studio;
  const SECOND = 1, QUARTER = 0.25; // J and L, arrow keys
  const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
  const of = (node) => node.closest?.("[data-player]");
  const kept = { looping: true, muted: false, speed: 1, tools: false }; // while the page is open
  const painted = new WeakMap(); // video -> the frame that it painted last while it played
  const wanted = new WeakMap(); // video -> the frame that it is asked for and does not show yet

  const set = (node, name, value) => node && node.getAttribute(name) !== value && node.setAttribute(name, value);
  const write = (node, value) => node.textContent !== value && (node.textContent = value);
  const parts = (player) => {
    const video = $("video", player), fps = Number(player.dataset.fps) || 16;
    const frames = Math.max(1, Number(player.dataset.frames) || Math.round((video.duration || 0) * fps));
    return { video, fps, frames };
  };
  const within = (frame, frames) => Math.min(frames - 1, Math.max(0, frame));
  const at = ({ video, fps, frames }) => within(Math.floor(video.currentTime * fps + 0.01), frames);
  const frameOf = (clip) => wanted.get(clip.video) ?? at(clip);
  // While a clip plays, the clock may be ahead of what the browser has painted.
  const seenLast = (clip) => {
    const frame = painted.get(clip.video);
    return wanted.get(clip.video) ?? (frame !== undefined && Math.abs(frame - at(clip)) < 3 ? frame : at(clip));
  };

  const draw = (player) => {
    const clip = parts(player), { video, fps, frames } = clip;
    const frame = frameOf(clip), seconds = wanted.has(video) ? frame / fps : video.currentTime;
    const range = $('input[type="range"]', player), count = $(".count", player);
    if (Number(range.max) !== frames - 1) range.max = frames - 1;
    if (!range.matches(":active")) range.value = frame;
    range.style.setProperty("--p", (frames > 1 ? frame / (frames - 1) : 0).toFixed(4));
    const number = text("frame_of", { frame: frame + 1, frames });
    const place = text("position", { seconds: seconds.toFixed(1), length: (frames / fps).toFixed(1) });
    set(range, "aria-valuetext", `${number}, ${place}`);
    set(count, "aria-live", video.paused ? "polite" : "off");
    write(count, number);
    write($(".now", player), clock(seconds));
    player.toggleAttribute("data-paused", video.paused);
    player.toggleAttribute("data-muted", video.muted);
    player.toggleAttribute("data-tools", kept.tools);
    set($('[data-p="tools"]', player), "aria-expanded", String(kept.tools));
    set($('[data-p="mute"]', player), "aria-label", text(video.muted ? "sound_on" : "mute"));
    set($('[data-p="play"]', player), "aria-label", text(video.paused ? "play" : "pause"));
  };
  // While a clip plays, the bar moves with its frames, at most 30 times a second. One timer at most.
  let running = 0;
  const run = (player) => {
    clearTimeout(running);
    if (!player.isConnected || !$("video", player)) return;
    const { video, fps } = parts(player);
    if (!video.paused && !video.getClientRects().length) video.pause(); // the Library or System tab is selected
    draw(player);
    const pace = 1000 / Math.min(30, fps * video.playbackRate);
    if (!video.paused) running = setTimeout(run, document.hidden ? 1000 : pace, player);
  };
  const listening = new WeakSet();
  const listen = (video) => {
    if (listening.has(video) || !video.requestVideoFrameCallback) return;
    const seen = (_, { mediaTime }) => {
      const player = of(video);
      if (player) {
        const { fps, frames } = parts(player);
        if (!video.paused) painted.set(video, within(Math.round(mediaTime * fps), frames));
      }
      video.requestVideoFrameCallback(seen);
    };
    listening.add(video);
    video.requestVideoFrameCallback(seen);
  };
  const arrived = (player) => {
    const { video } = parts(player);
    if (!video.seeking) wanted.delete(video); // else the event is of an earlier seek
    draw(player);
  };
  // A paused clip moves to the middle of the last painted frame, so that the shown, the counted and the saved frame agree.
  const settle = (player) => {
    const { video } = parts(player);
    if (video.ended || video.seeking || !video.getClientRects().length) draw(player);
    else show(player, seenLast(parts(player)));
  };
  const EVENTS = { play: run, seeked: arrived, pause: settle, timeupdate: draw, volumechange: draw, loadedmetadata: draw, emptied: draw };
  for (const [kind, act] of Object.entries(EVENTS))
    document.addEventListener(kind, (event) => of(event.target) && act(of(event.target)), true);

  // -- what the buttons and keys do -----------------------------------------------------------------
  const play = (video) => {
    video.loop = kept.looping;
    video.play().catch((error) => {
      if (error.name !== "NotAllowedError") return; // else it was paused before it began
      video.muted = true;
      video.play().catch(() => {});
    });
  };
  const toggle = (player) => {
    const clip = parts(player), { video } = clip;
    if (!video.paused) return video.pause();
    if (!kept.looping && frameOf(clip) === clip.frames - 1) show(player, 0);
    play(video);
  };
  const show = (player, frame) => {
    const { video, fps, frames } = parts(player);
    if (!video.duration) return;
    const next = within(frame, frames);
    wanted.set(video, next);
    if (video.paused) video.loop = false; // otherwise a seek to the last frame wraps to the first, even while paused
    video.currentTime = (next + 0.5) / fps;
    draw(player);
  };
  const step = (player, by) => {
    const clip = parts(player);
    const frame = clip.video.paused ? frameOf(clip) : seenLast(clip);
    clip.video.pause();
    show(player, frame + by);
  };
  const jump = (player, seconds) => show(player, frameOf(parts(player)) + Math.round(seconds * parts(player).fps));
  const rate = (player, speed) => {
    const { video } = parts(player);
    kept.speed = video.defaultPlaybackRate = video.playbackRate = speed;
    $("[data-speed]", player).value = String(speed);
  };
  const faster = (player, by) => {
    const speeds = [...$("[data-speed]", player).options].map((option) => Number(option.value));
    const next = speeds[speeds.indexOf(kept.speed) + by];
    if (next) rate(player, next);
    tools(player, true);
  };
  const tools = (player, open) => {
    kept.tools = open;
    draw(player);
  };
  const full = (player) => {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (player.requestFullscreen) player.requestFullscreen();
    else $("video", player).webkitEnterFullscreen?.(); // iPhones
  };
  const mute = (player) => {
    const { video } = parts(player);
    if ($('[data-p="mute"]', player)) video.muted = kept.muted = !video.muted;
  };
  const loop = () => {
    kept.looping = !kept.looping;
    studio.dressPlayer(document);
  };
  const BUTTONS = { play: toggle, full, mute, loop, back: (player) => step(player, -1), next: (player) => step(player, 1),
    tools: (player) => tools(player, !kept.tools) };
  const KEYS = {
    " ": toggle, k: toggle, m: mute, f: full, r: loop,
    ",": (player) => (tools(player, true), step(player, -1)), ".": (player) => (tools(player, true), step(player, 1)),
    j: (player) => jump(player, -SECOND), l: (player) => jump(player, SECOND),
    ArrowLeft: (player) => jump(player, -QUARTER), ArrowRight: (player) => jump(player, QUARTER),
    "<": (player) => faster(player, -1), ">": (player) => faster(player, 1),
  };

  const HELD = [",", ".", "j", "l", "ArrowLeft", "ArrowRight"]; // act again while they are held down

  document.addEventListener("click", (event) => {
    const player = of(event.target);
    if (!player) return;
    const button = event.target.closest("[data-p]");
    if (button) BUTTONS[button.dataset.p]?.(player);
    else if (event.target.tagName === "VIDEO") toggle(player);
  });
  document.addEventListener("input", (event) => {
    const player = of(event.target);
    if (player && event.target.type === "range") show(player, Number(event.target.value));
  });
  document.addEventListener("change", (event) => {
    const player = of(event.target);
    if (player && event.target.matches("[data-speed]")) rate(player, Number(event.target.value));
  });

  // Keys act on the visible player, unless they have another meaning where the focus is.
  const TYPED = "textarea, select, input:not([type=radio], [type=checkbox], [type=file], [type=range]), [contenteditable], [role=textbox], [role=menu], [role=listbox], dialog";
  const MOVED = "input, [role=slider], [role=radio], [role=tab]"; // by the arrow keys, and pressed by Space
  const MOVES = [" ", "ArrowLeft", "ArrowRight"];
  const seen = () =>
    $$("[data-player]").find((player) => {
      const box = player.getBoundingClientRect();
      return box.width && box.bottom > 0 && box.top < innerHeight;
    });
  studio.takesKey = ({ key, target }) =>
    Boolean($("dialog[open]")) || Boolean(target.closest?.(MOVES.includes(key) ? `${TYPED}, ${MOVED}` : TYPED)) || (key === " " && Boolean(target.closest?.("button, a, summary, label")));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const own = event.target.type === "range" && of(event.target);
    if (!own && studio.takesKey(event)) return;
    const player = own || seen();
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (!player || !KEYS[key]) return;
    event.preventDefault();
    if (!event.repeat || HELD.includes(key)) KEYS[key](player);
  });

  studio.frameShown = (element) => {
    const player = $("[data-player]", element);
    return player ? frameOf(parts(player)) + 1 : 0;
  };
  // Shows a frame, counted from 0, of the clip in this player.
  studio.showFrame = (player, frame) => show(player, frame);
  studio.dressPlayer = (element) => {
    const player = $("[data-player]", element);
    if (!player) return;
    const { video } = parts(player), source = video.getAttribute("src"), fresh = video.dataset.src !== source;
    if (fresh && player.hasAttribute("data-loop")) kept.looping = true; // made to be repeated
    video.loop = kept.looping;
    if (fresh) {
      painted.delete(video);
      wanted.delete(video);
      video.muted = kept.muted;
      video.dataset.src = source;
    }
    listen(video);
    rate(player, kept.speed);
    $('[data-p="loop"]', player).setAttribute("aria-pressed", String(kept.looping));
    if (fresh && video.hasAttribute("data-autoplay") && !studio.still()) play(video);
    draw(player);
  };
})();
