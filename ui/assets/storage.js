/* localStorage that never throws: where it is blocked or full, values last as long as the page. */
(() => {
  "use strict";
  if (window.wanStorage) return;
  const memory = new Map();
  const guarded = (use, otherwise) => {
    try {
      return use(window.localStorage);
    } catch {
      storage.kept = false;
      return otherwise();
    }
  };
  const storage = (window.wanStorage = {
    kept: true,
    getItem: (key) => memory.get(key) ?? guarded((store) => store.getItem(key), () => null),
    setItem: (key, value) => {
      memory.delete(key);
      guarded((store) => store.setItem(key, value), () => memory.set(key, String(value)));
    },
    removeItem: (key) => {
      memory.delete(key);
      guarded((store) => store.removeItem(key), () => {});
    },
  });
})();
