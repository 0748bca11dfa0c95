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
    const plan = () => {
      const button = $("[data-fetch=plan]", element);
      if (button) button.disabled = true;
      trigger("plan", values());
    };

    studio.modelsPlanned = () => {
      const button = $("[data-fetch=plan]", element);
      if (button) button.disabled = isBusy();
    };
    watch("value", () => {
      // A patched <select> keeps what was chosen before; the server's choice counts.
      for (const select of element.querySelectorAll("select")) {
        const given = select.querySelector("option[selected]");
        if (given) select.value = given.value;
      }
      studio.modelsPlanned();
      look();
    });
    element.addEventListener("click", (event) => {
      const act = event.target.closest("[data-fetch]")?.dataset.fetch;
      if (!events.includes(act)) return;
      if (act === "plan") return plan();
      trigger(act, act === "start" ? values() : {});
    });
    element.addEventListener("change", (event) => {
      if (event.target.closest("select") && $(".fetch-files", element)) plan();
    });
    look();
  };
})();
