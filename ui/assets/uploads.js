/* Uploads: one waits while the server is away, a failure is said beside its field, with another try, and a form
   knows which of its files are on their way. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, $$, network, text } = studio;
  const LIMIT = window.gradio_config?.max_file_size || Infinity;
  const MEGABYTE = 1e6;

  // -- which field a file was chosen in -----------------------------------------------------------------
  const fields = []; // {field: id, files}, the latest first
  const chosen = (target, files) => {
    const zone = target.closest?.(".ws-drop[id]");
    if (!zone || !files?.length) return;
    clear(zone.id);
    fields.unshift({ field: zone.id, files: [...files] });
    fields.splice(8);
  };
  document.addEventListener("change", ({ target }) => target.type === "file" && chosen(target, target.files), true);
  document.addEventListener("drop", ({ target, dataTransfer }) => chosen(target, dataTransfer?.files), true);
  const fieldOf = (sent) =>
    fields.find(({ files }) => files.some((file) => sent.some(({ name, size }) => name === file.name && size === file.size)));

  // -- what is said below the drop zone -----------------------------------------------------------------
  const clear = (field) => $$(`.ws-upload[data-field="${field}"]`).forEach((line) => line.remove());
  const say = (field, words, label, action, problem) => {
    clear(field);
    const zone = document.getElementById(field);
    if (!zone) return;
    const line = document.createElement("p");
    const [span, button] = [document.createElement("span"), document.createElement("button")];
    line.className = "ws-upload";
    line.dataset.field = field;
    line.toggleAttribute("data-problem", problem);
    line.setAttribute("role", problem ? "alert" : "status");
    span.textContent = words;
    button.type = "button";
    button.textContent = label;
    button.addEventListener("click", () => {
      clear(field);
      action();
    });
    line.append(span);
    if (label) line.append(button);
    zone.after(line);
  };
  studio.sayAtField = (field, words) => say(field, words, "", () => {}, false);
  const retry = ({ field, files }) => {
    const input = $(`#${field} input[type=file]`);
    if (!input) return;
    const transfer = new DataTransfer();
    for (const file of files) transfer.items.add(file);
    input.files = transfer.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  };
  const failed = (place, words, again) => {
    if (place) say(place.field, words, again ? text("upload_again") : "", () => retry(place), true);
    return Boolean(place);
  };

  // -- files on their way: sent, and until the plan has seen them -------------------------------------------
  const UNSEEN = 20000; // ms for which an added file is waited for on the page
  const coming = new Map(); // id of a field -> its upload: {arrived}
  const watchers = [];
  const gone = (field, one, added) => {
    if (coming.get(field) !== one) return; // a later file follows
    coming.delete(field);
    watchers.forEach((watcher) => watcher(field, added));
  };
  const begun = (place) => {
    const one = { arrived: false };
    if (place) coming.set(place.field, one);
    watchers.forEach((watcher) => watcher(place?.field, true));
    return one;
  };
  const ended = (place, one, added) => {
    if (!place) return;
    if (!added) return gone(place.field, one, false);
    one.arrived = true;
    setTimeout(gone, UNSEEN, place.field, one, false);
  };
  // Ids of a form's fields whose files are on their way.
  studio.arriving = (mode) => [...coming.keys()].filter((field) => field.startsWith(`${mode}-`));
  // Calls watcher(id of the field, whether its file is being added or was added).
  studio.onArrival = (watcher) => watchers.push(watcher);
  // A form was planned: what it does not lack has arrived.
  studio.arrived = ({ dataset: { mode, needed } }) => {
    const lacks = JSON.parse(needed || "{}");
    for (const field of studio.arriving(mode)) {
      const one = coming.get(field);
      if (one.arrived && !(field.slice(mode.length + 1) in lacks)) gone(field, one, true);
    }
    studio.planned?.(mode);
  };

  // -- sending --------------------------------------------------------------------------------------------
  const refused = async (response) => {
    if (response.status === 413) return [text("upload_too_large", { limit: Math.floor(LIMIT / MEGABYTE) }), false];
    const { detail } = await response.clone().json().catch(() => ({}));
    return [typeof detail === "string" && response.status !== 400 ? detail : text("upload_failed"), true];
  };
  network.route(/^upload$/, async ({ url, init }) => {
    const place = fieldOf(init.body instanceof FormData ? init.body.getAll("files") : []);
    const abort = new AbortController();
    const waiting = (yes) => {
      if (!place) return;
      if (yes) say(place.field, text("upload_waits"), text("withdraw"), () => abort.abort(), false);
      else clear(place.field);
    };
    const one = begun(place);
    let problem, added = false;
    try {
      const response = await network.send(() => new Request(url, init), { signal: abort.signal, seconds: 3600, waiting });
      if (response.ok) {
        added = true;
        return response;
      }
      problem = await refused(response);
    } catch (error) {
      if (!abort.signal.aborted) problem = [text("upload_failed"), true];
    } finally {
      ended(place, one, added);
    }
    if (problem) failed(place, ...problem);
    return new Response("", { status: 400 });
  });

  // Gradio's message about a file: whether it is said beside the field.
  studio.uploadFailed = (message) => {
    if (message.startsWith("HTTP")) return true; // answered above
    const [place] = fields;
    if (/exceed/.test(message)) return failed(place, text("upload_too_large", { limit: Math.floor(LIMIT / MEGABYTE) }), false);
    if (/^Invalid file type|^Only/.test(message)) return failed(place, text("upload_type"), false);
    return failed(place, text("upload_failed"), true);
  };
})();
