// Usage: node v8.mjs MODULE.wasm DIALECT=FOLDER...
//
// How fast the module reads recorded streams in V8, the engine of Envoy: plays Envoy's side of the ABI and hands
// the first megabyte of a folder's *.sse over in pieces, one request a file, all callbacks and copies included.
// Then again in pieces of one event each, as a model's server sends them. Tables on stdout.
//
//   CHUNK_BYTES=256,1460,16384   sizes of the pieces
//   ROUNDS=40                    the best of so many counts
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';

const CORPUS_BYTES = 1_000_000;
const CHUNK_BYTES = (process.env.CHUNK_BYTES ?? '256,1460,16384').split(',').map(Number);
const ROUNDS = Number(process.env.ROUNDS ?? 40);
const ROOT = 1;
const OK = 0, NOT_FOUND = 1;
const NOT_SUPPORTED = 58; // WASI's

const CONFIGURATION = JSON.stringify({
  rollouts: [{
    name: 'bench', baseline: 'v1', split: { v2: 10 },
    versions: [{ name: 'v1', cluster: 'a' }, { name: 'v2', cluster: 'b' }],
  }],
});

const bytes = (text) => new TextEncoder().encode(text);

/** Envoy's side: lends headers and one buffer, forgets what it is told, and counts metrics. */
class Host {
  request = new Map();
  response = new Map();
  buffer = new Uint8Array();
  metrics = 0;
  total = 0n;
  nanoseconds = 0;

  constructor(module) {
    const env = new Proxy({}, { get: (_, name) => this[name]?.bind(this) ?? (() => OK) });
    const wasi = new Proxy({}, { get: (_, name) => this[name]?.bind(this) ?? (() => NOT_SUPPORTED) });
    this.vm = new WebAssembly.Instance(module, { env, wasi_snapshot_preview1: wasi }).exports;
    this.vm._initialize?.();
    this.vm.proxy_on_context_create(ROOT, 0);
    this.buffer = bytes(CONFIGURATION);
    if (!this.vm.proxy_on_configure(ROOT, this.buffer.length)) throw new Error('configuration refused');
  }

  view() {
    // A view goes stale when the memory grows.
    if (this.words?.buffer !== this.vm.memory.buffer) {
      this.words = new DataView(this.vm.memory.buffer);
      this.octets = Buffer.from(this.vm.memory.buffer);
    }
    return this.words;
  }

  lend(octets, out, outLength) {
    if (octets === undefined) return NOT_FOUND;
    const at = this.vm.proxy_on_memory_allocate(octets.length);
    const view = this.view();
    this.octets.set(octets, at);
    view.setUint32(out, at, true);
    view.setUint32(outLength, octets.length, true);
    return OK;
  }

  text(at, length) {
    this.view();
    return this.octets.latin1Slice(at, at + length);
  }

  proxy_get_buffer_bytes(_kind, start, max, out, outLength) {
    const end = Math.min(start + max, this.buffer.length);
    const whole = start === 0 && end === this.buffer.length;
    return this.lend(whole ? this.buffer : this.buffer.subarray(start, end), out, outLength);
  }
  proxy_get_header_map_value(map, name, length, out, outLength) {
    return this.lend((map === 0 ? this.request : this.response).get(this.text(name, length)), out, outLength);
  }
  proxy_get_property() { return NOT_FOUND; }
  proxy_log(_level, at, length) { if (process.env.VERBOSE) console.error(this.text(at, length)); return OK; }
  proxy_define_metric(_kind, _name, _length, id) {
    this.view().setUint32(id, this.metrics++, true);
    return OK;
  }
  proxy_increment_metric(_id, offset) { this.total += offset; return OK; }
  // A real clock costs as much as reading a chunk; Envoy's is no part of what is measured.
  clock_time_get(_clock, _precision, out) {
    this.view().setUint32(out, (this.nanoseconds += 1000) >>> 0, true);
    this.view().setUint32(out + 4, 0, true);
    return OK;
  }
  random_get(at, length) {
    this.view();
    this.octets.fill(7, at, at + length);
    return OK;
  }
  environ_sizes_get(count, size) {
    this.view().setUint32(count, 0, true);
    this.view().setUint32(size, 0, true);
    return OK;
  }

  /** One request whose response is these chunks. */
  exchange(id, chunks) {
    const { vm } = this;
    vm.proxy_on_context_create(id, ROOT);
    vm.proxy_on_request_headers(id, this.request.size, 1);
    vm.proxy_on_response_headers(id, this.response.size, 0);
    for (const chunk of chunks) {
      this.buffer = chunk;
      vm.proxy_on_response_body(id, chunk.length, 0);
    }
    vm.proxy_on_response_body(id, 0, 1);
    vm.proxy_on_log(id);
    vm.proxy_on_delete(id);
  }
}

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

function cut(body, size) {
  const chunks = [];
  for (let at = 0; at < body.length; at += size) chunks.push(body.subarray(at, at + size));
  return chunks;
}

const [path, ...folders] = process.argv.slice(2);
const host = new Host(new WebAssembly.Module(readFileSync(path)));
const headers = (pairs) => new Map(Object.entries(pairs).map(([name, value]) => [name, bytes(value)]));
host.request = headers({ ':path': '/v1/chat/completions', ':method': 'POST', 'x-conversation-id': 'c-1' });
host.response = headers({ ':status': '200', 'content-type': 'text/event-stream' });
let id = ROOT;
/** The shortest time in which all these requests pass, in ms. */
function best(requests) {
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const before = performance.now();
    for (const chunks of requests) host.exchange(++id, chunks);
    best = Math.min(best, performance.now() - before);
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
for (const { dialect, files, total } of corpora) {
  const cells = CHUNK_BYTES.map((size) => Math.round(total / best(files.map((body) => cut(body, size))) / 1e3));
  console.log(`| ${dialect} | ${cells.join(' | ')} |`);
}
console.log('\n| stream, an event a piece | bytes an event | ns an event |\n|---|---|---|');
for (const { dialect, files, total } of corpora) {
  const requests = files.map(events);
  const count = requests.reduce((sum, chunks) => sum + chunks.length, 0);
  console.log(`| ${dialect} | ${Math.round(total / count)} | ${Math.round((best(requests) / count) * 1e6)} |`);
}
