/* The player's controls come with the pointer or a tap and go while the clip plays; full screen; a clip that cannot be
   loaded. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, $$, text } = studio;
  const AWAKE = 3000; // milliseconds that the controls of a clip that plays are seen
  const AGAIN = 30_000; // milliseconds between two requests for a new address of a file
  const of = (node) => node?.closest?.("[data-player]");

  // -- the controls ------------------------------------------------------------------------------------------
  const timers = new WeakMap(); // player -> the timer that hides its controls
  const wake = (player) => {
    player.setAttribute("data-awake", "");
    clearTimeout(timers.get(player));
    timers.set(player, setTimeout(() => player.removeAttribute("data-awake"), AWAKE));
  };
  const sleep = (player) => {
    clearTimeout(timers.get(player));
    player.removeAttribute("data-awake");
  };
  const asleep = (player) => !player.hasAttribute("data-paused") && !player.hasAttribute("data-awake");
  let touched = false; // the last press was a touch
  document.addEventListener("pointerdown", (event) => (touched = event.pointerType === "touch"), true);
  document.addEventListener("pointermove", (event) => {
    const player = event.pointerType === "mouse" && of(event.target);
    if (player) wake(player);
  }, { passive: true });
  document.addEventListener("pointerout", (event) => {
    const player = event.pointerType === "mouse" && of(event.target);
    if (player && !player.contains(event.relatedTarget)) sleep(player);
  });
  // A tap where the hidden controls are shows them again; a tap elsewhere pauses the clip.
  document.addEventListener("click", (event) => {
    const player = of(event.target);
    if (!player || !$(".bar", player)) return;
    const bar = $(".bar", player).getBoundingClientRect();
    const hidden = touched && event.detail && asleep(player);
    wake(player);
    if (!hidden || event.clientY < bar.top) return;
    event.preventDefault();
    event.stopPropagation();
  }, true);
  document.addEventListener("input", (event) => of(event.target) && wake(of(event.target)));
  document.addEventListener("play", (event) => of(event.target) && wake(of(event.target)), true);

  // -- full screen ---------------------------------------------------------------------------------------------
  document.addEventListener("dblclick", (event) => {
    const player = of(event.target);
    if (player && event.target.tagName === "VIDEO" && !touched) $('[data-p="full"]', player)?.click();
  });
  document.addEventListener("fullscreenchange", () => {
    for (const button of $$('[data-p="full"]'))
      button.setAttribute("aria-label", text(document.fullscreenElement === of(button) ? "exit_full_screen" : "full_screen"));
    const player = of(document.fullscreenElement);
    if (!player) return screen.orientation?.unlock?.();
    wake(player);
    // A phone rotates to the clip's shape; a desktop refuses, which is harmless.
    const { videoWidth, videoHeight } = $("video", player);
    screen.orientation?.lock?.(videoWidth < videoHeight ? "portrait" : "landscape")?.catch?.(() => {});
  });

  // -- a result that cannot be loaded: its address expires, and its file may have been removed --------------------
  const asked = new Map(); // job on the stage -> when its card was asked for again
  const lost = (media, yes) => media.closest(".stage").toggleAttribute("data-lost", yes);
  const isResult = (node) => node.matches?.("#ws-card .card[data-state=done] .stage .fit");
  document.addEventListener("error", (event) => {
    if (!isResult(event.target)) return;
    lost(event.target, true);
    const { shown } = event.target.closest(".card").dataset;
    if (Date.now() - (asked.get(shown) ?? -Infinity) < AGAIN || !navigator.onLine) return;
    asked.set(shown, Date.now());
    studio.redraw?.();
  }, true);
  for (const kind of ["load", "loadedmetadata"])
    document.addEventListener(kind, (event) => isResult(event.target) && lost(event.target, false), true);
  const reload = () => {
    for (const media of $$("#ws-card .stage[data-lost] .fit")) {
      if (media.tagName === "VIDEO") media.load();
      else media.src = media.getAttribute("src");
    }
  };
  document.addEventListener("click", (event) => event.target.closest?.(".stage [data-act=redraw]") && reload());
  addEventListener("online", reload);
  // A new card may have the same address, which the browser does not load again.
  studio.dressScreen = (element) => {
    for (const media of $$(".stage .fit", element)) {
      if (!isResult(media)) continue;
      lost(media, Boolean(media.error) || (media.tagName === "IMG" && media.complete && !media.naturalWidth));
    }
  };
})();
