// Keeps the technician's pages readable without a signal. Reports wait in IndexedDB, see go_live_form.js.
"use strict";

const PAGES = "field-pages-1";
const FILES = "field-files-1";
const KEPT_FILES = ["KEPT_FILES"];

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
  if (event.data === "signed-out") event.waitUntil(caches.delete(PAGES));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET") return;
  const { pathname, origin } = new URL(request.url);
  if (origin !== self.location.origin) return;
  if (KEPT_FILES.includes(pathname)) {
    event.respondWith(fetchElseKept(request, FILES));
  } else if (request.mode === "navigate" && /^\/field\/(jobs\/\d+\/)?$/.test(pathname)) {
    event.respondWith(fetchElseKept(request, PAGES));
  }
});

async function fetchElseKept(request, name) {
  const cache = await caches.open(name);
  try {
    const answer = await fetch(request);
    if (answer.ok && !answer.redirected) await cache.put(request, answer.clone());
    return answer;
  } catch (problem) {
    const kept = await cache.match(request);
    if (kept) return kept;
    throw problem;
  }
}
