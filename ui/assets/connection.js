/* What the page says about the connection and about blocked storage, and Generate while the server is away. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, $$, events, network, text } = studio;
  const set = (place, value) => place.textContent !== value && (place.textContent = value);

  // -- the line below the header --------------------------------------------------------------------------
  const words = () => {
    const waits = $$("button.ws-generate[data-waits]").length > 0;
    switch (network.state()) {
      case "away":
        if (waits) return text(navigator.onLine ? "away_waits" : "offline_waits");
        return text(navigator.onLine ? "away" : "offline");
      case "login":
        return text("login_again");
      case "changed":
        return text("page_changed");
      default:
        return "";
    }
  };
  const draw = () => {
    const line = $("#ws-connection .connection");
    if (!line) return;
    const said = words();
    set($("span", line), said);
    line.toggleAttribute("data-shown", Boolean(said));
    const button = $("button", line);
    button.hidden = !["login", "changed"].includes(network.state());
    set(button, text(network.state() === "login" ? "sign_in" : "reload"));
    document.documentElement.toggleAttribute("data-away", Boolean(said));
  };

  // -- Generate -------------------------------------------------------------------------------------------
  // Gradio sends a press only after the uploads of the form. Until then: button's id -> whether it is still wanted.
  const early = new Map();
  const busy = () => network.state() !== "ok" || studio.uploading() > 0;
  const waits = (button) =>
    events.waiting(button).length > 0 || (early.get(button.id) === true && !["ok", "changed"].includes(network.state()));
  const take = (button) => {
    if (early.has(button.id)) early.set(button.id, false);
    events.waiting(button).forEach(events.withdraw);
    buttons();
  };
  events.wanted = (event) => {
    const id = events.source(event);
    const wanted = early.get(id) !== false;
    early.delete(id);
    return wanted;
  };
  setInterval(() => early.size && !busy() && early.clear(), 5000);
  const buttons = () => {
    for (const button of $$("button.ws-generate")) {
      const held = waits(button);
      if (held === button.hasAttribute("data-waits")) continue;
      button.toggleAttribute("data-waits", held);
      $(".ws-held", button.closest(".ws-generate-box"))?.remove();
      if (!held) continue;
      const line = document.createElement("p");
      const cancel = document.createElement("button");
      line.className = "ws-held";
      cancel.type = "button";
      cancel.textContent = text("withdraw");
      cancel.addEventListener("click", () => {
        button.focus({ preventScroll: true });
        take(button);
      });
      line.append(text("held"), " ", cancel);
      button.after(line);
    }
    studio.label?.();
    draw();
  };
  // Another press while one is waiting replaces it: what is in the form now is sent.
  document.addEventListener(
    "click",
    (event) => {
      const button = event.target.closest?.("button.ws-generate");
      if (!button) return;
      const [unsent, sent] = [early.has(button.id), events.waiting(button).length > 0];
      if (busy() && !sent) early.set(button.id, true);
      setTimeout(buttons, 0);
      if (!unsent && !sent) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (!sent) return; // Gradio reads the form when it sends the first press
      take(button);
      setTimeout(() => button.click(), 200); // once Gradio has seen the end of the first
    },
    true,
  );
  events.watch(buttons);
  network.watch(buttons);
  addEventListener("online", draw);
  addEventListener("offline", draw);
  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("#ws-connection .connection button")) return;
    if (network.state() === "login") window.open(location.pathname, "_blank"); // this tab resumes once the new one is signed in
    else location.reload();
  });

  // -- storage --------------------------------------------------------------------------------------------
  const note = () => {
    const place = $("#ws-connection .storage");
    if (!place) return setTimeout(note, 100);
    set($("span", place), text("no_storage"));
    place.hidden = false;
  };
  window.wanStorage.onLost(note);
})();
