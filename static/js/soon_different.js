/* While something is about to change: look quietly whether it has, and only then load the page again. */
(function () {
  "use strict";

  const FIRST_PAUSE_MS = 2000;
  const LONGEST_PAUSE_MS = 30000;
  const LOOKS = 40;
  const shown = stageOf(document);
  let looks = 0;
  let pause = FIRST_PAUSE_MS;

  function stageOf(page) {
    const section = page.querySelector("[data-stage]");
    return section ? section.dataset.stage : "";
  }

  function lookLater() {
    if (looks < LOOKS) {
      window.setTimeout(look, pause);
      pause = Math.min(pause * 1.3, LONGEST_PAUSE_MS);
    }
  }

  async function look() {
    looks += 1;
    if (document.hidden) {
      lookLater();
      return;
    }
    try {
      const answer = await fetch(window.location.href, { credentials: "same-origin", cache: "no-store" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!answer.ok || stageOf(page) !== shown) {
        window.location.reload();
        return;
      }
    } catch {
      /* Without a connection nothing has changed that could be shown. */
    }
    lookLater();
  }

  lookLater();
})();
