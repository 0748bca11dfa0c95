/* The browser's storage, or a stand-in in memory where it is blocked or full. First of all scripts: Gradio and
   the scripts below use localStorage without a guard. `window.wanStorage.kept`: what is stored outlives the tab. */
(() => {
  "use strict";
  const state = { kept: true };
  const listeners = [];
  const lose = () => {
    if (!state.kept) return;
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

  // Blocked (no cookies, a sandboxed frame, a policy): already the access throws.
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
    if (name === "localStorage") lose();
  }
  try {
    void window.indexedDB;
  } catch {
    replace("indexedDB", undefined); // scripts ask whether it is there
  }

  // Full: the value is kept in memory and covers the stored one.
  if (window.Storage) {
    const { getItem, setItem, removeItem, clear } = Storage.prototype;
    const overlays = new WeakMap(); // storage -> Map of the values that did not fit
    Object.assign(Storage.prototype, {
      getItem(name) {
        const overlay = overlays.get(this);
        return overlay?.has(String(name)) ? overlay.get(String(name)) : getItem.call(this, name);
      },
      setItem(name, value) {
        try {
          setItem.call(this, name, value);
          overlays.get(this)?.delete(String(name));
        } catch (error) {
          if (error?.name !== "QuotaExceededError" && error?.name !== "SecurityError") throw error;
          if (!overlays.has(this)) overlays.set(this, new Map());
          overlays.get(this).set(String(name), String(value));
          if (this === window.localStorage) lose();
        }
      },
      removeItem(name) {
        overlays.get(this)?.delete(String(name));
        removeItem.call(this, name);
      },
      clear() {
        overlays.delete(this);
        clear.call(this);
      },
    });
  }

  window.wanStorage = {
    getItem: (name) => window.localStorage.getItem(name),
    setItem: (name, value) => window.localStorage.setItem(name, value),
    removeItem: (name) => window.localStorage.removeItem(name),
    get kept() {
      return state.kept;
    },
    onLost(listener) {
      if (!state.kept) listener();
      else listeners.push(listener);
    },
  };
})();
