// The OpenAI Node SDK against both providers, whole and streamed.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";

import OpenAI from "openai";
import { ChatCompletionStream } from "openai/lib/ChatCompletionStream";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

import { CASES, PIXEL, startRig, TARGETS, TEXT, tokens } from "./rig.mjs";

let rig, client;
before(async () => {
  rig = await startRig();
  client = new OpenAI({ baseURL: `${rig.url}/v1`, apiKey: rig.key, maxRetries: 0 });
});
after(() => rig?.close());
beforeEach(() => rig.forget());

const user = (content) => [{ role: "user", content }];
const WEATHER = {
  type: "function",
  function: {
    name: "weather",
    description: "The weather in a city",
    parameters: {
      type: "object",
      properties: { city: { type: "string" } },
      required: ["city"],
      additionalProperties: false,
    },
  },
};
const PING = { type: "function", function: { name: "ping", parameters: { type: "object", properties: {} } } };
const Refund = z.object({ order_id: z.number().int(), reason: z.string(), urgent: z.boolean() });

/** One completion and its headers; a streamed one is added up by the SDK's own runner. */
async function ask(stream, request) {
  if (!stream) {
    const { data, response } = await client.chat.completions.create(request).withResponse();
    return { completion: data, headers: response.headers, pieces: [] };
  }
  const { data, response } = await client.chat.completions
    .create({ ...request, stream: true, stream_options: { include_usage: true } })
    .withResponse();
  const pieces = [];
  async function* heard() {
    for await (const chunk of data) {
      pieces.push(chunk);
      yield new TextEncoder().encode(`${JSON.stringify(chunk)}\n`);
    }
  }
  const runner = ChatCompletionStream.fromReadableStream(ReadableStream.from(heard()));
  return { completion: await runner.finalChatCompletion(), headers: response.headers, pieces };
}

for (const { provider, stream, name } of CASES) {
  describe(name, () => {
    const model = TARGETS[provider];

    it("a text and its usage arrive as the provider wrote them", async () => {
      await rig.answers({ text: TEXT });
      const { completion, headers, pieces } = await ask(stream, { model, messages: user("Say it.") });
      assert.equal(completion.choices[0].message.content, TEXT);
      assert.equal(completion.choices[0].finish_reason, "stop");
      assert.equal(completion.usage.completion_tokens, tokens(TEXT));
      assert.equal(headers.get("x-pointsman-served-by"), model);
      assert.ok(headers.get("x-pointsman-request-id"));
      if (stream) assert.ok(pieces.length > 5);
    });

    it("system prompt and earlier turns reach the provider", async () => {
      const messages = [
        { role: "system", content: "You are brief." },
        { role: "user", content: "My order is 4711." },
        { role: "assistant", content: "Noted." },
        { role: "user", content: "Where is it?" },
      ];
      const { completion } = await ask(stream, { model, messages });
      assert.match(completion.choices[0].message.content, /Where is it\?/);
      const seen = JSON.stringify(await rig.lastRequest());
      for (const { content } of messages) assert.ok(seen.includes(content), content);
    });

    it("a picture reaches the provider", async () => {
      const image_url = { url: `data:image/png;base64,${PIXEL}` };
      await ask(stream, { model, messages: user([{ type: "text", text: "What is this?" }, { type: "image_url", image_url }]) });
      assert.ok(JSON.stringify(await rig.lastRequest()).includes(PIXEL));
    });

    it("parallel tool calls come whole and their results carry the conversation on", async () => {
      const cities = ["Zürich", "Rome"];
      await rig.answers({ tool_calls: cities.map((city) => ({ name: "weather", arguments: { city } })) });
      const messages = user("Weather in two cities?");
      const first = await ask(stream, { model, messages, tools: [WEATHER] });
      const { message, finish_reason } = first.completion.choices[0];
      assert.equal(finish_reason, "tool_calls");
      assert.deepEqual(message.tool_calls.map((call) => JSON.parse(call.function.arguments).city), cities);

      await rig.forget();
      const results = message.tool_calls.map((call, n) => ({ role: "tool", tool_call_id: call.id, content: `sunny in ${cities[n]}` }));
      const { role, content, tool_calls } = message;
      const second = await ask(stream, { model, messages: [...messages, { role, content, tool_calls }, ...results], tools: [WEATHER] });
      assert.equal(
        second.completion.choices[0].message.content,
        "Here is what I found. weather returned: sunny in Zürich; weather returned: sunny in Rome.",
      );
    });

    it("a call without arguments has an empty object", async () => {
      const { completion } = await ask(stream, { model, messages: user("call ping"), tools: [PING] });
      const [call] = completion.choices[0].message.tool_calls;
      assert.equal(call.function.name, "ping");
      assert.deepEqual(JSON.parse(call.function.arguments), {});
    });

    it("the length limit ends with length", async () => {
      const { completion } = await ask(stream, { model, max_tokens: 5, messages: user("Tell me.") });
      assert.equal(completion.choices[0].finish_reason, "length");
    });
  });
}

for (const provider of ["openai", "anthropic"]) {
  it(`parsed output follows its schema, to ${provider}`, async () => {
    const completion = await client.chat.completions.parse({
      model: TARGETS[provider],
      messages: user("Read this e-mail."),
      response_format: zodResponseFormat(Refund, "refund"),
    });
    assert.ok(Refund.safeParse(completion.choices[0].message.parsed).success);
  });

  it(`leaving a stream cancels the provider, to ${provider}`, async () => {
    await rig.script({ answer: { tokens: 4000 }, chunk_ms: 40 });
    const live = await client.chat.completions.create({ model: TARGETS[provider], messages: user("All of it."), stream: true });
    let heard = 0;
    for await (const chunk of live) {
      if (chunk.choices[0]?.delta.content && ++heard === 3) break;
    }
    assert.equal(heard, 3);
    await rig.wasLeft();
  });
}

it("a wrong key is the SDK's AuthenticationError", async () => {
  const stranger = new OpenAI({ baseURL: `${rig.url}/v1`, apiKey: "an-invented-key", maxRetries: 0 });
  await assert.rejects(stranger.chat.completions.create({ model: TARGETS.openai, messages: user("Hi") }), OpenAI.AuthenticationError);
});

it("an unknown model is the SDK's NotFoundError", async () => {
  await assert.rejects(client.chat.completions.create({ model: "no-such-model", messages: user("Hi") }), OpenAI.NotFoundError);
});

it("a bad body is the SDK's BadRequestError", async () => {
  await assert.rejects(client.chat.completions.create({ model: TARGETS.openai, messages: "Hi" }), OpenAI.BadRequestError);
});

// Last: the target that was limited is rested for a while.
it("a rate limit is the SDK's RateLimitError with the time to wait", async () => {
  await rig.fails("rate_limit", { retry_after: 30 });
  await assert.rejects(client.chat.completions.create({ model: "openai/gpt-4o-mini", messages: user("Hi") }), (error) => {
    assert.ok(error instanceof OpenAI.RateLimitError);
    const wait = Number(error.headers.get("retry-after"));
    assert.ok(wait >= 1 && wait <= 31, `${wait}`);
    return true;
  });
});
