/* The browser's storage, or a stand-in where it is blocked or full. First of all scripts: Gradio and the scripts below
   use localStorage without a guard. `window.wanStorage.kept`: what is stored outlives the tab. `blocked`: not even
   the loading of this page. */
(() => {
  "use strict";
  const SPARE = "wan-studio-spare-"; // in sessionStorage: a value that did not fit into localStorage
  const state = { kept: true, blocked: false };
  const listeners = [];
  const lose = () => {
    state.kept = false;
    for (const listener of listeners) listener();
  };

  class Memory {
    #items = new Map();
    get length() {
      return this.#items.size;
    }
    key(index) {
      return [...this.#items.keys()][index] ?? null;
    }
    getItem(name) {
      return this.#items.get(String(name)) ?? null;
    }
    setItem(name, value) {
      this.#items.set(String(name), String(value));
    }
    removeItem(name) {
      this.#items.delete(String(name));
    }
    clear() {
      this.#items.clear();
    }
  }
  const replace = (name, value) => {
    try {
      Object.defineProperty(window, name, { value, configurable: true });
    } catch (error) {
      console.warn(`${name} could not be replaced`, error);
    }
  };

  // Blocked (no cookies, a sandboxed frame, a policy): even the access throws.
  const PROBE = "wan-studio-probe";
  for (const name of ["localStorage", "sessionStorage"]) {
    let usable = false;
    try {
      usable = Boolean(window[name]);
      window[name].getItem(PROBE);
    } catch {
      usable = false;
    }
    if (usable) continue;
    replace(name, new Memory());
    if (name === "localStorage") state.blocked = true;
  }
  try {
    void window.indexedDB;
  } catch {
    replace("indexedDB", undefined); // scripts ask whether it is there
  }

  // Full: the value is kept in memory, and for this tab in sessionStorage, and covers the stored one.
  let holds = () => false;
  if (window.Storage) {
    const { getItem, setItem, removeItem, clear } = Storage.prototype;
    const overlays = new WeakMap(); // storage -> Map of the values that did not fit
    const session = window.sessionStorage instanceof Storage ? window.sessionStorage : null;
    const spare = (storage, name, value) => {
      if (storage === session || storage !== window.localStorage || !session) return;
      try {
        if (value === null) removeItem.call(session, SPARE + name);
        else setItem.call(session, SPARE + name, value);
      } catch {
        /* full as well: in memory alone */
      }
    };
    if (!state.blocked) {
      holds = (name) => getItem.call(window.localStorage, name) !== null;
      const found = session ? Object.keys(session).filter((key) => key.startsWith(SPARE)) : [];
      const values = found.map((key) => [key.slice(SPARE.length), getItem.call(session, key)]);
      if (values.length) {
        overlays.set(window.localStorage, new Map(values));
        state.kept = false;
      }
    }
    Object.assign(Storage.prototype, {
      getItem(name) {
        const overlay = overlays.get(this);
        return overlay?.has(String(name)) ? overlay.get(String(name)) : getItem.call(this, name);
      },
      setItem(name, value) {
        try {
          setItem.call(this, name, value);
          if (overlays.get(this)?.delete(String(name))) spare(this, name, null);
        } catch (error) {
          if (error?.name !== "QuotaExceededError" && error?.name !== "SecurityError") throw error;
          if (!overlays.has(this)) overlays.set(this, new Map());
          overlays.get(this).set(String(name), String(value));
          spare(this, name, String(value));
          if (this === window.localStorage) lose();
        }
      },
      removeItem(name) {
        if (overlays.get(this)?.delete(String(name))) spare(this, name, null);
        removeItem.call(this, name);
      },
      clear() {
        for (const name of overlays.get(this)?.keys() || []) spare(this, name, null);
        overlays.delete(this);
        clear.call(this);
      },
    });
  }

  if (state.blocked) state.kept = false;
  window.wanStorage = {
    getItem: (name) => window.localStorage.getItem(name),
    setItem: (name, value) => window.localStorage.setItem(name, value),
    removeItem: (name) => window.localStorage.removeItem(name),
    get kept() {
      return state.kept;
    },
    get blocked() {
      return state.blocked;
    },
    // Whether this is stored beyond the tab.
    holds: (name) => holds(name),
    // Calls the listener whenever something could not be stored.
    onLost(listener) {
      listeners.push(listener);
      if (!state.kept) listener();
    },
  };
})();
