/* The clip's player: play, time, scrubber, repeat, sound, full screen. Media events do not bubble: they are captured. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $ } = studio;
  const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
  const of = (node) => node.closest?.("[data-player]");
  let looping = true, muted = false;

  const draw = (player) => {
    const video = $("video", player), range = $('input[type="range"]', player);
    const length = video.duration || 0;
    const share = length ? video.currentTime / length : 0;
    if (!range.matches(":active")) range.value = Math.round(share * 1000);
    range.style.setProperty("--p", share);
    range.setAttribute("aria-valuetext", `${video.currentTime.toFixed(1)} s of ${length.toFixed(1)} s`);
    $(".now", player).textContent = clock(video.currentTime);
    player.toggleAttribute("data-paused", video.paused);
    player.toggleAttribute("data-muted", video.muted);
    $('[data-p="mute"]', player)?.setAttribute("aria-label", video.muted ? "Sound on" : "Mute");
    $('[data-p="play"]', player).setAttribute("aria-label", video.paused ? "Play" : "Pause");
  };
  const run = (player) => {
    if (!player.isConnected || !$("video", player)) return;
    draw(player);
    if (!$("video", player).paused) requestAnimationFrame(() => run(player));
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
