// Usage: node v8.mjs MODULE.wasm DIALECT=FOLDER...
//
// How fast the module reads recorded streams in V8, the engine of Envoy: hands the first megabyte of a folder's
// *.sse over in pieces, one request a file, all callbacks and copies included. Then again in pieces of one event
// each, as a model's server sends them. Tables on stdout.
//
//   CHUNK_BYTES=256,1460,16384   sizes of the pieces
//   ROUNDS=40                    the best of so many counts
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { Host, cut } from './host.mjs';

const CORPUS_BYTES = 1_000_000;
const CHUNK_BYTES = (process.env.CHUNK_BYTES ?? '256,1460,16384').split(',').map(Number);
const ROUNDS = Number(process.env.ROUNDS ?? 40);

function corpus(folder) {
  const files = [];
  let total = 0;
  for (const name of readdirSync(folder).filter((name) => name.endsWith('.sse')).sort()) {
    const body = readFileSync(join(folder, name)).subarray(0, CORPUS_BYTES - total);
    files.push(new Uint8Array(body));
    total += body.length;
    if (total >= CORPUS_BYTES) break;
  }
  return { files, total };
}

const [path, ...folders] = process.argv.slice(2);
const host = new Host(new WebAssembly.Module(readFileSync(path)));
/** The shortest time in which all these requests pass, in ms. What is not read, or not always alike, is not measured. */
function best(stream, requests) {
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    host.chars = 0;
    const before = performance.now();
    for (const chunks of requests) host.exchange(chunks);
    best = Math.min(best, performance.now() - before);
    stream.chars ??= host.chars;
    if (!host.chars || host.chars !== stream.chars) {
      throw new Error(`${stream.dialect}: ${host.chars} characters read, and ${stream.chars} before`);
    }
  }
  return best;
}

/** A body in pieces that each end with a blank line. */
function events(body) {
  const chunks = [];
  const text = Buffer.from(body);
  for (let at = 0, end; at < text.length; at = end) {
    const ends = ['\n\n', '\r\n\r\n'].map((mark) => [text.indexOf(mark, at), mark.length]);
    const [found, length] = ends.filter(([found]) => found >= 0).sort(([a], [b]) => a - b)[0] ?? [text.length, 0];
    end = found + length;
    chunks.push(body.subarray(at, end));
  }
  return chunks;
}

const corpora = folders.map((argument) => {
  const [dialect, folder] = argument.split('=');
  return { dialect, ...corpus(folder) };
});
console.log(`| stream | ${CHUNK_BYTES.map((size) => `pieces of ${size} bytes`).join(' | ')} |`);
console.log(`|---|${CHUNK_BYTES.map(() => '---|').join('')}`);
for (const stream of corpora) {
  const { dialect, files, total } = stream;
  const cells = CHUNK_BYTES.map((size) => Math.round(total / best(stream, files.map((body) => cut(body, size))) / 1e3));
  console.log(`| ${dialect} | ${cells.join(' | ')} |`);
}
console.log('\n| stream, an event a piece | bytes an event | ns an event |\n|---|---|---|');
for (const stream of corpora) {
  const { dialect, files, total } = stream;
  const requests = files.map(events);
  const count = requests.reduce((sum, chunks) => sum + chunks.length, 0);
  console.log(`| ${dialect} | ${Math.round(total / count)} | ${Math.round((best(stream, requests) / count) * 1e6)} |`);
}
