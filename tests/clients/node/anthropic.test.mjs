// The Anthropic Node SDK against both providers, whole and streamed.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";

import Anthropic from "@anthropic-ai/sdk";

import { CASES, PIXEL, startRig, TARGETS, TEXT, tokens } from "./rig.mjs";

let rig, client;
before(async () => {
  rig = await startRig();
  client = new Anthropic({ baseURL: rig.url, apiKey: rig.key, maxRetries: 0 });
});
after(() => rig?.close());
beforeEach(() => rig.forget());

const user = (content) => [{ role: "user", content }];
const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };
const WEATHER = { name: "weather", description: "The weather in a city", input_schema: schema };
const PING = { name: "ping", input_schema: { type: "object", properties: {} } };

/** One message and its headers; a streamed one is added up by the SDK. */
async function ask(stream, request) {
  const whole = { max_tokens: 2048, ...request };
  if (!stream) {
    const { data, response } = await client.messages.create(whole).withResponse();
    return { message: data, headers: response.headers, pieces: [] };
  }
  const live = client.messages.stream(whole);
  const pieces = [];
  live.on("text", (text) => pieces.push(text));
  const { response } = await live.withResponse();
  return { message: await live.finalMessage(), headers: response.headers, pieces };
}

const textOf = (message) => message.content.filter((block) => block.type === "text").map((block) => block.text).join("");
const callsOf = (message) => message.content.filter((block) => block.type === "tool_use");

for (const { provider, stream, name } of CASES) {
  describe(name, () => {
    const model = TARGETS[provider];

    it("a text and its usage arrive as the provider wrote them", async () => {
      await rig.answers({ text: TEXT });
      const { message, headers, pieces } = await ask(stream, { model, messages: user("Say it.") });
      assert.equal(textOf(message), TEXT);
      assert.equal(message.stop_reason, "end_turn");
      assert.equal(message.usage.output_tokens, tokens(TEXT));
      assert.ok(message.usage.input_tokens > 0);
      assert.equal(headers.get("x-pointsman-served-by"), model);
      if (stream) assert.ok(pieces.length > 3);
    });

    it("system prompt and earlier turns reach the provider", async () => {
      const messages = [...user("My order is 4711."), { role: "assistant", content: "Noted." }, ...user("Where is it?")];
      const { message } = await ask(stream, { model, system: "You are brief.", messages });
      assert.match(textOf(message), /Where is it\?/);
      const seen = JSON.stringify(await rig.lastRequest());
      for (const content of ["You are brief.", ...messages.map((m) => m.content)]) assert.ok(seen.includes(content), content);
    });

    it("a picture reaches the provider", async () => {
      const source = { type: "base64", media_type: "image/png", data: PIXEL };
      await ask(stream, { model, messages: user([{ type: "text", text: "What is this?" }, { type: "image", source }]) });
      assert.ok(JSON.stringify(await rig.lastRequest()).includes(PIXEL));
    });

    it("parallel tool calls come whole and their results carry the conversation on", async () => {
      const cities = ["Zürich", "Rome"];
      await rig.answers({ tool_calls: cities.map((city) => ({ name: "weather", arguments: { city } })) });
      const messages = user("Weather in two cities?");
      const first = await ask(stream, { model, messages, tools: [WEATHER] });
      assert.equal(first.message.stop_reason, "tool_use");
      assert.deepEqual(callsOf(first.message).map((call) => call.input.city), cities);

      await rig.forget();
      const results = callsOf(first.message).map((call, n) => ({ type: "tool_result", tool_use_id: call.id, content: `sunny in ${cities[n]}` }));
      const turns = [...messages, { role: "assistant", content: first.message.content }, ...user(results)];
      const second = await ask(stream, { model, messages: turns, tools: [WEATHER] });
      assert.equal(
        textOf(second.message),
        "Here is what I found. weather returned: sunny in Zürich; weather returned: sunny in Rome.",
      );
    });

    it("a call without arguments has an empty object", async () => {
      const { message } = await ask(stream, { model, messages: user("call ping"), tools: [PING] });
      assert.deepEqual(callsOf(message).map((call) => [call.name, call.input]), [["ping", {}]]);
    });

    it("the length limit ends with max_tokens", async () => {
      const { message } = await ask(stream, { model, max_tokens: 5, messages: user("Tell me.") });
      assert.equal(message.stop_reason, "max_tokens");
    });

    it("structured output follows its schema", async () => {
      const output_config = { format: { type: "json_schema", schema } };
      const { message } = await ask(stream, { model, messages: user("Which city?"), output_config });
      assert.equal(typeof JSON.parse(textOf(message)).city, "string");
    });
  });
}

for (const stream of [false, true]) {
  it(`signed thinking comes back to its provider byte for byte, ${stream ? "streamed" : "whole"}`, async () => {
    const thinking = "The city is missing. Ask the tool — it knows “Zürich”.";
    await rig.answers({ reasoning: thinking, tool_calls: [{ name: "weather", arguments: { city: "Zürich" } }] });
    const request = { model: TARGETS.anthropic, max_tokens: 4096, thinking: { type: "enabled", budget_tokens: 1024 }, tools: [WEATHER] };
    const messages = user("Weather?");
    const { message } = await ask(stream, { ...request, messages });
    const [thought, call] = message.content;
    assert.equal(thought.thinking, thinking);
    assert.ok(thought.signature);

    await rig.forget();
    const results = user([{ type: "tool_result", tool_use_id: call.id, content: "sunny" }]);
    const second = await ask(stream, { ...request, messages: [...messages, { role: "assistant", content: message.content }, ...results] });
    assert.match(textOf(second.message), /weather returned: sunny/);
    assert.deepEqual((await rig.lastRequest()).messages[1].content[0], { type: "thinking", thinking, signature: thought.signature });
  });
}

for (const provider of ["openai", "anthropic"]) {
  it(`leaving a stream cancels the provider, to ${provider}`, async () => {
    await rig.script({ answer: { tokens: 4000 }, chunk_ms: 40 });
    const live = await client.messages.create({ model: TARGETS[provider], max_tokens: 8000, messages: user("All of it."), stream: true });
    let heard = 0;
    for await (const event of live) {
      if (event.type === "content_block_delta" && ++heard === 3) break;
    }
    assert.equal(heard, 3);
    await rig.wasLeft();
  });
}

it("a wrong key is the SDK's AuthenticationError, in either header", async () => {
  for (const credential of [{ apiKey: "an-invented-key" }, { apiKey: null, authToken: "an-invented-key" }]) {
    const stranger = new Anthropic({ baseURL: rig.url, maxRetries: 0, ...credential });
    await assert.rejects(
      stranger.messages.create({ model: TARGETS.anthropic, max_tokens: 9, messages: user("Hi") }),
      Anthropic.AuthenticationError,
    );
  }
});

it("an unknown model is the SDK's NotFoundError", async () => {
  await assert.rejects(
    client.messages.create({ model: "no-such-model", max_tokens: 9, messages: user("Hi") }),
    Anthropic.NotFoundError,
  );
});

it("a bad body is the SDK's BadRequestError", async () => {
  await assert.rejects(
    client.messages.create({ model: TARGETS.anthropic, max_tokens: 9, messages: "Hi" }),
    Anthropic.BadRequestError,
  );
});

// Last: the target that was limited is rested for a while.
it("a rate limit is the SDK's RateLimitError with the time to wait", async () => {
  await rig.fails("rate_limit", { retry_after: 30 });
  const limited = client.messages.create({ model: "anthropic/claude-haiku-4-5", max_tokens: 9, messages: user("Hi") });
  await assert.rejects(limited, (error) => {
    assert.ok(error instanceof Anthropic.RateLimitError);
    const wait = Number(error.headers.get("retry-after"));
    assert.ok(wait >= 1 && wait <= 31, `${wait}`);
    return true;
  });
});
