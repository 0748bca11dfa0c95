/* The clip's player: play, time, scrubber, repeat, sound, full screen. Media events do not bubble: they are captured. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, text } = studio;
  const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
  const of = (node) => node.closest?.("[data-player]");
  let looping = true, muted = false;

  const set = (node, name, value) => node && node.getAttribute(name) !== value && node.setAttribute(name, value);
  const draw = (player) => {
    const video = $("video", player), range = $('input[type="range"]', player), now = $(".now", player);
    const length = video.duration || 0;
    const share = length ? video.currentTime / length : 0;
    if (!range.matches(":active")) range.value = Math.round(share * 1000);
    range.style.setProperty("--p", share.toFixed(4));
    set(range, "aria-valuetext", text("position", { seconds: video.currentTime.toFixed(1), length: length.toFixed(1) }));
    const time = clock(video.currentTime);
    if (now.textContent !== time) now.textContent = time;
    player.toggleAttribute("data-paused", video.paused);
    player.toggleAttribute("data-muted", video.muted);
    set($('[data-p="mute"]', player), "aria-label", text(video.muted ? "sound_on" : "mute"));
    set($('[data-p="play"]', player), "aria-label", text(video.paused ? "play" : "pause"));
  };
  // While a clip plays, the bar moves 16 times a second, the frame rate of WAN's clips. One timer at most.
  const PACE = 1000 / 16;
  let running = 0;
  const run = (player) => {
    clearTimeout(running);
    const video = player.isConnected && $("video", player);
    if (!video) return;
    if (!video.paused && !video.getClientRects().length) video.pause(); // the Library or System tab is selected
    draw(player);
    if (!video.paused) running = setTimeout(run, document.hidden ? 1000 : PACE, player);
  };
  for (const kind of ["play", "pause", "seeked", "timeupdate", "volumechange", "loadedmetadata", "emptied"])
    document.addEventListener(kind, (event) => of(event.target) && (kind === "play" ? run : draw)(of(event.target)), true);

  const play = (video) => video.play().catch(() => { video.muted = true; video.play().catch(() => {}); });
  const toggle = (player) => {
    const video = $("video", player);
    if (video.paused) play(video);
    else video.pause();
  };
  const full = (player) => {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (player.requestFullscreen) player.requestFullscreen();
    else $("video", player).webkitEnterFullscreen?.(); // iPhones
  };

  document.addEventListener("click", (event) => {
    const player = of(event.target);
    if (!player) return;
    const button = event.target.closest("[data-p]");
    if (!button) {
      if (event.target.tagName === "VIDEO") toggle(player);
      return;
    }
    if (button.dataset.p === "play") toggle(player);
    if (button.dataset.p === "full") full(player);
    if (button.dataset.p === "mute") {
      const video = $("video", player);
      video.muted = muted = !video.muted;
    }
    if (button.dataset.p === "loop") {
      looping = !looping;
      studio.dressPlayer(document);
    }
  });
  document.addEventListener("input", (event) => {
    const player = of(event.target);
    if (!player || event.target.type !== "range") return;
    const video = $("video", player);
    if (video.duration) video.currentTime = (event.target.value / 1000) * video.duration;
    draw(player);
  });
  document.addEventListener("keydown", (event) => {
    const player = of(event.target);
    if (!player) return;
    const video = $("video", player);
    const by = { ArrowLeft: -0.25, ArrowRight: 0.25 }[event.key];
    if (by && event.target.type === "range" && video.duration) {
      event.preventDefault();
      video.currentTime = Math.min(video.duration, Math.max(0, video.currentTime + by));
    }
    if (event.key === " " && event.target.type === "range") {
      event.preventDefault();
      toggle(player);
    }
  });

  studio.dressPlayer = (element) => {
    const player = $("[data-player]", element);
    if (!player) return;
    const video = $("video", player);
    video.loop = looping;
    if (video.dataset.src !== video.getAttribute("src")) video.muted = muted;
    $('[data-p="loop"]', player).setAttribute("aria-pressed", String(looping));
    if (video.hasAttribute("data-autoplay") && video.dataset.src !== video.getAttribute("src")) {
      video.dataset.src = video.getAttribute("src");
      if (!studio.still()) play(video);
    }
    draw(player);
  };
})();
