/* The admin's searchable choices (select2) replace a field and leave its label behind: give it back to them. */
(function () {
  "use strict";

  function name(selection) {
    const container = selection.closest(".select2-container");
    const field = container && container.previousElementSibling;
    const label = field && field.id && document.querySelector(`label[for="${CSS.escape(field.id)}"]`);
    if (!label || selection.dataset.named) {
      return;
    }
    selection.dataset.named = "yes";
    label.id = label.id || `label-${field.id}`;
    const shown = selection.querySelector(".select2-selection__rendered");
    selection.setAttribute("aria-labelledby", [label.id, shown && shown.id].filter(Boolean).join(" "));
    if (shown) {
      shown.removeAttribute("role");
      shown.removeAttribute("aria-readonly");
    }
  }

  function nameAll() {
    document.querySelectorAll(".select2-selection").forEach(name);
  }

  window.addEventListener("load", () => {
    nameAll();
    new MutationObserver(nameAll).observe(document.body, { childList: true, subtree: true });
  });
})();
