// Keeps the technician's pages readable without a signal. Reports wait in IndexedDB, see go_live_form.js.
"use strict";

const PAGES = "field-pages-1";
const FILES = "field-files-1";
const KEPT_FILES = ["KEPT_FILES"];
const WAIT_MS = 4000;
let signOuts = 0;

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(FILES).then((cache) => cache.addAll(KEPT_FILES)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const current = [PAGES, FILES];
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => !current.includes(name)).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener("message", (event) => {
  if (event.data !== "signed-out") return;
  signOuts += 1;
  event.waitUntil(caches.delete(PAGES));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET") return;
  const { pathname, origin } = new URL(request.url);
  if (origin !== self.location.origin) return;
  if (KEPT_FILES.includes(pathname)) {
    answerSoon(event, FILES);
  } else if (request.mode === "navigate" && /^\/field\/(jobs\/\d+\/)?$/.test(pathname)) {
    answerSoon(event, PAGES);
  }
});

// What is kept is shown when there is no signal, or one so weak that nothing comes for a while.
function answerSoon(event, name) {
  const fresh = fetchAndKeep(event.request, name);
  event.waitUntil(fresh.catch(() => undefined));
  event.respondWith(
    (async () => {
      const kept = await (await caches.open(name)).match(event.request);
      if (!kept) return fresh;
      const enough = new Promise((resolve) => setTimeout(resolve, WAIT_MS, kept));
      return Promise.race([fresh.catch(() => kept), enough]);
    })(),
  );
}

async function fetchAndKeep(request, name) {
  const before = signOuts;
  const answer = await fetch(request);
  const isTheirs = before === signOuts; // who asked for it is still signed in
  if (answer.ok && !answer.redirected && isTheirs) await (await caches.open(name)).put(request, answer.clone());
  return answer;
}
