// A real language model (Gemma 3 270M) behind the OpenAI dialect, on loopback, for black-box tests.
//
//   node server.mjs [--port 0] [--model FILE] [--threads 1]
//
// Prints `listening on http://127.0.0.1:PORT` once the model is in memory. Serves
//   GET  /healthz               {status, generating, served, cancelled}
//   GET  /v1/models
//   POST /v1/chat/completions   whole or streamed
// A client that leaves ends its generation. This room carries bytes; `dialect.mjs` decides what they
// mean, `engine.mjs` runs the model.

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { chunk, completion, MODEL, readRequest, Refusal, usage } from "./dialect.mjs";
import { CONTEXT_TOKENS, loadEngine } from "./engine.mjs";

const BODY_LIMIT = 4 * 1024 * 1024;

const { values: flags } = parseArgs({
  options: {
    port: { type: "string", default: "0" },
    model: { type: "string", default: fileURLToPath(new URL("../.venv/share/gemma-3-270m-q4_k_m.gguf", import.meta.url)) },
    threads: { type: "string", default: "1" },
  },
});

const engine = await loadEngine({ modelPath: flags.model, threads: Number(flags.threads) });
const tally = { generating: 0, served: 0, cancelled: 0 };

const server = createServer((request, response) => {
  route(request, response).catch((error) => refuse(response, error));
});
server.listen(Number(flags.port), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});

async function route(request, response) {
  const { pathname } = new URL(request.url, "http://localhost");
  const asked = `${request.method} ${pathname}`;
  if (asked === "GET /healthz") return json(response, 200, { status: "ok", ...tally });
  if (asked === "GET /v1/models") {
    return json(response, 200, { object: "list", data: [{ id: MODEL, object: "model", created: 0, owned_by: "local" }] });
  }
  if (asked === "POST /v1/chat/completions") return chat(await readJson(request), response);
  throw new Refusal(404, "not_found", `nothing is served at ${asked}`);
}

async function chat(body, response) {
  const asked = readRequest(body);
  const promptTokens = engine.count(asked.prompt);
  if (promptTokens + asked.maxTokens > CONTEXT_TOKENS) {
    throw new Refusal(400, "context_length_exceeded",
      `This model's maximum context length is ${CONTEXT_TOKENS} tokens. However, you requested ${promptTokens + asked.maxTokens} tokens (${promptTokens} in the messages, ${asked.maxTokens} in the completion).`,
      "messages");
  }
  const grammar = asked.schema === undefined ? undefined : await grammarFor(asked.schema);

  const leaving = new AbortController();
  response.once("close", () => leaving.abort());

  const id = `chatcmpl-${randomUUID()}`;
  const created = Math.floor(Date.now() / 1000);
  const out = asked.stream ? new Streamed(response, id, created) : new Whole();

  tally.generating += 1;
  let ended;
  try {
    // A transcript's answer follows "Assistant:" with a space that is no part of the answer.
    let begun = asked.prefix;
    ended = await engine.generate({
      ...asked,
      grammar,
      signal: leaving.signal,
      onText: (text) => {
        const piece = begun ? text : text.trimStart();
        if (piece === "") return;
        begun = true;
        out.text(piece);
      },
    });
  } finally {
    tally.generating -= 1;
  }
  if (ended.reason === "aborted") {
    tally.cancelled += 1;
    return;
  }
  tally.served += 1;
  const tokens = usage(promptTokens, ended.tokens);
  if (asked.stream) out.end(ended.reason, asked.includeUsage ? tokens : undefined);
  else json(response, 200, completion(id, created, out.content, ended.reason, tokens));
}

async function grammarFor(schema) {
  try {
    return await engine.grammar(schema);
  } catch (error) {
    throw new Refusal(400, "invalid_schema", `the schema cannot be made into a grammar: ${error.message}`, "response_format");
  }
}

/** Gathers the text of an answer that is sent in one piece. */
class Whole {
  content = "";
  text(piece) { this.content += piece; }
}

/** Sends each piece as a server-sent event. */
class Streamed {
  constructor(response, id, created) {
    this.response = response;
    this.frame = (...rest) => this.response.write(`data: ${JSON.stringify(chunk(id, created, ...rest))}\n\n`);
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" });
    this.frame({ role: "assistant", content: "" });
  }

  text(piece) { this.frame({ content: piece }); }

  end(reason, tokens) {
    this.frame({}, reason);
    if (tokens !== undefined) this.frame(null, null, tokens);
    this.response.end("data: [DONE]\n\n");
  }
}

async function readJson(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > BODY_LIMIT) throw new Refusal(413, "too_large", `the body is over ${BODY_LIMIT} bytes`);
    parts.push(part);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString("utf8"));
  } catch (error) {
    throw new Refusal(400, "invalid_json", `the body is not JSON: ${error.message}`);
  }
}

function json(response, status, body) {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

function refuse(response, error) {
  const refusal = error instanceof Refusal ? error : new Refusal(500, "internal", "the local model failed; its log says why");
  if (refusal !== error) console.error(error);
  // Once a stream has begun, a cut connection is the only honest ending.
  if (response.headersSent) response.destroy();
  else json(response, refusal.status, refusal.body);
}
