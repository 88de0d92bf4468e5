import { readFileSync } from 'node:fs';
import { Host, bytes, headers } from './host.mjs';
const HEAD = '"id":"chatcmpl-1","created":1751980800,"model":"llama-3.1-8b-instruct"';
const USAGE = '"usage":{"prompt_tokens":217,"completion_tokens":197,"total_tokens":414}';
const LOOP = 'A canary release sends a small share of the traffic to one version. '.repeat(15);
const PROSE = `The new version gets a small part of the traffic first, because faults that tests do not find show only with real users. If the error rate stays as low as before, the share grows step by step. Otherwise an operator takes it back, and most people never notice. Each conversation should keep its version: a model that changes in the middle of a dialogue forgets its own tone, and its tools may differ. That is why a hash of the conversation decides, and not a coin. What should be watched? Latency until the first token, the length of answers, refusals, and how often a client gives up. None of these alone says that a model is worse, but together they tell whether something has changed. Numbers of one hour are noisy; compare both versions over the same time, and do not trust a difference that would vanish with ten requests more. Rolling back must be quick and safe, so it is only a change of one number in a file that every proxy reads again within seconds.`;
function whole(text) {
  const message = `"message":{"role":"assistant","content":"${text}","refusal":null,"annotations":[]}`;
  const choices = `"choices":[{"index":0,${message},"logprobs":null,"finish_reason":"stop"}]`;
  return [bytes(`{${HEAD},"object":"chat.completion",${choices},${USAGE}}`)];
}
const mods = process.argv.slice(2).map((p) => [p, new WebAssembly.Module(readFileSync(p))]);
const BENCH = readFileSync('/tmp/lead/bench.txt', 'utf8');
const cases = { bench: whole(BENCH),  loop: whole(LOOP), prose: whole(PROSE), short: whole('Hello.') };
const out = {};
for (const [p, m] of mods) for (const [n, pieces] of Object.entries(cases)) {
  const host = new Host(m); host.response = headers({ ':status': '200', 'content-type': 'application/json' });
  for (let i = 0; i < 3000; i++) host.exchange(pieces);
  (out[p] ??= {})[n] = [host, pieces, []];
}
for (let round = 0; round < 15; round++) for (const p of Object.keys(out)) for (const n of Object.keys(cases)) {
  const [host, pieces, times] = out[p][n];
  const t = process.hrtime.bigint();
  for (let i = 0; i < 1000; i++) host.exchange(pieces);
  times.push(Number(process.hrtime.bigint() - t) / 1e6);
}
for (const p of Object.keys(out)) console.log(p, Object.keys(cases).map((n) => `${n} ${Math.min(...out[p][n][2]).toFixed(2)} µs`).join('  '));
