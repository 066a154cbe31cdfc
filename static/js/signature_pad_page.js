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

  let isDrawing = false;

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

  // A canvas has whole pixels: at a ratio of 1.25 the width that was asked for is never the one that it has.
  function fit() {
    const ratio = Math.max(window.devicePixelRatio || 1, 1);
    const width = Math.round(canvas.offsetWidth * ratio);
    const height = Math.round(canvas.offsetHeight * ratio);
    if (!width || isDrawing || (canvas.width === width && canvas.height === height)) {
      return;
    }
    const strokes = pad.toData().length ? pad.toData() : kept();
    canvas.width = width; // also empties it
    canvas.height = height;
    canvas.getContext("2d").scale(ratio, ratio);
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
  pad.addEventListener("beginStroke", () => {
    isDrawing = true;
  });
  pad.addEventListener("endStroke", () => {
    isDrawing = false;
    keep();
    fit();
  });
  document.querySelector("[data-signature-clear]").addEventListener("click", () => {
    pad.clear();
    keep();
  });
  window.addEventListener("resize", fit);
  show();
})();
