/* The frame on the stage as a picture for a form. A clip that is still loading is waited for, and the button says so. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, text } = studio;
  const PATIENCE = 30_000; // milliseconds without a picture, after which the clip counts as lost
  const FRAME = 2; // HTMLMediaElement.HAVE_CURRENT_DATA: with less there is nothing to draw
  const waiting = new WeakSet(); // buttons whose frame is under way

  const isReady = (video) => video.readyState >= FRAME && !video.seeking && video.videoWidth > 0;
  // Resolves once a frame can be drawn; rejects when the clip cannot be loaded, or is no longer on the page.
  const loaded = (video) =>
    new Promise((done, fail) => {
      const EVENTS = ["loadeddata", "canplay", "seeked", "progress", "error"];
      let timer = 0;
      const end = (how, reason) => {
        EVENTS.forEach((kind) => video.removeEventListener(kind, look));
        clearTimeout(timer);
        how(reason);
      };
      const look = () => {
        if (!video.isConnected) return end(fail, new Error("another clip"));
        if (video.error) return end(fail, video.error);
        if (isReady(video)) return end(done);
        clearTimeout(timer);
        timer = setTimeout(end, PATIENCE, fail, new Error("no answer"));
      };
      EVENTS.forEach((kind) => video.addEventListener(kind, look));
      if (video.error) video.load(); // once more
      look();
      if (isReady(video)) return;
      video.preload = "auto"; // "metadata" need not bring a frame
      video.currentTime = video.currentTime; // phones load data for a seek
    });

  // What the button says meanwhile; the buttons beside it stay where they are. Returns what ends it.
  const busy = (button) => {
    const words = $("span", button), before = words.textContent;
    words.style.minWidth = `${words.getBoundingClientRect().width}px`;
    words.textContent = text("waits_frame");
    button.setAttribute("aria-disabled", "true");
    return () => {
      words.style.minWidth = "";
      words.textContent = before;
      button.removeAttribute("aria-disabled");
    };
  };

  /* The address of the uploaded PNG, of the clip's own size; "" when there is none. `upload` takes a File. A line of a
     menu is hidden by now: the first button of the row says that the clip is waited for. */
  studio.takeFrame = async (element, pressed, upload) => {
    const video = studio.pickedVideo() || $("video", element);
    const button = pressed.closest(".menu") ? $('.steps.next .btn[data-act="frame"]', element) || pressed : pressed;
    if (!video || waiting.has(button)) return "";
    waiting.add(button);
    const number = () => studio.frameShown(element) || studio.setFrame();
    let free = () => {};
    try {
      if (!isReady(video)) {
        free = busy(button);
        await loaded(video);
      }
      const canvas = Object.assign(document.createElement("canvas"), { width: video.videoWidth, height: video.videoHeight });
      canvas.getContext("2d").drawImage(video, 0, 0);
      const name = `frame-${number()}.png`;
      const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
      return (await upload(new File([blob], name, { type: "image/png" }))).path;
    } catch (error) {
      console.warn("The frame could not be taken", error);
      if (video.isConnected) studio.say(text("no_frame"));
      return "";
    } finally {
      free();
      waiting.delete(button);
    }
  };
})();
