/* A chosen sound or driving video: play the part, move its ends. The number fields hold the values: a moved
   end is written into them, and the server draws the result. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, $$, text } = studio;
  const SHORTEST = 0.2; // seconds
  const of = (node) => node.closest?.("[data-media]");
  const screen = (media) => $("audio, video", media);
  const numbers = (media) => [media.dataset.seconds, media.dataset.from, media.dataset.to].map(Number);
  const tenth = (seconds) => Math.round(seconds * 10) / 10;
  const clock = (seconds) => {
    const tenths = Math.max(0, Math.round(seconds * 10));
    const whole = Math.floor(tenths / 10);
    return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}${tenths % 10 ? `.${tenths % 10}` : ""}`;
  };

  // -- drawing between two answers of the server ------------------------------------------------
  const part = (from, to) => text("part", { start: clock(from), end: clock(to) });
  const draw = (media, from, to) => {
    const [seconds] = numbers(media);
    Object.assign(media.dataset, { from, to });
    const track = $(".track", media);
    track.style.setProperty("--from", from / seconds);
    track.style.setProperty("--to", to / seconds);
    for (const [side, value] of [["from", from], ["to", to]]) {
      const handle = $(`.handle.${side}`, media);
      handle.setAttribute("aria-valuenow", value.toFixed(1));
      handle.setAttribute("aria-valuetext", clock(value));
    }
    if (media.hasAttribute("data-paused")) $('[data-m="at"]', media).textContent = part(from, to);
  };
  const write = (id, value) => {
    const input = $(`#${id} input`);
    if (!input || (value === "" ? input.value === "" : input.value !== "" && Number(input.value) === value)) return;
    input.value = value;
    input.dispatchEvent(new Event("input", { bubbles: true }));
    input.dispatchEvent(new Event("blur", { bubbles: true }));
  };
  const commit = (media) => {
    const [seconds, from, to] = numbers(media);
    write(media.dataset.start, tenth(from));
    write(media.dataset.length, to >= seconds - 0.05 ? "" : Math.max(0.1, tenth(to - tenth(from))));
  };
  const move = (media, side, at) => {
    const [seconds, from, to] = numbers(media);
    const least = Math.min(SHORTEST, seconds);
    if (side === "from") draw(media, Math.max(0, Math.min(tenth(at), to - least)), to);
    else draw(media, from, Math.min(seconds, Math.max(at > seconds - 0.05 ? seconds : tenth(at), from + least)));
    const video = $("video", media);
    if (video && video.readyState && video.paused) video.currentTime = Number(media.dataset[side]);
  };

  // -- the two ends: pointer and keyboard -----------------------------------------------------------------
  document.addEventListener("pointerdown", (event) => {
    const media = of(event.target);
    const track = event.target.closest?.(".track");
    if (!media || !track || event.button) return;
    const box = track.getBoundingClientRect();
    const [seconds, from, to] = numbers(media);
    const time = (x) => Math.min(1, Math.max(0, (x - box.left) / box.width)) * seconds;
    const at = time(event.clientX);
    const side = event.target.dataset.side || (Math.abs(at - from) < Math.abs(at - to) ? "from" : "to");
    event.preventDefault();
    $(`.handle.${side}`, media).focus({ preventScroll: true });
    track.setPointerCapture?.(event.pointerId);
    const drag = (more) => move(media, side, time(more.clientX));
    const end = () => {
      track.removeEventListener("pointermove", drag);
      commit(media);
    };
    if (!event.target.dataset.side) drag(event);
    track.addEventListener("pointermove", drag);
    for (const kind of ["pointerup", "pointercancel"]) track.addEventListener(kind, end, { once: true });
  });
  let typed = 0;
  document.addEventListener("keydown", (event) => {
    const side = event.target.dataset?.side;
    const media = side && of(event.target);
    if (!media) return;
    const [seconds] = numbers(media);
    const by = { ArrowRight: 0.1, ArrowUp: 0.1, ArrowLeft: -0.1, ArrowDown: -0.1, PageUp: 5, PageDown: -5 }[event.key];
    const to = { Home: 0, End: seconds }[event.key];
    if (by === undefined && to === undefined) return;
    event.preventDefault();
    move(media, side, to ?? Number(media.dataset[side]) + by * (event.shiftKey ? 10 : 1));
    clearTimeout(typed);
    typed = setTimeout(() => commit(media), 400);
  });

  // -- playing the part --------------------------------------------------------------------------------
  const following = new WeakMap(); // media -> its timer
  const follow = (media) => {
    const player = screen(media);
    if (!media.isConnected || !player) return;
    const [seconds, from, to] = numbers(media);
    if (!player.paused && player.currentTime >= to - 0.02) {
      player.pause();
      player.currentTime = from;
    }
    if (!player.paused && !media.getClientRects().length) player.pause(); // another tab is selected
    media.toggleAttribute("data-paused", player.paused);
    $('[data-m="play"]', media)?.setAttribute("aria-label", text(player.paused ? "play_part" : "pause"));
    const track = $(".track", media);
    track?.style.setProperty("--at", (player.currentTime / seconds).toFixed(4));
    const words = player.paused ? (track ? part(from, to) : clock(seconds)) : clock(player.currentTime);
    const place = $('[data-m="at"]', media);
    if (place.textContent !== words) place.textContent = words;
    clearTimeout(following.get(media));
    if (!player.paused) following.set(media, setTimeout(follow, 40, media));
  };
  const toggle = (media) => {
    const player = screen(media);
    const [, from, to] = numbers(media);
    if (!player.paused) return player.pause();
    for (const other of $$("[data-media]")) if (other !== media) screen(other)?.pause();
    if (player.currentTime < from || player.currentTime >= to - 0.05) player.currentTime = from;
    player.play().catch(() => media.setAttribute("data-silent", ""));
  };
  for (const kind of ["play", "pause", "ended"])
    document.addEventListener(kind, (event) => of(event.target) && follow(of(event.target)), true);
  document.addEventListener("error", (event) => {
    of(event.target)?.setAttribute("data-silent", "");
    const path = event.target.tagName === "VIDEO" && event.target.src.split("#")[0].split("/gradio_api/file=")[1];
    if (path && of(event.target)) event.target.poster = `preview?path=${encodeURIComponent(decodeURIComponent(path))}`;
  }, true);
  document.addEventListener("loadeddata", (event) => of(event.target)?.removeAttribute("data-silent"), true);
  document.addEventListener("click", (event) => {
    const media = of(event.target);
    if (!media) return;
    const act = event.target.closest("[data-m]")?.dataset.m;
    if (act === "play" || event.target.tagName === "VIDEO") toggle(media);
    if (act === "remove") {
      screen(media)?.pause();
      $(".ws-file .icon-button-wrapper button", media.closest(".ws-media"))?.click();
    }
  });
})();
