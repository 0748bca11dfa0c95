/* A clip plays under the pointer, silent, in the Library and among the recent ones. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $ } = studio;
  const REST = 200; // milliseconds that the pointer stays before the clip plays
  let timer = 0, over = null, playing = null;

  const stop = () => {
    clearTimeout(timer);
    over = null;
    playing?.removeAttribute("src"); // ends the download
    playing?.remove();
    playing = null;
  };
  const start = (place) => {
    const box = $(".shot", place) || place;
    if (!place.isConnected || !place.dataset.clip) return;
    const video = document.createElement("video");
    Object.assign(video, { muted: true, loop: true, playsInline: true, className: "hovered" });
    video.setAttribute("aria-hidden", "true");
    video.src = place.dataset.clip;
    video.addEventListener("playing", () => video.classList.add("on"), { once: true });
    playing = video;
    box.append(video);
    video.play().catch(stop);
  };
  const SHOWN = "[data-clip]";
  document.addEventListener("pointerover", (event) => {
    const place = event.target.closest?.(SHOWN);
    if (place === over) return;
    stop();
    if (!place || event.pointerType !== "mouse" || studio.still()) return;
    over = place;
    timer = setTimeout(start, REST, place);
  });
  document.documentElement.addEventListener("pointerleave", stop);
  document.addEventListener("click", stop, true);
  addEventListener("blur", stop);
  document.addEventListener("visibilitychange", () => document.hidden && stop());
})();
