/* Messages between the open pages of one browser: by a BroadcastChannel, or by changes of localStorage where there is
   none. A page does not hear its own. */
(() => {
  "use strict";
  const broadcast = (name) => {
    const channel = new BroadcastChannel(name);
    return {
      tell: (data) => channel.postMessage(data),
      listen: (listener) => channel.addEventListener("message", ({ data }) => listener(data || {})),
    };
  };
  let count = 0;
  const stored = (name) => ({
    tell: (data) => {
      try {
        localStorage.setItem(name, JSON.stringify({ ...data, count: `${count++} ${Math.random()}` })); // only a change is heard
        localStorage.removeItem(name);
      } catch {
        /* blocked or full: nothing is stored that could be overwritten */
      }
    },
    listen: (listener) =>
      addEventListener("storage", ({ key, newValue }) => {
        if (key !== name || !newValue) return;
        let data = {};
        try {
          data = JSON.parse(newValue);
        } catch {
          return;
        }
        listener(data);
      }),
  });
  window.wanStudio.betweenTabs = (name) => (window.BroadcastChannel ? broadcast(name) : stored(name));
})();
