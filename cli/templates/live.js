// Goes on: takes the next page from the server, and keeps what the reader has opened and where the reader is.
(() => {
  const { page: path, everyMs } = document.body.dataset;
  const stale = document.createElement("p");
  stale.className = "stale";
  stale.setAttribute("role", "status");
  stale.hidden = true;
  document.body.prepend(stale);

  const state = (root) => ({
    details: new Map([...root.querySelectorAll("details[id]")].map((details) => [details.id, details.open])),
    focus: document.activeElement?.id,
    sliders: new Map(
      [...root.querySelectorAll("input.at")].map((slider) => [slider.id, slider.value === slider.max ? null : slider.value]),
    ),
  });

  const restore = (root, { details, focus, sliders }) => {
    for (const one of root.querySelectorAll("details[id]")) if (details.has(one.id)) one.open = details.get(one.id);
    page.start();
    for (const [id, value] of sliders) {
      const slider = document.getElementById(id);
      if (slider && value !== null) page.show(slider.closest("article"), Math.min(value, slider.max), true);
    }
    if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
  };

  const next = async () => {
    try {
      const response = await fetch(path, { cache: "no-store" });
      if (!response.ok) throw new Error(`status ${response.status}`);
      const text = await response.text();
      const found = new DOMParser().parseFromString(text, "text/html");
      const [old, main] = [document.getElementById("page"), found.getElementById("page")];
      if (!main) throw new Error("no page");
      const kept = state(old);
      document.title = found.title;
      old.replaceWith(document.adoptNode(main));
      restore(main, kept);
      stale.hidden = true;
    } catch (error) {
      stale.textContent = `This page does not go on at the moment (${error.message}). It tries again.`;
      stale.hidden = false;
    }
    for (const note of document.querySelectorAll(".live")) note.hidden = false;
    setTimeout(next, Number(everyMs));
  };

  setTimeout(next, Number(everyMs));
})();
