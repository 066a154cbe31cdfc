/* The signature step: offers drawing beside typing, and keeps what was drawn in a form field. Typing works without it. */
(function () {
  "use strict";

  const choice = document.querySelector("[data-signature-choice]");
  const typed = document.querySelector("[data-signature-typed]");
  const drawn = document.querySelector("[data-signature-drawn]");
  const canvas = document.querySelector("[data-signature-pad]");
  const field = document.querySelector("[data-signature-strokes]");
  const radios = choice.querySelectorAll("input[type=radio]");
  const pad = new window.SignaturePad(canvas, { minWidth: 1, maxWidth: 2.6, penColor: "#17211f" });

  function keep() {
    const strokes = pad.toData().map((group) => group.points.map((point) => [round(point.x), round(point.y)]));
    field.value = strokes.length ? JSON.stringify(strokes) : "";
  }

  function round(number) {
    return Math.round(number * 10) / 10;
  }

  function kept() {
    try {
      return JSON.parse(field.value || "[]").map((stroke) => ({
        penColor: "#17211f",
        dotSize: 0,
        minWidth: 1,
        maxWidth: 2.6,
        velocityFilterWeight: 0.7,
        compositeOperation: "source-over",
        points: stroke.map(([x, y], place) => ({ x, y, pressure: 0.5, time: place * 16 })),
      }));
    } catch {
      return [];
    }
  }

  function fit() {
    const ratio = Math.max(window.devicePixelRatio || 1, 1);
    if (!canvas.offsetWidth || canvas.width === canvas.offsetWidth * ratio) {
      return;
    }
    canvas.width = canvas.offsetWidth * ratio;
    canvas.height = canvas.offsetHeight * ratio;
    canvas.getContext("2d").scale(ratio, ratio);
    const strokes = kept();
    pad.clear();
    pad.fromData(strokes);
  }

  function show() {
    const isDrawn = choice.querySelector("input:checked").value === "DRAWN";
    typed.hidden = isDrawn;
    drawn.hidden = !isDrawn;
    fit();
  }

  choice.hidden = false;
  radios.forEach((radio) => radio.addEventListener("change", show));
  pad.addEventListener("endStroke", keep);
  document.querySelector("[data-signature-clear]").addEventListener("click", () => {
    pad.clear();
    keep();
  });
  window.addEventListener("resize", fit);
  show();
})();
