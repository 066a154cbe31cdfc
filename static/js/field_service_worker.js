// Keeps the technicians' pages readable without a signal. Reports wait in IndexedDB, see go_live_form.js.
"use strict";

const PAGES = "field-pages-1";
const FILES = "field-files-1";
const KEPT_FILES = ["KEPT_FILES"];
const WAIT_MS = 4000;
let people = 0;

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

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { pathname, origin } = new URL(request.url);
  if (origin !== self.location.origin) return;
  if (request.method === "POST" && /^\/field\/sign-(in|out)\/$/.test(pathname)) {
    people += 1; // the next person must not see the previous person's pages
    event.waitUntil(caches.delete(PAGES));
  }
  if (request.method !== "GET") return;
  if (KEPT_FILES.includes(pathname)) {
    answerSoon(event, FILES);
  } else if (request.mode === "navigate" && /^\/field\/(jobs\/[0-9a-f-]{36}\/)?$/.test(pathname)) {
    answerSoon(event, PAGES);
  } else if (request.destination === "script" || request.destination === "style") {
    event.respondWith(fetch(request).catch(() => keptOrNothing(request))); // for a cached page from before an update
  }
});

// The cached copy is used when there is no signal, or when the server takes too long.
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
  const asked = people;
  const answer = await fetch(request);
  if (asked !== people) return answer;
  if (answer.status === 403) await caches.delete(PAGES); // no longer a technician
  const cache = await caches.open(name);
  if (answer.status === 404) await cache.delete(request); // no longer their job
  if (answer.ok && !answer.redirected) await cache.put(request, answer.clone());
  return answer;
}

async function keptOrNothing(request) {
  return (await (await caches.open(FILES)).match(request)) || Response.error();
}
