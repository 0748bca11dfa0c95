/* The download of models on the System tab: sends the form, and asks for the progress while a download runs. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $ } = studio;
  const SECONDS = 1;

  studio.modelDownload = ({ element, trigger, watch, events }) => {
    let timer = 0;
    const isBusy = () => $(".fetch", element)?.dataset.busy === "1";
    const values = () => Object.fromEntries([...element.querySelectorAll("select")].map((one) => [one.name, one.value]));

    const look = () => {
      clearTimeout(timer);
      if (!isBusy()) return;
      timer = setTimeout(() => {
        if (!document.hidden) trigger("look", { busy: "1" });
        look();
      }, SECONDS * 1000);
    };
    // While a plan is under way, no other one is sent; what was chosen since then is planned after it.
    let asked = "", askedAt = 0;
    const isOutdated = () => asked !== "" && asked !== JSON.stringify(values());
    const settle = () => {
      const button = $("[data-fetch=plan]", element);
      if (button) button.disabled = isBusy() || asked !== "";
    };
    const plan = () => {
      if (asked && Date.now() - askedAt < SECONDS * 60_000) return;
      asked = JSON.stringify(values());
      askedAt = Date.now();
      settle();
      trigger("plan", values());
    };
    studio.modelsPlanned = () => {
      const again = isOutdated() && !isBusy();
      asked = "";
      if (again) plan();
      settle();
    };

    watch("value", () => {
      // A patched <select> keeps what was chosen before; the server's choice counts, unless it is an older one.
      for (const select of isOutdated() ? [] : element.querySelectorAll("select")) {
        const given = select.querySelector("option[selected]");
        if (given) select.value = given.value;
      }
      settle();
      look();
    });
    element.addEventListener("click", (event) => {
      const act = event.target.closest("[data-fetch]")?.dataset.fetch;
      if (!events.includes(act)) return;
      if (act === "plan") return plan();
      trigger(act, act === "start" ? values() : {});
    });
    element.addEventListener("change", (event) => {
      const asked = $(".fetch-files", element) || $(".fetch", element)?.dataset.asked === "1";
      if (event.target.closest("select") && asked && !isBusy()) plan();
    });
    look();
  };
})();
