/* Files that are dropped or chosen: which of several is used, what is said before an upload, previews of
   pictures that the browser cannot show. What a file is, the server decides by its content: Gradio's own checks
   of name and type are answered with a type that they take. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, $$, text } = studio;
  const MAX_NAME = 60;
  const HEAD_BYTES = 4096;
  const TYPES = { picture: "image/png", sound: "audio/wav", video: "video/mp4" };
  const TAKES = { picture: ["picture"], sound: ["sound", "video"], video: ["video"] };
  const ours = new WeakSet(); // events that this script has sent

  // -- what a file looks like, from its first bytes: its kinds, [] for an unknown one -------------------
  const PICTURES = ["\xff\xd8\xff", "\x89PNG", "GIF8", "II*\0", "MM\0*", "BM"];
  const STILL = /^(avif|avis|hei[cxms]|hev[cxms]|mif1|msf1)/;
  const MOVING = /^(avis|msf1|hevc|hevx)/;
  const TS_PACKETS = [188, 192, 204];
  const TS_MARKS = 5;
  const isStream = (head) =>
    TS_PACKETS.some((size) => {
      for (let first = 0; first < size && first < head.length; first++) {
        let at = first;
        while (at < head.length && head[at] === "G") at += size;
        if (at >= head.length && (at - first) / size >= TS_MARKS) return true;
      }
      return false;
    });
  const kindsOf = async (file) => {
    const bytes = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
    const head = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
    const inside = head.slice(8, 12);
    if (head.startsWith("RIFF") && inside === "WEBP") return ["picture"];
    if (head.slice(4, 8) === "ftyp") {
      if (inside.startsWith("M4A") || inside.startsWith("M4B")) return ["sound"];
      const brands = [inside, ...(head.slice(16, head.charCodeAt(3)).match(/.{4}/gs) || [])];
      if (brands.some((brand) => MOVING.test(brand))) return ["picture", "video"];
      if (brands.some((brand) => STILL.test(brand))) return ["picture"];
    }
    const known = window.wanFormats.signatures.find(({ magic }) =>
      magic.some((marks) => marks.every(([at, mark]) => head.startsWith(mark, at))));
    if (known) return known.holds;
    if (head.startsWith("\x89PNG") && head.includes("acTL")) return ["picture", "video"];
    if (PICTURES.some((magic) => head.startsWith(magic))) return ["picture"];
    if (head.startsWith("ID3") || /^\xff[\xe2-\xff]/.test(head)) return ["sound"];
    return isStream(head) ? ["video"] : [];
  };

  const PICTURE_NAME = /\.(?:png|jpe?g|webp|gif|bmp|tiff?|avif|hei[cf])$/i;
  studio.isPicture = async (file) =>
    (await kindsOf(file).catch(() => [])).includes("picture") || PICTURE_NAME.test(file.name);

  // -- a note in the field ----------------------------------------------------------------------------
  const short = (name) => (name.length > MAX_NAME ? `${name.slice(0, MAX_NAME - 12)}…${name.slice(-11)}` : name);
  const megabytes = (bytes) => `${Math.ceil(bytes / 1e6)} MB`;
  const clear = (zone) => $$(`[data-file-note="${blockOf(zone).id}"]`).forEach((note) => note.remove());
  const say = (zone, words, refused) => {
    const note = document.createElement("p");
    note.className = refused ? "ws-problem" : "ws-file-note";
    note.dataset.fileNote = blockOf(zone).id;
    note.setAttribute("role", refused ? "alert" : "status");
    note.textContent = words;
    zone.after(note);
  };

  // -- taking files -----------------------------------------------------------------------------------
  const zoneOf = (node) => node.closest?.(".ws-media") || node.closest?.(".ws-drop");
  const blockOf = (zone) => (zone.matches(".ws-drop") ? zone : $(".ws-drop", zone));
  const wanted = (zone) => Object.keys(TAKES).find((kind) => blockOf(zone).classList.contains(`ws-takes-${kind}`));
  const input = (zone) => $('input[type="file"]', blockOf(zone));
  const choose = async (files, kind) => {
    for (const file of files) {
      const kinds = await kindsOf(file).catch(() => []);
      if (TAKES[kind].some((one) => kinds.includes(one))) return { file, fits: true };
    }
    return { file: files[0], fits: false };
  };
  const freed = (zone) =>
    new Promise((resolve) => {
      // A field that holds a file has no input: the old file is removed first.
      if (input(zone)) return resolve(input(zone));
      const done = () => {
        watcher.disconnect();
        clearTimeout(bound);
        resolve(input(zone));
      };
      const watcher = new MutationObserver(() => input(zone) && done());
      const bound = setTimeout(done, 5000);
      watcher.observe(blockOf(zone), { childList: true, subtree: true });
      $(".icon-button-wrapper button", blockOf(zone))?.click();
    });
  const take = async (zone, files, folder) => {
    const kind = wanted(zone);
    clear(zone);
    if (!files.length) return folder && say(zone, text("file_is_folder", { name: short(folder) }), true);
    const { file, fits } = await choose(files, kind);
    const limit = window.wanLimits.upload;
    if (limit && file.size > limit)
      return say(zone, text("file_too_large", { name: short(file.name), size: megabytes(file.size), limit: megabytes(limit) }), true);
    const left = files.length - 1;
    if (left && fits) say(zone, text(left > 1 ? "file_of_many" : "file_of_two", { name: short(file.name), count: left }));
    const field = await freed(zone);
    if (!field) return;
    const given = new DataTransfer();
    given.items.add(new File([file], file.name, { type: TYPES[kind], lastModified: file.lastModified }));
    field.files = given.files;
    const event = new Event("change", { bubbles: true });
    ours.add(event);
    field.dispatchEvent(event);
    studio.recipes.offer(zone, blockOf(zone).id, file);
  };

  document.addEventListener("change", (event) => {
    const zone = event.target.type === "file" && !ours.has(event) && zoneOf(event.target);
    if (!zone || !event.target.files.length) return;
    event.stopImmediatePropagation();
    take(zone, [...event.target.files]);
  }, true);
  const carriesFiles = (event) => [...(event.dataTransfer?.types || [])].some((type) => /^files$/i.test(type));
  // Without folders.
  const onlyFiles = ({ items, files }) => {
    const entries = [...items].map((item) => item.webkitGetAsEntry?.());
    return [...files].filter((_, at) => !entries[at]?.isDirectory);
  };
  document.addEventListener("drop", (event) => {
    if (!carriesFiles(event) || ours.has(event)) return;
    const zone = zoneOf(event.target);
    event.preventDefault(); // the browser would open the file in place of the page
    document.documentElement.removeAttribute("data-dragging");
    if (!zone) return event.target.closest("dialog") ? undefined : studio.recipes.restore(onlyFiles(event.dataTransfer));
    event.stopImmediatePropagation();
    // Gradio's drop zone gets the end of the drag, without files.
    const end = new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: new DataTransfer() });
    ours.add(end);
    event.target.dispatchEvent(end);
    take(zone, onlyFiles(event.dataTransfer), event.dataTransfer.files[0]?.name);
  }, true);
  document.addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
  // The dialog offers every file: one without a known suffix may be what the field takes. Phones get their
  // gallery.
  const touch = matchMedia("(pointer: coarse)");
  document.addEventListener("click", (event) => {
    const zone = event.target.type === "file" && zoneOf(event.target);
    if (!zone) return;
    if (touch.matches && wanted(zone) !== "sound") event.target.accept = window.wanFormats.accept[wanted(zone)];
    else event.target.removeAttribute("accept");
  }, true);
  // A note goes with the file that it is about.
  document.addEventListener("click", (event) => {
    const zone = event.target.closest?.('.icon-button-wrapper button, [data-m="remove"]') && zoneOf(event.target);
    if (zone && event.isTrusted) clear(zone);
  }, true);

  // -- a picture that the browser cannot show: the server's JPEG of it -----------------------------------
  document.addEventListener("error", (event) => {
    const image = event.target;
    const path = image.tagName === "IMG" && image.closest(".ws-drop") && image.src.split("/gradio_api/file=")[1];
    if (!path) return; // also for a preview that cannot be made
    image.src = `preview?path=${encodeURIComponent(decodeURIComponent(path))}`;
  }, true);

  // -- offers for a file that its field does not take ----------------------------------------------------
  studio.offers = ({ trigger }) =>
    document.addEventListener("click", (event) => {
      const button = event.target.closest?.("[data-offer]");
      if (!button) return;
      const { offer, mode, field, to, into, path } = button.dataset;
      button.disabled = true;
      const zone = document.getElementById(`${mode}-${field}`);
      if (zone) clear(zoneOf(zone));
      trigger("use", { act: offer, mode, field, to, into, path });
    });
})();
