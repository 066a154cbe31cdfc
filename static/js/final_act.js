/* The final act: a second click while the first is under way does nothing. The server counts it once in any case. */
(function () {
  "use strict";

  const form = document.querySelector("main form");
  const button = form.querySelector(".actions button");
  form.addEventListener("submit", () => {
    window.setTimeout(() => {
      button.disabled = true;
    }, 0);
  });
  window.addEventListener("pageshow", () => {
    button.disabled = false;
  });
})();
