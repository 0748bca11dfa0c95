/* Files that say how they were made: dropped anywhere, pasted or chosen, they restore the form of their mode. One that
   is dropped on a field stays the input of that field and offers it. What a file says, the server reads; here only its
   ends are searched, so that nothing is uploaded in vain. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, $$, part, text } = studio;
  const ENDS = 2_000_000; // bytes at either end that are searched
  const SMALL = 20_000_000; // bytes up to which a file without a visible recipe is sent anyway
  const SIGNS = /wan_studio|(?:mdta|tEXt|iTXt|zTXt)(?:prompt|workflow|parameters)|"class_type\\*"|"made_by"|PROMPT/;
  const WAIT = 10_000; // milliseconds for a form to be on the page
  let tools = null; // {trigger, upload} of the component that carries the event

  const carries = async (file) => {
    const ends = [file.slice(0, ENDS), ...(file.size > ENDS ? [file.slice(Math.max(ENDS, file.size - ENDS))] : [])];
    for (const end of ends) if (SIGNS.test(new TextDecoder("latin1").decode(await end.arrayBuffer()))) return true;
    return false;
  };
  const isText = (file) => file.type === "application/json" || /\.json$/i.test(file.name);
  const short = (name) => (name.length > 60 ? `${name.slice(0, 48)}…${name.slice(-11)}` : name);

  const restore = async (file) => {
    const limit = window.wanLimits.upload;
    const megabytes = (bytes) => `${Math.ceil(bytes / 1e6)} MB`;
    const name = short(file.name);
    if (limit && file.size > limit)
      return studio.say(text("file_too_large", { name, size: megabytes(file.size), limit: megabytes(limit) }));
    try {
      if (file.size > SMALL && !(await carries(file))) return studio.say(text("recipe_none", { name }));
      studio.say(text("recipe_reading", { name }));
      const { path } = await tools.upload(file);
      tools.trigger("use", { act: "recipe", path });
    } catch (error) {
      console.warn("The file could not be read", error);
      studio.say(text("upload_failed"));
    }
  };
  // The first of several files that carries a recipe, else the first.
  const restoreOne = async (files) => {
    if (files.length === 1 && studio.presets?.takes?.(files[0])) return;
    for (const file of files) if (isText(file) || (await carries(file).catch(() => false))) return restore(file);
    if (files.length) restore(files[0]);
  };

  // -- what the server says afterwards -----------------------------------------------------------------
  const there = (id) =>
    new Promise((done) => {
      const end = Date.now() + WAIT;
      const look = () => (document.getElementById(id) || Date.now() > end ? done(document.getElementById(id)) : setTimeout(look, 50));
      look();
    });
  const clear = () => $$(".ws-recipe").forEach((box) => box.remove());
  const told = ({ mode, name, fields, general }) => {
    clear();
    studio.say(text("recipe_restored", { name: short(name) }));
    for (const [field, words] of Object.entries(fields)) {
      // Fields of Advanced exist only after it was opened.
      if (window.wanForms[mode].advanced.includes(field) && !document.getElementById(`${mode}-${field}`)) general.push(words);
      else there(`${mode}-${field}`).then((found) => found && studio.sayAtField(`${mode}-${field}`, words));
    }
    if (!general.length) return;
    there(`${mode}-generate`).then((button) => {
      const row = $(`.draft[data-mode="${mode}"]`)?.closest(".block") || button;
      if (!row) return;
      const box = part("div", "ws-recipe");
      box.setAttribute("role", "status");
      const list = part("ul", "");
      list.append(...general.map((words) => part("li", "", words)));
      const close = part("button", "", text("recipe_close"));
      close.type = "button";
      close.addEventListener("click", clear);
      box.append(list, close);
      row.before(box);
    });
  };
  const offers = studio.offers;
  studio.offers = (given) => {
    tools = given;
    offers(given);
    given.watch("value", () => {
      const notes = $("[data-recipe-notes]", given.element);
      if (notes) told(JSON.parse(notes.dataset.recipeNotes));
    });
  };

  // -- where files come from ---------------------------------------------------------------------------
  // The note below a field that has taken the file.
  const offer = async (zone, id, file) => {
    if (!(await carries(file).catch(() => false)) || !zone.isConnected) return;
    const line = part("p", "ws-upload");
    line.dataset.fileNote = id; // is removed with the file
    line.setAttribute("role", "status");
    const button = part("button", "", text("recipe_restore"));
    button.type = "button";
    button.addEventListener("click", () => {
      line.remove();
      restore(file);
    });
    line.append(part("span", "", text("recipe_offer")), button);
    zone.after(line);
  };
  // A picture goes to the field that is shown (paste.js), anything else is a recipe. What has no type is looked into.
  document.addEventListener("paste", async (event) => {
    const files = [...(event.clipboardData?.files || [])];
    if (event.target.closest?.("dialog") || !files.length || files.some((file) => file.type.startsWith("image/"))) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    for (const file of files) if (!file.type && (await studio.isPicture(file))) return studio.pastePicture([file]);
    restoreOne(files);
  }, true);
  const chooser = Object.assign(part("input", ""), { type: "file", accept: "video/*,image/*,application/json,.json", hidden: true });
  chooser.addEventListener("change", () => {
    const files = [...chooser.files];
    chooser.value = "";
    restoreOne(files);
  });
  const choose = () => {
    if (!chooser.isConnected) document.body.append(chooser);
    chooser.click();
  };
  document.addEventListener("click", (event) => event.target.closest?.('[data-recipe="choose"]') && choose());

  studio.recipes = { carries, choose, offer, restore: restoreOne };
})();
