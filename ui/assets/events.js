/* Gradio's queue of events, over a connection that may break. Gradio joins an event under an id of ours and reads
   one stream that never breaks. Behind it every event is sent until the server has it, and sent again when the
   stream with its answer breaks. The header x-wan-request stays the same each time, so the server makes a job once. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { network } = studio;
  const SILENT = 50; // seconds without a message on the stream, which has a heartbeat of 15
  /* Seconds without a message of one event, doubled with each break. A browser sends a request again by itself when
     the connection breaks just then; the stream that the server has lost takes the messages, and the new one has
     heartbeats alone. */
  const QUIET = 12;
  const ATTEMPTS = 20; // breaks that one event may see
  const OURS = [403, 413, 429, 503, 507]; // whose sentence in `detail` is the studio's
  const events = new Map(); // our id -> event
  const joined = new Map(); // the server's id -> event
  const listeners = [];
  const told = () => listeners.forEach((listener) => listener());
  const random = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

  // -- what Gradio reads ------------------------------------------------------------------------------
  const encoder = new TextEncoder();
  let out = null; // controller of the open stream
  let early = []; // messages before it is open
  const emit = (message) => {
    if (!out) return early.push(message);
    out.enqueue(encoder.encode(`data: ${JSON.stringify(message)}\n\n`));
  };
  network.route(/^queue\/data$/, ({ signal }) => {
    const stream = new ReadableStream({
      start: (controller) => {
        out = controller;
        early.splice(0).forEach(emit);
        signal?.addEventListener("abort", () => {
          if (out === controller) out = null;
          try {
            controller.close();
          } catch {
            /* closed already */
          }
        });
      },
      cancel: () => (out = null),
    });
    return Promise.resolve(new Response(stream, { headers: { "content-type": "text/event-stream" } }));
  });

  const over = (event) => {
    event.over = true;
    events.delete(event.id);
    joined.delete(event.real);
    event.abort.abort();
    told();
  };
  const completed = (event, success, output) => {
    emit({ msg: "process_completed", event_id: event.id, success, output: { is_generating: false, duration: 0, average_duration: 0, ...output } });
    over(event);
  };
  // Ends an event without any change on the page. A refusal is shown as a message.
  const dependency = (event) => (window.gradio_config?.dependencies || []).find(({ id }) => id === event.body.fn_index) || {};
  const drop = (event) =>
    completed(event, true, { data: (dependency(event).outputs || []).map(() => ({ __type__: "update" })) });
  // Gradio shows a message as markup, and ours quote names and prompts.
  studio.unmarked = (message) => String(message).replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  const refuse = (event, message) => {
    studio.ours?.(message);
    completed(event, false, { error: studio.unmarked(message), visible: true, duration: 10 });
  };

  // -- sending an event -------------------------------------------------------------------------------
  // After a break the old stream may still be open on the server and take messages: a new name, a new stream.
  let epoch = 0;
  const session = (event) => (epoch ? `${event.body.session_hash}-${epoch}` : event.body.session_hash);
  const submit = async (event) => {
    const mine = epoch;
    joined.delete(event.real);
    event.real = "";
    try {
      const response = await network.send(
        () =>
          new Request(event.url, {
            method: "POST",
            credentials: "same-origin",
            headers: { ...event.headers, "x-wan-request": event.request },
            body: JSON.stringify({ ...event.body, session_hash: session(event) }),
          }),
        { signal: event.abort.signal, seconds: 30, waiting: (yes) => mark(event, yes) },
      );
      const answer = await response.json().catch(() => ({}));
      if (event.over) return;
      if (!response.ok || !answer.event_id) return refuse(event, OURS.includes(response.status) && typeof answer.detail === "string" ? answer.detail : studio.text("failed"));
      if (mine !== epoch) return submit(event);
      event.real = answer.event_id;
      event.last = Date.now();
      joined.set(event.real, event);
      mark(event, false);
      listen(event);
    } catch (error) {
      if (event.over) return;
      console.warn("An event could not be sent", error);
      refuse(event, studio.text("failed"));
    }
  };
  const mark = (event, waits) => {
    if (event.waits === waits || event.over) return;
    event.waits = waits;
    told();
  };
  network.route(/^queue\/join$/, ({ url, init }) => {
    const body = JSON.parse(init.body);
    const headers = Object.fromEntries(new Headers(init.headers || {}));
    const event = { id: random(), request: random(), url, headers, body, real: "", last: 0, waits: false, over: false, breaks: 0, abort: new AbortController() };
    const same = withdrawn.find((old) => old.body.fn_index === body.fn_index && JSON.stringify(old.body.data) === JSON.stringify(body.data));
    if (same && !body.event_data) event.request = same.request; // the first press may have arrived after all
    events.set(event.id, event);
    if (network.state() !== "changed") submit(event);
    else drop(event);
    return Promise.resolve(Response.json({ event_id: event.id }));
  });

  // -- the stream with the answers ----------------------------------------------------------------------
  let reading = false;
  const listen = async (event) => {
    if (reading) return;
    reading = true;
    const mine = epoch;
    let broken = false;
    try {
      broken = await read(session(event), event.url);
    } catch {
      broken = true;
    }
    reading = false;
    if (!joined.size) return;
    if (broken && mine === epoch) return again();
    listen([...joined.values()][0]); // joined while the server closed the stream
  };
  const read = async (name, join) => {
    const abort = new AbortController();
    let timer = 0;
    const alive = () => {
      clearTimeout(timer);
      timer = setTimeout(() => abort.abort(), SILENT * 1000);
    };
    const look = setInterval(() => {
      const quiet = [...joined.values()].some((event) => Date.now() - event.last > QUIET * 1000 * 2 ** Math.min(event.breaks, 4));
      if (quiet) abort.abort();
    }, 1000);
    try {
      alive();
      const url = new URL(join);
      url.pathname = url.pathname.replace(/join\/?$/, "data");
      url.search = new URLSearchParams({ session_hash: name }).toString();
      const response = await network.real(url, { signal: abort.signal, headers: { accept: "text/event-stream" } });
      if (!response.ok) return true;
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = ""; ; ) {
        const { value, done } = await reader.read();
        if (done) return true;
        alive();
        const parts = (rest + value).split(/\r?\n\r?\n/);
        rest = parts.pop();
        for (const part of parts) {
          const data = part.split(/\r?\n/).filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trim()).join("\n");
          if (!data) continue;
          const message = JSON.parse(data);
          if (message.msg === "close_stream") return false;
          if (["unexpected_error", "broken_connection", "server_stopped"].includes(message.msg)) return true;
          pass(message);
        }
      }
    } finally {
      clearTimeout(timer);
      clearInterval(look);
      abort.abort();
    }
  };
  // The answer of an event that fills forms may come long after it was asked for: what was typed meanwhile can be
  // brought back.
  const arrives = (event) => {
    const { js, targets = [] } = dependency(event);
    if (String(js || "").includes("wanStudio.drafts.before")) studio.drafts.before();
    if (targets.some(([, name]) => name === "restore")) studio.drafts.arrives();
  };
  const pass = (message) => {
    const event = joined.get(message.event_id);
    if (!event || event.over) return;
    event.last = Date.now();
    if (message.msg === "log") {
      studio.ours?.(message.log);
      message = { ...message, log: studio.unmarked(message.log) };
    }
    if (message.msg === "process_completed" && !message.success) {
      const error = message.output?.error;
      if (!error) return refuse(event, studio.text("failed"));
      studio.ours?.(error);
      message = { ...message, output: { ...message.output, error: studio.unmarked(error) } };
    }
    if (message.msg === "process_completed" && message.success) arrives(event);
    emit({ ...message, event_id: event.id });
    if (message.msg === "process_completed") over(event);
  };
  // The stream broke: all events that were on it are sent again.
  const again = async () => {
    epoch += 1;
    const lost = [...joined.values()];
    joined.clear();
    for (const event of lost) {
      event.real = "";
      event.breaks += 1;
    }
    await network.check();
    for (const event of lost) {
      if (event.over) continue;
      if (event.breaks > ATTEMPTS) refuse(event, studio.text("failed"));
      else submit(event);
    }
  };

  // -- for the page -----------------------------------------------------------------------------------
  const withdrawn = []; // presses that were taken back, the latest first
  const components = () => window.gradio_config?.components || [];
  studio.events = {
    // The element id of what was clicked, "" for another kind of event.
    source: (event) => {
      const [id] = (dependency(event).targets || []).find(([, name]) => name === "click") || [];
      return components().find((component) => component.id === id)?.props?.elem_id || "";
    },
    // Presses of this button that the server has not received, because it is away.
    waiting: (button) =>
      [...events.values()].filter(
        (event) => (event.waits || (!event.real && network.state() !== "ok")) && studio.events.source(event) === button.id,
      ),
    withdraw: (event) => {
      withdrawn.unshift(event);
      withdrawn.splice(8);
      drop(event);
    },
    // Whether an event of this name has not ended.
    isUnderWay: (name) => [...events.values()].some((event) => (dependency(event).targets || []).some(([, one]) => one === name)),
    watch: (listener) => listeners.push(listener),
  };
  network.watch((state) => {
    if (state === "changed") [...events.values()].forEach(drop);
    told();
  });
})();
