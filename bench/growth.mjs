// Usage: node growth.mjs MODULE.wasm
//
// What reading costs in V8, the engine of Envoy, as pieces, events and the number of streams grow: a line a
// point, as bench/cost.py reads them. Streams are of chat completions, made here; all callbacks and copies are included.
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { Host, bytes, cut } from './host.mjs';

const PIECE_BYTES = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536];
const EVENT_BYTES = [100, 300, 1000, 3000, 10000, 30000, 100000];
const STREAMS = [1, 10, 30, 100, 300, 500, 1000, 2000];
const TYPICAL_EVENT_BYTES = 240;
const ENVOY_READS_BYTES = 16384;
const BODY_BYTES = 1 << 20;
const EVENTS_A_STREAM = 50;
const STREAMS_A_ROUND = 500; // at least
const ROUNDS = 15;
const GROWN_BYTES_MIN = 1 << 18; // of pages of 64 KiB, fewer tell nothing

const TEXT = 'A canary release sends a small share of the traffic to one version, and watches what it answers. '.repeat(1100);
const BEFORE = 'data: {"object":"chat.completion.chunk","choices":[{"delta":{"content":"';
const AFTER = '"}}]}\n\n';
const MORE = '"},"index":0,"logprobs":null,"finish_reason":null}],"created":1751980800,"model":"llama-3.1-8b-instruct"}\n\n';

/** An event of exactly so many bytes; no two that follow each other say the same. */
function event(number, size) {
  const after = size >= TYPICAL_EVENT_BYTES ? MORE : AFTER;
  const begin = (number * 7) % 97;
  return bytes(BEFORE + TEXT.slice(begin, begin + size - BEFORE.length - after.length) + after);
}

const events = (size, count) => Array.from({ length: count }, (_, number) => event(number, size));

const print = (curve, series, x, value) => console.log([curve, series, x, value.toPrecision(4)].join('\t'));

const module = new WebAssembly.Module(readFileSync(process.argv[2]));
const host = new Host(module);

/** What a response of these pieces costs, for each of `count`. */
const each_ns = (all, count) => best_ns(() => host.exchange(all)) / count;

const best_ns = (run) => Math.min(...Array.from({ length: ROUNDS }, () => {
  const before = performance.now();
  run();
  return performance.now() - before;
})) * 1e6;

/** So many streams take turns, an event each, in a module that has had no others: what an event costs, what a request
 *  without its events, and what the module has grown by. */
function streams(count) {
  const host = new Host(module);
  const idle_bytes = host.memoryBytes;
  const said = events(TYPICAL_EVENT_BYTES, EVENTS_A_STREAM);
  const waves = Math.max(1, Math.round(STREAMS_A_ROUND / count));
  const rounds = Array.from({ length: ROUNDS }, () => {
    const spent = { events: 0, rest: 0 };
    for (let wave = 0; wave < waves; wave++) {
      const began = performance.now();
      const ids = Array.from({ length: count }, () => host.open());
      const opened = performance.now();
      for (const event of said) for (const id of ids) host.piece(id, event);
      const read = performance.now();
      for (const id of ids) host.close(id);
      spent.events += read - opened;
      spent.rest += performance.now() - read + opened - began;
    }
    return spent;
  });
  const least_ns = (part) => Math.min(...rounds.map((round) => round[part])) * 1e6;
  return {
    event_ns: least_ns('events') / waves / count / said.length,
    request_ns: least_ns('rest') / waves / count,
    grown_bytes: host.memoryBytes - idle_bytes,
  };
}

const body = Buffer.concat(events(TYPICAL_EVENT_BYTES, Math.ceil(BODY_BYTES / TYPICAL_EVENT_BYTES)));
each_ns(cut(body, 64), 1); // until the module is compiled for speed
for (const size of PIECE_BYTES) {
  const all = cut(body, size);
  print('pieces', 'piece', size, each_ns(all, all.length));
}
for (const size of EVENT_BYTES) {
  const count = Math.ceil(BODY_BYTES / size);
  print('events', 'event', size, each_ns(cut(Buffer.concat(events(size, count)), ENVOY_READS_BYTES), count));
}
for (const count of STREAMS) {
  const { event_ns, request_ns, grown_bytes } = streams(count);
  print('streams', 'event', count, event_ns);
  print('streams', 'request', count, request_ns);
  if (grown_bytes > GROWN_BYTES_MIN) print('memory', 'module', count, grown_bytes / 1e6);
}
print('idle', 'module', 1, new Host(module).memoryBytes / 1e6);
