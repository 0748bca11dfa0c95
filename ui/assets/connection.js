/* What the page says about the connection and about blocked storage. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, $$, network, text } = studio;
  const set = (place, value) => place.textContent !== value && (place.textContent = value);

  // -- the line below the header --------------------------------------------------------------------------
  const words = () => {
    const waits = $$("button.ws-generate[data-held]").length > 0;
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

  studio.drawConnection = draw;
  network.watch(draw);
  addEventListener("online", draw);
  addEventListener("offline", draw);
  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("#ws-connection .connection button")) return;
    if (network.state() === "login") window.open(location.pathname, "_blank"); // this tab resumes once the new one is signed in
    else location.reload();
  });

  // -- storage --------------------------------------------------------------------------------------------
  const OWNER = "wan-studio-owner"; // ui/page.py: the visitor's token, by which videos are found again
  const note = () => {
    const place = $("#ws-connection .storage");
    if (!place) return setTimeout(note, 100);
    const { blocked, holds } = window.wanStorage;
    set($("span", place), text(blocked ? "no_storage" : holds(OWNER) ? "storage_full" : "storage_full_new"));
    place.hidden = false;
  };
  window.wanStorage.onLost(note);
})();
