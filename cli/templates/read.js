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

  const show = (article, index, hasCursor) => {
    const version = data.versions[article.dataset.version];
    const ms = version.times_ms[index];
    const at = new Date(ms).toISOString().slice(0, 19).replace("T", " ");
    const slider = article.querySelector("input.at");
    slider.value = index;
    slider.setAttribute("aria-valuetext", at);
    article.querySelector("span.at").textContent = at;
    for (const tile of article.querySelectorAll(".tile")) {
      const trend = version.trends[tile.dataset.trend];
      const signal = version.analysis.signals.find((one) => one.name === trend.name);
      const shown = fields(trend, signal, tile.dataset.format, index);
      for (const field of tile.querySelectorAll("[data-field]")) {
        field.textContent = index === version.times_ms.length - 1 ? written.get(field) : shown[field.dataset.field];
      }
    }
    for (const cursor of article.querySelectorAll("line.cursor")) {
      const { from, until } = cursor.ownerSVGElement.dataset;
      const part = `${((ms - from) / (until - from)) * 100}%`;
      cursor.setAttribute("x1", part);
      cursor.setAttribute("x2", part);
      cursor.setAttribute("visibility", hasCursor ? "visible" : "hidden");
    }
  };

  const nearest = (times, ms) => {
    let best = 0;
    times.forEach((time, index) => {
      if (Math.abs(time - ms) < Math.abs(times[best] - ms)) best = index;
    });
    return best;
  };

  const start = () => {
    data = JSON.parse(document.getElementById("data").textContent);
    written = new Map([...document.querySelectorAll("[data-field]")].map((field) => [field, field.textContent]));
    for (const article of document.querySelectorAll("article")) {
      const times = data.versions[article.dataset.version].times_ms;
      if (times.length === 0) continue;
      const last = times.length - 1;
      const slider = article.querySelector("input.at");
      slider.max = last;
      slider.addEventListener("input", () => show(article, Number(slider.value), true));
      article.querySelector(".reader").hidden = false;
      for (const chart of article.querySelectorAll(".chart[data-from]")) {
        chart.addEventListener("pointermove", (event) => {
          const box = chart.getBoundingClientRect();
          const { from, until } = chart.dataset;
          const part = (event.clientX - box.left) / box.width;
          show(article, nearest(times, Number(from) + part * (until - from)), true);
        });
        chart.addEventListener("pointerleave", () => show(article, last, false));
      }
      show(article, last, false);
    }
  };

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
  return { start, show };
})();
