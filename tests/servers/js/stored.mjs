// The official OpenAI client in JavaScript on stored responses: reads turns, one JSON object a line, and prints of each
// {id, version, text, retrieved}: the response's id, who answered, what, and the id under which it is found again.

import { createInterface } from "node:readline";

import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.argv[2], apiKey: "none", maxRetries: 0 });

for await (const line of createInterface({ input: process.stdin })) {
  const { input, stream, previous, conversation } = JSON.parse(line);
  const { data, response } = await client.responses
    .create(
      { model: "tiny", input, stream, ...(previous && { previous_response_id: previous }) },
      { headers: { "x-conversation-id": conversation } },
    )
    .withResponse();
  let answer = data;
  if (stream) for await (const event of data) answer = event.response ?? answer;
  const text = answer.output[0].content[0].text;
  const retrieved = (await client.responses.retrieve(answer.id)).id;
  console.log(JSON.stringify({ id: answer.id, version: response.headers.get("x-llm-version"), text, retrieved }));
}
