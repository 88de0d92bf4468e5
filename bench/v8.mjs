// Usage: node v8.mjs MODULE.wasm DIALECT=FOLDER...
//
// How fast the module reads recorded streams in V8, the engine of Envoy: hands the first megabyte of a folder's
// *.sse over in pieces, one request a file, each callback with a piece and its copy included. The same with what comes
// before and behind: the request, its response's headers, and the metrics at its end, whose Envoy is JavaScript here.
// Then in pieces of one event each, as a model's server sends them. Tables on stdout.
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
/**
 * The shortest times in which the pieces of all these requests are read, and in which the requests pass from their first
 * callback to their last, in ms. What is not read, or not always alike, is not measured.
 */
function best(stream, requests) {
  const best = { reading: Infinity, exchange: Infinity };
  for (let round = 0; round < ROUNDS; round++) {
    host.chars = 0;
    const before = performance.now();
    const ids = requests.map(() => host.open());
    const opened = performance.now();
    requests.forEach((pieces, at) => pieces.forEach((piece) => host.piece(ids[at], piece)));
    const read = performance.now();
    ids.forEach((id) => host.close(id));
    host.tick();
    best.reading = Math.min(best.reading, read - opened);
    best.exchange = Math.min(best.exchange, performance.now() - before);
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
const sizes = CHUNK_BYTES.map((size) => `pieces of ${size} bytes`);
const ruler = (columns) => `|${'---|'.repeat(columns)}`;
console.log(`| MB/s: reading alone / whole requests | ${sizes.join(' | ')} |\n${ruler(1 + sizes.length)}`);
for (const stream of corpora) {
  const cells = CHUNK_BYTES.map((size) => {
    const { reading, exchange } = best(stream, stream.files.map((body) => cut(body, size)));
    return [reading, exchange].map((ms) => Math.round(stream.total / ms / 1e3)).join(' / ');
  });
  console.log(`| ${stream.dialect} | ${cells.join(' | ')} |`);
}
console.log(`\n| stream, an event a piece | bytes an event | ns to read an event |\n${ruler(3)}`);
for (const stream of corpora) {
  const requests = stream.files.map(events);
  const count = requests.reduce((sum, pieces) => sum + pieces.length, 0);
  const ns = (best(stream, requests).reading / count) * 1e6;
  console.log(`| ${stream.dialect} | ${Math.round(stream.total / count)} | ${Math.round(ns)} |`);
}
