/* Uploads: one waits while the server is away, and a failure is said beside its field, with another try. */
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

  // -- sending --------------------------------------------------------------------------------------------
  let uploading = 0;
  studio.uploading = () => uploading;
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
    let problem;
    uploading += 1;
    try {
      const response = await network.send(() => new Request(url, init), { signal: abort.signal, seconds: 3600, waiting });
      if (response.ok) return response;
      problem = await refused(response);
    } catch (error) {
      if (!abort.signal.aborted) problem = [text("upload_failed"), true];
    } finally {
      uploading -= 1;
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
