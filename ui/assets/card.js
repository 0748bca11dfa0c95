/* The job card: follows one job with short polls, and sends clicks to the server. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, $$, text } = studio;
  const SECONDS = { running: 1, next: 0.5, queued: 3, idle: 5, hidden: 6, retry: 0.5, waits: 3, most: 8, again: 5, system: 5 };

  const MAKES = ["again", "vary", "quality", "finish", "retry"]; // events that make a job

  studio.card = ({ element, trigger, server, watch, upload, events }) => {
    const card = () => $(".card", element);
    const follow = { id: "", key: "", seen: 0, best: 0, announced: "", status: "", ended: "", endedAt: 0 };
    const requested = new Map(); // request to render again -> its time in milliseconds
    let timer = 0, failures = 0, asking = false, engine = null, models = null, loaded = false, looked = 0;

    const live = (name) => $(`[data-live="${name}"]`, element);
    const set = (place, value) => place && place.textContent !== value && (place.textContent = value);

    // On a phone Generate is far below the stage. Beside a form, a card that grows taller than the window is not held
    // at its top any more: a new stage, and one that was in view, are scrolled back to.
    let stood = true; // whether the top of the stage was in view
    const top = () => $(".stage", element)?.getBoundingClientRect().top ?? 0;
    const reveal = () => {
      if (studio.oneColumn()) scrollTo({ top: 0 });
      else if (top() < 0) scrollBy(0, top() - 16);
    };

    // -- what the server rendered -----------------------------------------------------------------
    const sync = () => {
      const data = card()?.dataset || {};
      if ((data.id || "") !== follow.id) {
        if (loaded && data.id && data.id === data.shown) reveal();
        const id = data.id && data.id !== follow.ended ? data.id : "";
        Object.assign(follow, { id, key: data.key || "", seen: 0, best: 0, announced: "", status: "" });
        if (!id) titleFor(null);
      }
      address(data.shown);
      follow.seen = 0; // the new HTML lacks the preview
      document.documentElement.dataset.card = data.state || "empty";
      studio.busy(Boolean(data.busy));
      studio.refreshFrame();
      studio.dressPlayer?.(element);
      studio.dressSet?.(element);
      studio.dressResult?.(element);
      studio.dressScreen?.(element);
      const bell = $("[data-notify]", element);
      if (bell) bell.hidden = !(window.isSecureContext && window.Notification?.permission === "default");
      if (loaded && stood && !studio.oneColumn()) reveal();
      stood = top() >= 0;
      soon(0);
    };

    // A private link stays in the address bar while its job is on the stage.
    const address = (shown) => {
      const here = new URL(location.href), asked = here.searchParams;
      if (!loaded || !asked.has("job") || asked.get("job") === shown) return;
      for (const name of ["job", "key"]) asked.delete(name);
      history.replaceState(history.state, "", here);
    };
    const about = (id, key) => {
      const { shown = "", shownkey = "", set: whole = "", setkey = "" } = card()?.dataset || {};
      return { id, key, shown, shownkey, set: whole, setkey };
    };
    // Triggers once per interval: an event may get lost with the connection.
    const ask = (what, name, data) => {
      const now = Date.now();
      if (now - (requested.get(what) || 0) < SECONDS.again * 1000) return;
      requested.set(what, now);
      trigger(name, data);
      if (name === "finished") studio.replanAll();
    };

    // -- the poll -----------------------------------------------------------------------------------
    const soon = (seconds) => {
      clearTimeout(timer);
      timer = setTimeout(tick, seconds * 1000);
    };
    const tick = async () => {
      if (asking) return;
      asking = true;
      stood = top() >= 0;
      const asked = { id: follow.id, key: follow.key, seen: follow.seen, more: others(), owner: studio.drafts?.owner() || "" };
      let answer;
      try {
        answer = await server.poll(asked);
      } catch {
        answer = undefined;
      }
      asking = false;
      if (!answer) {
        failures += 1;
        if (failures > 1) lost();
        const most = follow.id && !document.hidden ? SECONDS.waits : SECONDS.most; // the visitor waits for this job
        return soon(Math.min(most, SECONDS.retry * 2 ** (failures - 1)));
      }
      if (failures) notice("");
      failures = 0;
      header(answer);
      if (asked.id && asked.id === follow.id) {
        if (answer.gone) end("gone");
        else if (answer.job) show(answer.job); // else it was not looked up in time: the next poll asks again
      } else if (follow.ended && card()?.dataset.id === follow.ended && Date.now() - follow.endedAt > 5000) {
        // The event that replaces the card got lost with the connection.
        follow.endedAt = Date.now();
        trigger("finished", about(follow.ended, card().dataset.key));
      }
      aside(answer, asked.more);
      const waits = follow.status === "queued" && answer.job?.next ? "next" : follow.status || "running";
      const pace = document.hidden ? SECONDS.hidden : SECONDS[follow.id ? waits : "idle"];
      soon(pace || SECONDS.running);
    };

    // Jobs that the page shows besides the followed one: in the queue, in the strip, in the Library.
    const others = () => {
      const found = new Map();
      for (const { dataset } of $$("[data-waits]")) if (dataset.id !== follow.id) found.set(dataset.id, dataset.key);
      return [...found].slice(0, 16);
    };
    const aside = ({ more, paused }, asked) => {
      for (const [id, key] of asked) {
        if (!more[id]) continue; // not looked up in time
        const [status, place, percent, left] = more[id];
        if (status !== "queued" && status !== "running") {
          ask(`end ${id}`, "finished", about(id, key));
          continue;
        }
        for (const tag of $$(`[data-place="${id}"]`)) set(tag, place || text("now"));
        for (const tag of $$(`[data-left="${id}"]`)) set(tag, left || text(status === "queued" ? "waiting" : "running"));
        for (const bar of $$(`[data-bar="${id}"]`)) bar.style.setProperty("--d", percent / 100);
        if (status === "running" && $(`.line [data-place="${id}"]`, element)) ask(`run ${id}`, "redraw", about(id, key));
      }
      if ($(".line", element) && paused !== Boolean($(".line .paused", element))) ask("paused", "redraw", about());
      if ($("#tab-system-button.selected") && Date.now() - looked > SECONDS.system * 1000) {
        looked = Date.now();
        trigger("system", {});
      }
    };

    // Shown in the card while a job is on the stage, and always in the header.
    const lost = () => {
      notice(text("connection_lost"));
      const badge = $('[data-live="badge"]');
      if (!badge) return;
      badge.dataset.state = "lost";
      badge.title = text("connection_lost");
      set($("small", badge), text("no_connection"));
    };
    const header = ({ badge: [state, name, detail, demo, tip], queue: [long, short, percent], models: seen }) => {
      const badge = $('[data-live="badge"]');
      if (badge) {
        badge.dataset.state = state;
        badge.dataset.demo = demo ? "1" : "0";
        badge.title = tip;
        set($("strong", badge), name);
        set($("small", badge), detail);
      }
      document.documentElement.toggleAttribute("data-demo", demo);
      // The state or the model files of the engine changed: the tabs that show them are rendered again.
      if (engine !== null && (engine !== state || models !== seen)) {
        trigger("engine", {});
        studio.replanAll();
      }
      engine = state;
      models = seen;
      const queue = $('[data-live="queue"]');
      if (!queue) return;
      set($(".long", queue), long);
      set($(".short", queue), short);
      queue.toggleAttribute("data-busy", percent !== null);
      $(".ring circle + circle", queue).setAttribute("stroke-dasharray", `${percent || 0} 100`);
    };

    const show = (job) => {
      follow.status = job.status;
      if (job.status !== "running" && job.status !== "queued") return end(job.status);
      const percent = (follow.best = Math.max(follow.best, job.percent));
      const onStage = card()?.dataset.shown === follow.id;
      if (onStage) {
        set(live("words"), job.words);
        set(live("elapsed"), job.elapsed);
        set(live("left"), job.left);
        bars(job, percent);
        if (card().dataset.state !== job.status) card().dataset.state = job.status;
        notice(job.notice);
        if (follow.announced !== job.announcement) set(live("stage"), job.announcement);
        follow.announced = job.announcement;
      }
      if (job.image) {
        follow.seen = job.preview;
        if (onStage) paint(live("preview"), job.image);
        if (onStage) studio.paintPart(job.part, job.image);
        for (const tile of $$(`[data-bar="${follow.id}"]`)) for (const img of $$("img", tile.parentNode)) img.src = job.image;
      }
      for (const bar of $$(`[data-bar="${follow.id}"]`)) bar.style.setProperty("--d", percent / 100);
      for (const tag of $$(`[data-left="${follow.id}"]`)) set(tag, job.left || text(job.status === "queued" ? "waiting" : "running"));
      for (const tag of $$(`[data-words="${follow.id}"]`)) set(tag, job.words);
      titleFor(job.status === "running" ? percent : null);
    };

    const bars = (job, percent) => {
      const box = live("bar");
      if (!box) return;
      job.segments.forEach(([stage, weight, done], index) => {
        const bar = box.children[index];
        if (!bar) return;
        bar.style.setProperty("--w", weight);
        bar.style.setProperty("--d", Math.max(done, Number(bar.style.getPropertyValue("--d")) || 0));
        bar.className = stage === job.stage ? "now" : done >= 1 ? "past" : "";
      });
      box.setAttribute("aria-valuenow", Math.round(percent));
      box.setAttribute("aria-valuetext", job.spoken);
    };

    const paint = (img, image) => {
      if (!img) return;
      img.src = image;
      img.classList.remove("soft");
      set(live("tag"), text("preview"));
    };

    const end = (status) => {
      if (follow.ended === follow.id) return;
      Object.assign(follow, { ended: follow.id, endedAt: Date.now(), status: "" });
      if (card()?.dataset.shown === follow.id) set(live("left"), "");
      trigger("finished", about(follow.id, follow.key));
      studio.replanAll(); // room in the queue, and one more measured time
      follow.id = "";
      titleFor(null);
      if (status === "done") announce();
    };

    const announce = () => {
      if (document.hidden) {
        document.title = text("title_done");
        if (window.Notification?.permission === "granted")
          try {
            new Notification(text("notify_done"), { tag: "wan-studio" }).onclick = () => window.focus();
          } catch {
            /* phones accept notifications from service workers only */
          }
      }
    };
    const titleFor = (percent) => {
      document.title = percent === null ? text("app") : text("title_percent", { percent: Math.floor(percent) });
    };
    const notice = (message) => {
      const place = live("notice");
      if (place) {
        set($("span", place), message);
        place.hidden = !message;
      }
    };

    // -- clicks ---------------------------------------------------------------------------------------
    element.addEventListener("click", async (event) => {
      if (event.target.closest("[data-notify]")) {
        await Notification.requestPermission();
        return sync();
      }
      const button = event.target.closest("[data-act]");
      if (!button || !events.includes(button.dataset.act)) return;
      const { act, id, key, change, n, mode, field } = button.dataset;
      if (MAKES.includes(act) && studio.pressedAgain(act)) return;
      const data = { ...about(id, key), change, field, mode: mode || studio.mode() };
      if (act === "starter") data.n = Number(n);
      if (act === "sample") data.n = n;
      if (act === "keep_picked") Object.assign(data, studio.picks());
      if (act === "cancel") button.disabled = true;
      if (act === "delete" && !studio.deletes(button, event)) return;
      if (act === "frame") {
        data.path = await studio.takeFrame(element, button, upload);
        if (!data.path) return;
      }
      trigger(act, data);
      if (act === "show" || MAKES.includes(act)) scrollTo({ top: 0 });
    });

    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return;
      if (!follow.id) titleFor(null);
      soon(0);
    });
    studio.extend.host({ element, trigger, server, upload, about });
    studio.redraw = () => trigger("redraw", about());
    studio.choices = (id, key) => server.choices({ id, key });
    studio.finals = (jobs) => server.finals({ jobs });
    studio.compared = (clips) => server.compared({ clips });
    studio.makeFinals = (data) => (trigger("finish", { ...about(), ...data }), scrollTo({ top: 0 }));
    addEventListener("online", () => soon(0));
    studio.repaint = () => {
      follow.seen = 0;
      soon(0);
    };
    watch("value", () => {
      sync();
      loaded = true;
    });
    sync();
  };
})();
