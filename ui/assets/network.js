/* The connection to the server: whether it is there, and requests that wait for it and are sent again.

   Gradio reloads the page after the first failed request, and everything that was typed is lost. So its requests
   go through `window.fetch` below, which does not fail while the server is away. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const real = window.fetch.bind(window);
  const API = "/gradio_api/";
  const SECONDS = { first: 0.5, most: 4, answer: 10, request: 100, frozen: 30 };
  const AGAIN = 3; // times that a request is sent to a server that answers other requests
  const DOWN = [502, 504, 520, 521, 522, 523, 524, 525, 526, 530]; // a proxy's answers for a server that is away
  const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

  /* "ok"; "away": no answer; "login": the server wants a login; "changed": another version of the page is served
     and its events are numbered differently, so nothing may be sent from here. */
  let state = "ok";
  let stopped = false; // Gradio has given up: only a reload of the page helps
  let back = null; // resolves once requests can be sent again
  const listeners = [];
  const become = (next) => {
    if (state === next || stopped) return;
    state = next;
    for (const listener of listeners) listener(state);
  };

  // -- which page the server serves -----------------------------------------------------------------
  const shape = ({ dependencies = [], components = [] }) =>
    JSON.stringify([
      dependencies.map(({ id, targets, inputs, outputs, queue }) => [id, targets, inputs, outputs, queue]),
      components.map(({ id, type, props }) => [id, type, props?.elem_id || ""]),
    ]);
  const config = window.gradio_config || {};
  const here = { shape: shape(config), app: String(config.app_id ?? "") };
  let prefix = null; // of the API's addresses, as Gradio uses it below a proxy's path
  const address = (path) => {
    const root = prefix ?? new URL(window.gradio_config?.root || "./", document.baseURI).pathname.replace(/\/+$/, "");
    return location.origin + root + path;
  };
  const get = async (path) => {
    const response = await real(address(path), { cache: "no-store", signal: AbortSignal.timeout(SECONDS.answer * 1000) });
    return { status: response.status, body: response.ok ? await response.json() : null };
  };

  // The state that the server's answers show.
  const look = async () => {
    try {
      const { body } = await get(`${API}app_id`);
      if (!body) return "away";
      const app = String(body.app_id);
      if (app === here.app) return "ok";
      const login = await get(`${API}login_check`);
      if (login.status === 401) return "login";
      const { status, body: served } = await get("/config");
      if (status === 401) return "login";
      if (!served) return "away";
      if (shape(served) !== here.shape) return "changed";
      here.app = app;
      return "ok";
    } catch {
      return "away";
    }
  };

  let wake = () => {};
  const follow = async () => {
    for (let pause = SECONDS.first; ; pause = Math.min(SECONDS.most, pause * 1.5)) {
      const found = await look();
      become(found);
      if (stopped || found === "changed") return new Promise(() => {});
      if (found === "ok") return;
      await Promise.race([sleep(pause), new Promise((done) => (wake = done))]);
    }
  };
  // Resolves once the server answers; looks at once, and then from time to time.
  const check = () => {
    back ??= follow().finally(() => (back = null));
    return back;
  };
  addEventListener("online", () => wake());
  addEventListener("offline", () => check());
  // The server may have been restarted while the page was suspended.
  let seen = Date.now();
  setInterval(() => {
    if (Date.now() - seen > SECONDS.frozen * 1000) check();
    seen = Date.now();
  }, 5000);
  addEventListener("pageshow", (event) => event.persisted && check());

  // -- sending --------------------------------------------------------------------------------------
  const isJson = (response) => (response.headers.get("content-type") || "").includes("json");
  const later = (response) => [429, 503].includes(response.status) && response.headers.has("retry-after");
  const isAway = (response) => // 503 without a time: it is being stopped
    DOWN.includes(response.status) || (response.status === 503 && !later(response)) || (response.status === 404 && !isJson(response));

  /* The response to a request, sent again until there is one. `make`: builds the request anew. `signal`: aborts.
     `waiting`: called with whether the server is away. `seconds`: how long one answer may take. Rejects when aborted, and when the server is there but never answers
     this request. */
  const send = async (make, { signal, seconds = SECONDS.request, waiting = () => {} } = {}) => {
    for (let failed = 0; ; ) {
      if (state !== "ok") {
        waiting(true);
        await Promise.race([check(), aborted(signal)]);
      }
      if (signal?.aborted) throw new DOMException("aborted", "AbortError");
      const limit = new AbortController();
      const stop = () => limit.abort();
      signal?.addEventListener("abort", stop);
      const timer = setTimeout(stop, seconds * 1000);
      try {
        const response = await real(make(), { signal: limit.signal });
        if (response.status === 401) {
          become("login");
          here.app = ""; // the next look asks for the login as well
        } else if (later(response)) {
          if (++failed > AGAIN) return response;
          await sleep(Math.min(30, Number(response.headers.get("retry-after")) || 1));
          continue;
        } else if (!isAway(response)) {
          waiting(false);
          return response;
        }
      } catch (error) {
        if (signal?.aborted) throw error;
      } finally {
        clearTimeout(timer);
        signal?.removeEventListener("abort", stop);
      }
      waiting(true);
      await Promise.race([check(), aborted(signal)]);
      if (++failed > AGAIN + 3) throw new TypeError("the server does not answer this request");
      await sleep(Math.min(4, 0.25 * 2 ** failed));
    }
  };
  const aborted = (signal) =>
    new Promise((_, fail) => signal?.addEventListener("abort", () => fail(new DOMException("aborted", "AbortError")), { once: true }));

  // -- Gradio's requests ----------------------------------------------------------------------------
  const routes = []; // [pattern of the path below API, handler(request facts) -> response]
  const route = (pattern, handler) => routes.push([pattern, handler]);
  window.fetch = (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input, document.baseURI);
    const at = url.pathname.indexOf(API);
    if (url.origin !== location.origin || at < 0) return real(input, init);
    prefix = url.pathname.slice(0, at);
    const path = url.pathname.slice(at + API.length).replace(/\/+$/, "");
    const found = routes.find(([pattern]) => pattern.test(path));
    return found ? found[1]({ url, path, input, init: init || {}, signal: init?.signal || (input instanceof Request ? input.signal : null) }) : real(input, init);
  };

  // Events without the queue: plans, lists. All of them may run twice.
  route(/^run\//, async ({ url, init }) => {
    try {
      const response = await send(() => new Request(url, init));
      if (response.ok) return response;
      const { error, detail } = await response.json();
      const said = error || (typeof detail === "string" ? detail : studio.text("failed"));
      studio.ours?.(said);
      return Response.json({ error: studio.unmarked(said) }, { status: response.status });
    } catch (error) {
      console.warn("An event could not be sent", error);
      return Response.json({ error: studio.text("failed") }, { status: 500 });
    }
  });
  // The card's poll repeats anyway; it is the first to notice that the server is away.
  route(/^component_server$/, async ({ input, init }) => {
    try {
      const response = await real(input, init);
      if (isAway(response) || response.status === 401) check();
      return response;
    } catch (error) {
      if (!init.signal?.aborted) check();
      throw error;
    }
  });
  // Gradio asks for it only before it reloads the page.
  route(/^app_id$/, () => {
    become("changed");
    stopped = true;
    return Promise.resolve(new Response("", { status: 503 }));
  });
  // An upload whose progress cannot be followed has no bar.
  const silent = () => new Response("", { headers: { "content-type": "text/event-stream" } });
  route(/^upload_progress/, ({ input, init }) =>
    real(input, init).then((response) => (response.ok ? response : silent()), silent),
  );

  Object.assign((studio.network = {}), {
    real, send, check, route, sleep, address,
    state: () => state,
    watch: (listener) => listeners.push(listener),
  });
})();
