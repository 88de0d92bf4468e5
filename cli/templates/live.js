// Goes on: takes the next page from the server, and changes what is another than before. What stays the same is not touched: so the
// reader keeps the place, the focus, what is selected and what is open.
(() => {
  const TIMEOUT_MS = 30_000;
  const { page: path, everyMs } = document.body.dataset;

  const status = (name) => {
    const element = document.createElement("p");
    element.className = name;
    element.setAttribute("role", "status");
    document.body.prepend(element);
    return element;
  };
  // That the page does not go on, and what was decided meanwhile.
  const stale = status("stale");
  const said = status("said");
  stale.hidden = true;

  // What the reader or the script sets, and no server.
  const isOwn = (element, name) =>
    name === "hidden" || (name === "open" && element.matches("details")) || element.matches("input.at, line.cursor");

  const takeAttributes = (element, next) => {
    for (const { name, value } of [...next.attributes]) {
      if (!isOwn(element, name) && element.getAttribute(name) !== value) element.setAttribute(name, value);
    }
    for (const { name } of [...element.attributes]) {
      if (!isOwn(element, name) && !next.hasAttribute(name)) element.removeAttribute(name);
    }
  };

  const isAlike = (one, other) => one.nodeName === other.nodeName && (one.id || "") === (other.id || "");

  const take = (old, next) => {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== next.data) old.data = next.data;
      return;
    }
    takeAttributes(old, next);
    const named = new Map([...next.children].filter((child) => child.id).map((child) => [child.id, child]));
    for (const child of [...old.children]) if (child.id && !named.has(child.id)) child.remove();
    const known = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
    let at = old.firstChild;
    for (const child of [...next.childNodes]) {
      const same = child.id && known.has(child.id) ? known.get(child.id) : at && isAlike(at, child) ? at : undefined;
      if (same === undefined || !isAlike(same, child)) {
        old.insertBefore(document.adoptNode(child), at);
        continue;
      }
      if (same === at) at = at.nextSibling;
      else old.insertBefore(same, at);
      take(same, child);
    }
    while (at) {
      const gone = at;
      at = at.nextSibling;
      gone.remove();
    }
  };

  const replace = (text) => {
    const found = new DOMParser().parseFromString(text, "text/html");
    const next = found.getElementById("page");
    if (!next) throw new Error("it answers with no page");
    const focus = document.activeElement?.id;
    take(document.getElementById("page"), next);
    // A part that was moved has lost it.
    if (focus && document.activeElement?.id !== focus) document.getElementById(focus)?.focus({ preventScroll: true });
    if (document.title !== found.title) {
      document.title = found.title;
      said.textContent = found.title;
    }
    page.start();
  };

  let tag;
  const ask = async () => {
    const headers = tag ? { "if-none-match": tag } : {};
    const response = await fetch(path, { cache: "no-store", headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (response.status === 304) return;
    if (!response.ok) throw new Error(`it answers with the status ${response.status}`);
    replace(await response.text());
    tag = response.headers.get("etag");
  };

  const next = async () => {
    try {
      await ask();
      stale.hidden = true;
    } catch (error) {
      const why = error instanceof TypeError ? "the command that serves it has ended, or cannot be reached" : error.message;
      const words = `This page does not go on at the moment: ${why}. It tries again.`;
      if (stale.hidden || stale.textContent !== words) stale.textContent = words;
      stale.hidden = false;
    }
    for (const note of document.querySelectorAll(".live")) note.hidden = false;
    setTimeout(next, Number(everyMs));
  };

  setTimeout(next, Number(everyMs));
})();
