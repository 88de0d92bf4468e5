"use strict";
// Shows the numbers at a time: of the slider, or under the pointer. It asks nobody for anything.
const page = (() => {
  const NONE = "-";
  let data;
  // What the tool wrote: the exact numbers at the end.
  let written;

  // As the tool writes numbers.
  const grouped = (digits) => digits.replace(/\B(?=(\d{3})+$)/g, ",");
  const short = (number) => {
    const size = Math.abs(number);
    if (size >= 10) return (number < 0 ? "-" : "") + grouped(String(Math.round(size)));
    const text = number.toFixed(size >= 1 ? 1 : size >= 0.1 ? 2 : 3);
    return text.replace(/0+$/, "").replace(/\.$/, "");
  };
  const known = (number, words) => (number === null || number === undefined ? NONE : words(number));
  const words = {
    rate: (number) => known(number, (rate) => `${short(rate * 100)} %`),
    mean: (number) => known(number, short),
    ratio: (number) => known(number, (ratio) => (ratio < 9.995 ? ratio.toFixed(2) : short(ratio))),
    evidence: (number) => known(number, (evidence) => evidence.toFixed(1)),
  };

  const fields = (trend, signal, format, index) => {
    const at = (column) => trend[column][index];
    const high = at("high");
    const isOpen = !at("low") && high === null;
    return {
      version: words[format](at("version")),
      baseline: words[format](at("baseline")),
      ratio: words.ratio(at("ratio")),
      interval: isOpen ? NONE : `${words.ratio(at("low"))} to ${high === null ? "∞" : words.ratio(high)}`,
      log_e: `${words.evidence(at("log_e"))} of ${words.evidence(signal.threshold)}`,
      log_e_no_worse: `${words.evidence(at("log_e_no_worse"))} of ${words.evidence(signal.threshold_no_worse)}`,
    };
  };

  // The time that the reader has chosen in an article; none: the last one.
  const chosen = new Map();

  const set = (element, name, value) => {
    if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  };
  const write = (element, text) => {
    if (element.textContent !== text) element.textContent = text;
  };

  const show = (article, index, hasCursor) => {
    const version = data.versions[article.dataset.version];
    const ms = version.times_ms[index];
    const at = new Date(ms).toISOString().slice(0, 19).replace("T", " ");
    const slider = article.querySelector("input.at");
    slider.max = version.times_ms.length - 1;
    slider.value = index;
    set(slider, "aria-valuetext", at);
    write(article.querySelector("span.at"), at);
    for (const tile of article.querySelectorAll(".tile")) {
      const trend = version.trends[tile.dataset.trend];
      const signal = version.analysis.signals.find((one) => one.name === trend.name);
      const shown = fields(trend, signal, tile.dataset.format, index);
      for (const field of tile.querySelectorAll("[data-field]")) {
        write(field, index === version.times_ms.length - 1 ? written.get(field) : shown[field.dataset.field]);
      }
    }
    for (const cursor of article.querySelectorAll("line.cursor")) {
      const { from, until } = cursor.ownerSVGElement.dataset;
      const part = `${((ms - from) / (until - from)) * 100}%`;
      set(cursor, "x1", part);
      set(cursor, "x2", part);
      set(cursor, "visibility", hasCursor ? "visible" : "hidden");
    }
  };

  const nearest = (times, ms) => {
    let best = 0;
    times.forEach((time, index) => {
      if (Math.abs(time - ms) < Math.abs(times[best] - ms)) best = index;
    });
    return best;
  };

  const timesOf = (article) => data.versions[article.dataset.version].times_ms;

  // At the time that was chosen, or at the end.
  const rest = (article) => {
    const times = timesOf(article);
    const ms = chosen.get(article.id);
    if (times.length > 0) show(article, ms === undefined ? times.length - 1 : nearest(times, ms), ms !== undefined);
  };

  // Reads what the page says now. It may be another one than before.
  const start = () => {
    data = JSON.parse(document.getElementById("data").textContent);
    written = new Map([...document.querySelectorAll("[data-field]")].map((field) => [field, field.textContent]));
    for (const article of document.querySelectorAll("article")) {
      article.querySelector(".reader").hidden = timesOf(article).length === 0;
      rest(article);
    }
  };

  // The page's parts come and go, so that the document listens for them.
  document.addEventListener("input", ({ target }) => {
    if (!target.matches("input.at")) return;
    const article = target.closest("article");
    const [times, index] = [timesOf(article), Number(target.value)];
    if (index === times.length - 1) chosen.delete(article.id);
    else chosen.set(article.id, times[index]);
    show(article, index, true);
  });

  let pointed;
  const point = (event) => {
    const chart = event?.target.closest?.(".chart[data-from]");
    const article = chart?.closest("article");
    if (pointed && pointed !== article) rest(pointed);
    pointed = article;
    if (!article || timesOf(article).length === 0) return;
    const box = chart.getBoundingClientRect();
    const { from, until } = chart.dataset;
    const part = (event.clientX - box.left) / box.width;
    show(article, nearest(timesOf(article), Number(from) + part * (until - from)), true);
  };
  document.addEventListener("pointermove", point);
  document.documentElement.addEventListener("pointerleave", () => point());

  // On paper nothing can be opened.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const details of closed) details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const details of closed) details.open = false;
  });

  start();
  return { start };
})();
