// Usage: node calls.mjs NAME=MODULE.wasm...
//
// What does not depend on the machine: a table of each module's size, and of how often it calls the host for a request
// of the kinds that bench/against.py measures. A call costs Envoy more than most of what the filter does itself.
import { readFileSync } from 'node:fs';
import { Host, bytes, headers } from './host.mjs';

const TEXT = 'A canary release sends a small share of the traffic to one version. ';
const HEAD = '"id":"chatcmpl-1","created":1751980800,"model":"llama-3.1-8b-instruct"';
const USAGE = '"usage":{"prompt_tokens":217,"completion_tokens":197,"total_tokens":414}';

const event = (document) => `data: {${HEAD},"object":"chat.completion.chunk",${document}}\n\n`;
const delta = (delta, finish) => event(`"choices":[{"index":0,"delta":{${delta}},"finish_reason":${finish}}]`);

/** A stream of so many events, in pieces of so many. */
function stream(count, perPiece) {
  const text = (at) => delta(`"content":"${TEXT.slice(at % 60, (at % 60) + 8)}"`, null);
  const texts = Array.from({ length: count - 3 }, (_, at) => text(at));
  const events = [delta('"role":"assistant","content":""', null), ...texts, delta('', '"stop"')];
  events.push(event(`"choices":[],${USAGE}`), 'data: [DONE]\n\n');
  const pieces = [];
  for (let at = 0; at < events.length; at += perPiece) pieces.push(bytes(events.slice(at, at + perPiece).join('')));
  return { response: headers({ ':status': '200', 'content-type': 'text/event-stream' }), pieces };
}

function whole() {
  const message = `"message":{"role":"assistant","content":"${TEXT.repeat(15)}"}`;
  const choices = `"choices":[{"index":0,${message},"finish_reason":"stop"}]`;
  const document = `{${HEAD},"object":"chat.completion",${choices},${USAGE}}`;
  return { response: headers({ ':status': '200', 'content-type': 'application/json' }), pieces: [bytes(document)] };
}

/** As the workloads of the Envoy bench. */
const WORKLOADS = { w1: whole(), w2l: stream(200, 1), w3l: stream(1000, 8) };

function calls(module, { response, pieces }) {
  let count = 0;
  const watch = (call) => (...given) => {
    count++;
    return call(...given);
  };
  const host = new Host(module, watch);
  host.response = response;
  host.exchange(pieces);
  if (!host.chars) throw new Error('the response was not read');
  // Under load: what few exchanges count is handed over at once.
  const exchanges = 100;
  const load = () => {
    for (let at = 0; at < exchanges; at++) host.exchange(pieces);
    host.tick();
  };
  load();
  count = 0; // what is kept from the first requests on is there
  load();
  return (count / exchanges).toFixed(1);
}

console.log(`| module | bytes | ${Object.keys(WORKLOADS).map((name) => `host calls, ${name}`).join(' | ')} |`);
console.log(`|---|${'---:|'.repeat(1 + Object.keys(WORKLOADS).length)}`);
for (const argument of process.argv.slice(2)) {
  const [name, path] = argument.split('=');
  const file = readFileSync(path);
  const module = new WebAssembly.Module(file);
  const counts = Object.values(WORKLOADS).map((workload) => calls(module, workload));
  console.log(`| ${name} | ${file.length} | ${counts.join(' | ')} |`);
}
