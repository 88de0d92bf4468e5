// Envoy's side of proxy-wasm, for one module in V8: what the other *.mjs here measure through.
import { setFlagsFromString } from 'node:v8';

// As Envoy sets it: everything is compiled at once, and by the optimising compiler.
for (const flag of ['--no-liftoff', '--no-wasm-lazy-compilation', '--no-wasm-dynamic-tiering']) setFlagsFromString(flag);

const ROOT = 1;
const OK = 0, NOT_FOUND = 1;
const NOT_SUPPORTED = 58; // WASI's

const CONFIGURATION = JSON.stringify({
  rollouts: [{
    name: 'bench', baseline: 'v1', split: { v2: 10 },
    versions: [{ name: 'v1', cluster: 'a' }, { name: 'v2', cluster: 'b' }],
  }],
});

export const bytes = (text) => new TextEncoder().encode(text);

export const headers = (pairs) => new Map(Object.entries(pairs).map(([name, value]) => [name, bytes(value)]));

/** A map as the ABI has it: a count, the lengths, then names and values, each with a zero behind it. */
const known = new WeakMap();
function serialized(map) {
  if (!known.has(map)) {
    const octets = [...map].flatMap(([name, value]) => [bytes(name), value]);
    const words = Uint32Array.of(map.size, ...octets.map((some) => some.length));
    known.set(map, Buffer.concat([Buffer.from(words.buffer), ...octets.flatMap((some) => [some, Buffer.alloc(1)])]));
  }
  return known.get(map);
}

/** A body in pieces of so many bytes. */
export function cut(body, size) {
  const pieces = [];
  for (let at = 0; at < body.length; at += size) pieces.push(body.subarray(at, at + size));
  return pieces;
}

/** Envoy's side: lends headers and one buffer, forgets what it is told, and counts metrics. */
export class Host {
  request = headers({ ':path': '/v1/chat/completions', ':method': 'POST', 'x-conversation-id': 'c-1' });
  response = headers({ ':status': '200', 'content-type': 'text/event-stream' });
  buffer = new Uint8Array();
  metrics = 0;
  /** The metrics of answers' lengths, and their sum: whether bodies are read at all. */
  lengths = new Set();
  chars = 0;
  nanoseconds = 0;
  octets = new Uint8Array();
  lastId = ROOT;

  /** `watch` gets each function that the module may call, and returns what is called in its place. */
  constructor(module, watch = (call) => call) {
    const functions = (status) =>
      new Proxy({}, { get: (_, name) => watch(this[name]?.bind(this) ?? (() => status)) });
    const [env, wasi] = [functions(OK), functions(NOT_SUPPORTED)];
    this.vm = new WebAssembly.Instance(module, { env, wasi_snapshot_preview1: wasi }).exports;
    this.vm._initialize?.();
    this.vm.proxy_on_context_create(ROOT, 0);
    this.buffer = bytes(CONFIGURATION);
    if (!this.vm.proxy_on_configure(ROOT, this.buffer.length)) throw new Error('configuration refused');
  }

  view() {
    // Views of a memory that has grown have no length.
    if (!this.octets.length) {
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
  proxy_get_header_map_pairs(map, out, outLength) {
    return this.lend(serialized(map === 0 ? this.request : this.response), out, outLength);
  }
  proxy_get_property() { return NOT_FOUND; }
  proxy_log(_level, at, length) { if (process.env.VERBOSE) console.error(this.text(at, length)); return OK; }
  proxy_define_metric(_kind, name, length, id) {
    if (this.text(name, length).startsWith('llm_response_chars_total')) this.lengths.add(this.metrics);
    this.view().setUint32(id, this.metrics++, true);
    return OK;
  }
  proxy_increment_metric(id, offset) {
    if (this.lengths.has(id)) this.chars += Number(offset);
    return OK;
  }
  // A real clock costs as much as reading a chunk; Envoy's is no part of what is measured.
  clock_time_get(_clock, _precision, out) {
    this.nanoseconds += 1000;
    this.view().setUint32(out, this.nanoseconds >>> 0, true);
    this.view().setUint32(out + 4, this.nanoseconds / 2 ** 32, true);
    return OK;
  }
  proxy_get_current_time_nanoseconds(out) { return this.clock_time_get(0, 0, out); }
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

  /** A request, up to its response's headers: an id for what follows. */
  open() {
    const id = ++this.lastId;
    this.vm.proxy_on_context_create(id, ROOT);
    this.vm.proxy_on_request_headers(id, this.request.size, 1);
    this.vm.proxy_on_response_headers(id, this.response.size, 0);
    return id;
  }

  /** A piece of its response. */
  piece(id, piece) {
    this.buffer = piece;
    this.vm.proxy_on_response_body(id, piece.length, 0);
  }

  close(id) {
    this.vm.proxy_on_response_body(id, 0, 1);
    this.vm.proxy_on_log(id);
    this.vm.proxy_on_delete(id);
  }

  /** One request whose response is these pieces. */
  exchange(pieces) {
    const id = this.open();
    for (const piece of pieces) this.piece(id, piece);
    this.close(id);
  }

  /** Time passes: the module hands over what it has counted. */
  tick() { this.vm.proxy_on_tick(ROOT); }

  /** What the module holds; it never gives back what it once had. */
  get memoryBytes() { return this.vm.memory.buffer.byteLength; }
}
