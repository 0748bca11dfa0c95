/* Ctrl+V of a picture: it goes into the picture field of the form that is shown. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, text } = studio;
  const FORMS = window.wanForms;

  // -- a short message, in the place of Gradio's own ----------------------------------------------------------
  let gone = 0;
  const say = (studio.say = (words) => {
    let place = $(".ws-said");
    if (!place) {
      place = Object.assign(document.createElement("p"), { className: "ws-said" });
      place.setAttribute("role", "status");
      $(".gradio-container").append(place);
    }
    place.textContent = words;
    place.hidden = false;
    studio.placeToasts();
    clearTimeout(gone);
    gone = setTimeout(() => (place.hidden = true), 6000);
  });

  // -- the field: the first empty one, else the first ---------------------------------------------------------
  const shown = (part) => part && part.offsetParent;
  const fields = () => {
    const mode = studio.mode();
    const button = document.getElementById(`${mode}-generate`);
    if (!shown(button)) return [];
    return FORMS[mode].pictures.map((name) => document.getElementById(`${mode}-${name}`)).filter(shown);
  };
  const input = (part) => $("input[type=file]", part);
  const fill = (part, file) => {
    const files = new DataTransfer();
    files.items.add(file);
    input(part).files = files.files;
    input(part).dispatchEvent(new Event("change", { bubbles: true }));
  };
  const emptied = (part) =>
    new Promise((done) => {
      if (input(part)) return done();
      const watcher = new MutationObserver(() => {
        if (!input(part)) return;
        watcher.disconnect();
        done();
      });
      watcher.observe(part, { childList: true, subtree: true });
      $(".icon-button-wrapper button", part)?.click();
    });

  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files || [])].filter((one) => one.type.startsWith("image/"));
    const typing = event.target.matches?.("textarea, input");
    if (!files.length || (typing && event.clipboardData.types.includes("text/plain"))) return;
    event.preventDefault();
    studio.pastePicture(files);
  });
  studio.pastePicture = async (files) => {
    const places = fields();
    if (!places.length) return (await studio.recipes.carries(files[0])) ? studio.recipes.restore(files) : say(text("no_picture_field"));
    const place = places.find(input) || places[0];
    await emptied(place);
    const ending = /\.(\w+)$/.exec(files[0].name)?.[1].toLowerCase() || "png"; // names the type that is not given
    const type = files[0].type || `image/${ending === "jpg" ? "jpeg" : ending}`;
    const kind = type.split("/")[1].split("+")[0];
    fill(place, new File([files[0]], files[0].name === "image.png" ? text("pasted", { kind }) : files[0].name, { type }));
    place.scrollIntoView({ block: "nearest" });
  };
})();
