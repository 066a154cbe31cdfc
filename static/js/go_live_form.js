// Saves a report on the phone, sends it, and keeps it until the server has it.
// Without this script, the form is submitted like any other.
(function () {
  "use strict";

  const outbox = document.getElementById("outbox");
  if (!outbox) return;
  if (!("indexedDB" in window && "idb" in window)) {
    say("This page did not load completely and cannot save reports without a signal. Reload it before you send.");
    return;
  }
  const technician = outbox.dataset.technician;
  const MAX_SIDE = 2400;
  const NOT_YOURS = "This job is no longer assigned to you. Call the office.";
  const TOO_LARGE = "This file is too large. Send a photo of the page instead.";
  const SESSION_WAIT_MS = 10000;
  const REPORT_WAIT_MS = 120000;
  const MIN_BYTES_PER_MS = 10; // a photo over a weak signal
  const FRESH_MS = 120000; // the clocks of phone and server may differ slightly
  let sending = false;
  let flushRequested = false;

  const store = idb.openDB("switchyard-field", 1, {
    upgrade(database) {
      database.createObjectStore("reports", { keyPath: "submissionId" });
    },
  });

  // ---- sending ----

  async function currentSession() {
    const answer = await fetch(outbox.dataset.sessionUrl, {
      headers: { Accept: "application/json" },
      signal: AbortSignal.timeout(SESSION_WAIT_MS),
    });
    if (!answer.ok) throw new Error("no session");
    return answer.json();
  }

  // Returns {url}, {errors}, {signedOut} or {later}. Only {later} is retried automatically. {silent} means that other
  // reports would fail now as well.
  async function send(report) {
    let answer, said;
    try {
      const session = await currentSession();
      if (session.technician !== report.technician) return { signedOut: true };
      const body = new FormData();
      Object.entries(report.fields).forEach(([name, value]) => body.append(name, value));
      if (report.proof) body.append("proof", report.proof, report.proofName);
      answer = await fetch(report.action, {
        method: "POST",
        body,
        headers: { Accept: "application/json", "X-CSRFToken": session.csrf_token },
        signal: AbortSignal.timeout(REPORT_WAIT_MS + (report.proof ? report.proof.size / MIN_BYTES_PER_MS : 0)),
      });
      if (answer.ok || answer.status === 422) said = await answer.json(); // throws if the answer is incomplete
    } catch (problem) {
      return { later: true, silent: true };
    }
    if (answer.ok) return { url: said.url };
    if (answer.status === 422) return { errors: said.errors };
    if (answer.status === 401 || answer.status === 403) return { signedOut: true };
    if (answer.status === 404) return { gone: true, errors: { __all__: [NOT_YOURS] } };
    if (answer.status === 413) return { errors: { proof: [TOO_LARGE] } };
    return { later: true, silent: answer.status === 429 };
  }

  async function flush() {
    if (sending) {
      flushRequested = true;
      return;
    }
    sending = true;
    try {
      const database = await store;
      for (const report of await database.getAll("reports")) {
        if (report.technician !== technician || report.errors || report.open) continue;
        const outcome = await send(report);
        if (outcome.url) {
          await database.delete("reports", report.submissionId);
          say(`Sent: the report for ${report.job}.`, outcome.url, "View report");
        } else if (outcome.errors) {
          await database.put("reports", { ...report, errors: outcome.errors, gone: outcome.gone });
        }
        if (outcome.silent || outcome.signedOut) break;
      }
      await showWaiting();
    } finally {
      sending = false;
    }
    if (flushRequested) {
      flushRequested = false;
      await flush();
    }
  }

  async function discard(report) {
    if (!window.confirm(`Delete the report for ${report.job} from this phone? It was never sent.`)) return;
    await (await store).delete("reports", report.submissionId);
    await showWaiting();
  }

  // ---- messages ----

  function line(text, href, label) {
    const paragraph = document.createElement("p");
    paragraph.append(text);
    if (href) {
      const link = document.createElement("a");
      link.href = href;
      link.textContent = label;
      paragraph.append(" ", link);
    }
    return paragraph;
  }

  function say(text, href, label) {
    outbox.hidden = false;
    outbox.append(line(text, href, label));
  }

  async function showWaiting() {
    const mine = (await (await store).getAll("reports")).filter((report) => report.technician === technician);
    outbox.querySelectorAll("[data-waiting]").forEach((old) => old.remove());
    mine.forEach((report) => {
      const texts = report.errors ? Object.values(report.errors).flat().join(" ") : "";
      const link = report.gone ? [] : [report.action, "Open and fix it"];
      const entry = report.errors
        ? line(`Not accepted: the report for ${report.job}. ${texts}`, ...link)
        : line(`Saved on this phone: the report for ${report.job}. It is sent automatically when there is a signal.`);
      if (report.gone) {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "button button-quiet";
        button.textContent = "Delete it from this phone";
        button.addEventListener("click", () => discard(report));
        entry.append(" ", button);
      }
      entry.dataset.waiting = report.submissionId;
      outbox.append(entry);
    });
    outbox.hidden = !outbox.childElementCount;
  }

  // ---- the form ----

  async function smaller(file) {
    if (!file || !file.type.startsWith("image/") || file.size < 500000) return file;
    try {
      const picture = await createImageBitmap(file, { imageOrientation: "from-image" });
      const scale = Math.min(1, MAX_SIDE / Math.max(picture.width, picture.height));
      const canvas = document.createElement("canvas");
      canvas.width = Math.round(picture.width * scale);
      canvas.height = Math.round(picture.height * scale);
      canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
      const drawn = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.85));
      return drawn && drawn.size < file.size ? drawn : file;
    } catch (problem) {
      return file; // the server reports what is wrong with it
    }
  }

  function showErrors(form, errors) {
    const general = form.querySelector("[data-form-errors]");
    const intro = line("Not sent yet. Fix what is marked below and send again. Your entries are still here.");
    general.replaceChildren(intro, ...(errors.__all__ || []).map((text) => line(text)));
    general.hidden = false;
    form.querySelectorAll("[data-field]").forEach((field) => {
      const texts = errors[field.dataset.field] || [];
      field.classList.toggle("field-wrong", texts.length > 0);
      field.querySelector(".errors").replaceChildren(
        ...texts.map((text) => Object.assign(document.createElement("li"), { textContent: text })),
      );
    });
    general.scrollIntoView({ block: "center" });
  }

  async function keep(form) {
    const entered = new FormData(form);
    entered.set("device_at", new Date().toISOString());
    const file = entered.get("proof");
    const chosen = file instanceof File && file.size ? file : null;
    entered.delete("proof");
    entered.delete("csrfmiddlewaretoken");
    const report = {
      submissionId: entered.get("submission_id"),
      technician,
      action: form.getAttribute("action"),
      job: form.dataset.job,
      fields: Object.fromEntries(entered),
      proof: await smaller(chosen),
      proofName: chosen ? chosen.name : "",
      open: true, // this page is sending it; if the page is closed, the next one sends it
    };
    const database = await store;
    await database.put("reports", report);
    return report;
  }

  async function sendNow(form, report) {
    const database = await store;
    const outcome = await send(report);
    if (outcome.url) {
      await database.delete("reports", report.submissionId);
      window.location.assign(outcome.url);
      return;
    }
    if (outcome.errors && !outcome.gone) {
      await database.delete("reports", report.submissionId);
      showErrors(form, outcome.errors);
      return;
    }
    await database.put("reports", { ...report, open: false, errors: outcome.errors, gone: outcome.gone });
    await showWaiting();
    if (outcome.signedOut) say("You are signed out.", outbox.dataset.signInUrl, "Sign in to send it");
    form.hidden = true;
    document.getElementById(form.getAttribute("aria-labelledby")).hidden = true;
    outbox.scrollIntoView({ block: "center" });
  }

  // Puts a report that the server did not accept back into its form, including the file.
  async function refill(form) {
    const database = await store;
    const mine = (await database.getAll("reports")).find(
      (report) => report.errors && report.technician === technician && report.action === form.getAttribute("action"),
    );
    if (!mine) return;
    Object.entries(mine.fields).forEach(([name, value]) => {
      if (form.elements[name]) form.elements[name].value = value;
    });
    if (mine.proof) {
      const files = new DataTransfer();
      files.items.add(new File([mine.proof], mine.proofName, { type: mine.proof.type }));
      form.elements.proof.files = files.files;
    }
    showErrors(form, mine.errors);
  }

  // This script runs before the form is parsed, so no form exists yet.
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!("goLive" in form.dataset)) return;
    event.preventDefault();
    const button = form.querySelector("button[type=submit]");
    button.disabled = true;
    let report;
    try {
      report = await keep(form);
    } catch (problem) {
      form.submit(); // the phone cannot save it, so submit the form as usual
      return;
    }
    try {
      await sendNow(form, report);
    } finally {
      button.disabled = false;
    }
  });

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("form[data-go-live]").forEach((form) => {
      if ("fresh" in form.dataset && window.crypto.randomUUID) {
        form.elements.submission_id.value = window.crypto.randomUUID(); // this page may come from the offline cache
      }
      refill(form);
    });
  });

  // A page from the offline cache says how old it is.
  function sayHowOld() {
    const madeAt = new Date(outbox.dataset.madeAt);
    if (Date.now() - madeAt < FRESH_MS) return;
    const time = madeAt.toLocaleString("en-US", { weekday: "short", hour: "numeric", minute: "2-digit" });
    say(`No signal, or a weak one. This page is from ${time}.`);
  }

  async function start() {
    sayHowOld();
    const database = await store;
    for (const report of await database.getAll("reports")) {
      if (report.open) await database.put("reports", { ...report, open: false });
    }
    await showWaiting();
    await flush();
  }

  window.addEventListener("online", flush);
  window.setInterval(flush, 60000);
  start();
  navigator.serviceWorker?.register(outbox.dataset.workerUrl);
})();
