// The official OpenAI and Anthropic clients in JavaScript: reads {base_url, asks} from its input, and prints the views.
// What an ask and a view are, see ../sdk_python.py.

import { readFileSync } from "node:fs";

import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

const { base_url, asks } = JSON.parse(readFileSync(0, "utf8"));
const options = { apiKey: "none", maxRetries: 0 };
const openai = new OpenAI({ baseURL: `${base_url}/v1`, ...options });
const anthropic = new Anthropic({ baseURL: base_url, ...options });

const MODEL = "tiny";
const CITY = {
  type: "object",
  properties: { city: { type: "string", enum: ["Bern", "Zürich"] } },
  required: ["city"],
};

// A string's length is in UTF-16 units here; its iterator goes by characters.
const chars = (text) => [...(text ?? "")].length;

const createAnswer = {
  chat: (ask, request) =>
    openai.chat.completions.create(
      {
        model: MODEL,
        messages: [{ role: "user", content: ask.prompt }],
        max_tokens: ask.max_tokens,
        seed: ask.seed,
        stream: ask.stream,
        ...(ask.stream && ask.usage && { stream_options: { include_usage: true } }),
        ...(ask.tools && {
          tools: [{ type: "function", function: { name: "look_up", parameters: CITY } }],
          tool_choice: "required",
        }),
      },
      request,
    ),
  completions: (ask, request) =>
    openai.completions.create(
      {
        model: MODEL,
        prompt: ask.prompt,
        max_tokens: ask.max_tokens,
        seed: ask.seed,
        stream: ask.stream,
        ...(ask.stream && ask.usage && { stream_options: { include_usage: true } }),
      },
      request,
    ),
  responses: (ask, request) =>
    openai.responses.create(
      {
        model: MODEL,
        input: ask.prompt,
        max_output_tokens: ask.max_tokens,
        stream: ask.stream,
        ...(ask.tools && {
          tools: [{ type: "function", name: "look_up", parameters: CITY, strict: false }],
          tool_choice: "required",
        }),
      },
      request,
    ),
  messages: (ask, request) =>
    anthropic.messages.create(
      {
        model: MODEL,
        messages: [{ role: "user", content: ask.prompt }],
        max_tokens: ask.max_tokens,
        stream: ask.stream,
        ...(ask.tools && {
          tools: [{ name: "look_up", input_schema: CITY }],
          tool_choice: { type: "any" },
        }),
      },
      request,
    ),
};

const openaiFacts = (text, finish, usage, toolCalls = 0) => ({
  chars: chars(text),
  finish,
  input: usage?.prompt_tokens ?? 0,
  cached_input: usage?.prompt_tokens_details.cached_tokens ?? 0,
  output: usage?.completion_tokens ?? 0,
  tool_calls: toolCalls,
});

const responsesFacts = (answer) => ({
  chars: answer.output
    .filter((item) => item.type === "message")
    .flatMap((item) => item.content)
    .reduce((sum, part) => sum + chars(part.text), 0),
  finish: answer.status,
  input: answer.usage.input_tokens,
  cached_input: answer.usage.input_tokens_details.cached_tokens,
  output: answer.usage.output_tokens,
  tool_calls: answer.output.filter((item) => item.type === "function_call").length,
});

const readWhole = {
  chat: ({ choices: [choice], usage }) =>
    openaiFacts(choice.message.content, choice.finish_reason, usage, choice.message.tool_calls?.length),
  completions: ({ choices: [choice], usage }) => openaiFacts(choice.text, choice.finish_reason, usage),
  responses: responsesFacts,
  messages: (answer) => ({
    chars: answer.content.reduce((sum, block) => sum + (block.type === "text" ? chars(block.text) : 0), 0),
    finish: answer.stop_reason,
    input: answer.usage.input_tokens, // of this API, without what came from a cache
    cached_input: answer.usage.cache_read_input_tokens ?? 0,
    output: answer.usage.output_tokens,
    tool_calls: answer.content.filter((block) => block.type === "tool_use").length,
  }),
};

const readStream = {
  async chat(chunks) {
    let text = "", finish, usage, count = 0;
    const calls = new Set();
    for await (const chunk of chunks) {
      count += 1;
      usage = chunk.usage ?? usage;
      for (const choice of chunk.choices) {
        text += choice.delta.content ?? "";
        finish = choice.finish_reason ?? finish;
        for (const call of choice.delta.tool_calls ?? []) calls.add(call.index);
      }
    }
    return { ...openaiFacts(text, finish, usage, calls.size), chunks: count };
  },
  async completions(chunks) {
    let text = "", finish, usage;
    for await (const chunk of chunks) {
      usage = chunk.usage ?? usage;
      for (const choice of chunk.choices) {
        text += choice.text;
        finish = choice.finish_reason ?? finish;
      }
    }
    return openaiFacts(text, finish, usage);
  },
  async responses(events) {
    let last;
    for await (const event of events) last = event;
    return responsesFacts(last.response);
  },
  async messages(events) {
    // llama.cpp leaves the first event out where the first token is only a part of a character.
    const facts = { chars: 0, tool_calls: 0, input: 0, cached_input: 0 };
    for await (const event of events) {
      if (event.type === "message_start") {
        facts.input = event.message.usage.input_tokens;
        facts.cached_input = event.message.usage.cache_read_input_tokens ?? 0;
      } else if (event.type === "content_block_start") {
        facts.tool_calls += event.content_block.type === "tool_use" ? 1 : 0;
      } else if (event.type === "content_block_delta" && event.delta.type === "text_delta") {
        facts.chars += chars(event.delta.text);
      } else if (event.type === "message_delta") {
        facts.finish = event.delta.stop_reason;
        facts.output = event.usage.output_tokens;
      }
    }
    return facts;
  },
};

const views = [];
for (const ask of asks) {
  const request = { headers: { "x-conversation-id": ask.conversation } };
  const { data, response } = await createAnswer[ask.api](ask, request).withResponse();
  const read = ask.stream ? readStream : readWhole;
  const facts = await read[ask.api](data);
  views.push({ version: response.headers.get("x-llm-version"), stream: ask.stream, ...facts });
}
console.log(JSON.stringify(views));
