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
    $("button", line).hidden = !["login", "changed"].includes(network.state());
    document.documentElement.toggleAttribute("data-away", Boolean(said));
  };

  // -- Generate -------------------------------------------------------------------------------------------
  const presses = (button) => events.waiting(button);
  const held = (button) => $(".ws-held", button.closest(".ws-generate-box"));
  const take = (button) => presses(button).forEach(events.withdraw);
  const buttons = () => {
    for (const button of $$("button.ws-generate")) {
      const waits = presses(button).length > 0;
      if (waits === button.hasAttribute("data-waits")) continue;
      button.toggleAttribute("data-waits", waits);
      held(button)?.remove();
      if (!waits) continue;
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
      const button = event.target.closest?.("button.ws-generate[data-waits]");
      if (!button) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      take(button);
      setTimeout(() => button.click(), 50);
    },
    true,
  );
  events.watch(buttons);
  network.watch(buttons);
  addEventListener("online", draw);
  addEventListener("offline", draw);
  document.addEventListener("click", (event) => event.target.closest?.("#ws-connection [data-reload]") && location.reload());

  // -- storage --------------------------------------------------------------------------------------------
  const note = () => {
    const place = $("#ws-connection .storage");
    if (!place) return setTimeout(note, 100);
    set($("span", place), text("no_storage"));
    place.hidden = false;
  };
  window.wanStorage.onLost(note);
})();
