/* Storage of the browser that never throws: blocked or full, values last as long as the page. */
(() => {
  "use strict";
  const memory = new Map();
  window.wanStorage = {
    getItem(name) {
      if (memory.has(name)) return memory.get(name);
      try {
        return localStorage.getItem(name);
      } catch {
        return null;
      }
    },
    setItem(name, value) {
      try {
        localStorage.setItem(name, value);
        memory.delete(name);
      } catch {
        memory.set(name, String(value));
      }
    },
    removeItem(name) {
      memory.delete(name);
      try {
        localStorage.removeItem(name);
      } catch {
        /* nothing is stored */
      }
    },
  };
})();
