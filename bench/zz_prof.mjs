import { readFileSync } from 'node:fs';
import { Host, bytes, headers } from './host.mjs';
const HEAD = '"id":"chatcmpl-1","created":1751980800,"model":"llama-3.1-8b-instruct"';
const USAGE = '"usage":{"prompt_tokens":217,"completion_tokens":197,"total_tokens":414}';
const text = process.argv[3] || readFileSync("/tmp/lead/bench.txt", "utf8");
const pieces = [bytes(`{${HEAD},"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"${text}","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],${USAGE}}`)];
const host = new Host(new WebAssembly.Module(readFileSync(process.argv[2]))); host.response = headers({ ':status': '200', 'content-type': 'application/json' });
for (let i = 0; i < 600000; i++) host.exchange(pieces);
