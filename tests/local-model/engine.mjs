// The model itself: one GGUF file in memory, a few sequences, one generation per request.
//
// What never enters here: HTTP, the OpenAI dialect. `dialect.mjs` turns a request into the plain
// `{ prompt, options }` that `generate` takes; `server.mjs` carries bytes.

import { getLlama, LlamaCompletion } from "node-llama-cpp";

/** Sequences that may generate at once; further requests wait their turn. */
const SEQUENCES = 2;

/** Tokens one sequence can hold, prompt and answer together. */
export const CONTEXT_TOKENS = 4096;

/**
 * Loads the model.
 *
 * One thread by default: llama.cpp's workers wait for each other by spinning, so with as many threads
 * as cores on a machine that is also compiling, one token takes seconds instead of 25 ms.
 */
export async function loadEngine({ modelPath, threads = 1 }) {
  const llama = await getLlama({
    gpu: false,
    build: "never",
    skipDownload: true,
    logLevel: "error",
    maxThreads: threads,
  });
  const model = await llama.loadModel({ modelPath });
  const context = await model.createContext({
    contextSize: CONTEXT_TOKENS,
    sequences: SEQUENCES,
    batchSize: 128,
    threads,
  });
  return new Engine(llama, model, context);
}

export class Engine {
  #llama;
  #model;
  #idle = [];
  #waiting = [];

  constructor(llama, model, context) {
    this.#llama = llama;
    this.#model = model;
    for (let i = 0; i < SEQUENCES; i++) {
      const sequence = context.getSequence();
      this.#idle.push({ sequence, completion: new LlamaCompletion({ contextSequence: sequence }) });
    }
  }

  /** Tokens the text costs, its opening mark included. */
  count(text) {
    return this.#model.tokenize(text).length + 1;
  }

  /** A grammar for a JSON schema, or for any JSON when `schema` is null. Throws on a schema it cannot hold. */
  async grammar(schema) {
    if (schema === null) return this.#llama.getGrammarFor("json");
    return this.#llama.createGrammarForJsonSchema(schema);
  }

  /**
   * Generates an answer. `onText` gets each piece as it appears; an aborted `signal` ends the
   * generation within one token and frees the sequence. Returns `{ reason, tokens }`, where
   * `reason` is `stop`, `length` or `aborted`.
   */
  async generate({ prompt, maxTokens, temperature, topP, seed, stop, grammar, signal, onText }) {
    const seat = await this.#take(signal);
    if (seat === null) return { reason: "aborted", tokens: 0 };
    const meter = seat.sequence.tokenMeter;
    const before = meter.getState();
    const spent = () => meter.diff(before).usedOutputTokens;
    try {
      const { metadata } = await seat.completion.generateCompletionWithMeta(prompt, {
        maxTokens,
        temperature,
        topP,
        seed,
        grammar,
        customStopTriggers: stop,
        signal,
        stopOnAbortSignal: true,
        onTextChunk: onText,
      });
      const reasons = { maxTokens: "length", abort: "aborted" };
      return { reason: reasons[metadata.stopReason] ?? "stop", tokens: spent() };
    } catch (error) {
      if (signal.aborted) return { reason: "aborted", tokens: spent() };
      throw error;
    } finally {
      this.#give(seat);
    }
  }

  #take(signal) {
    if (signal.aborted) return Promise.resolve(null);
    const free = this.#idle.pop();
    if (free !== undefined) return Promise.resolve(free);
    return new Promise((resolve) => {
      const turn = { resolve };
      this.#waiting.push(turn);
      signal.addEventListener("abort", () => {
        const place = this.#waiting.indexOf(turn);
        if (place >= 0) {
          this.#waiting.splice(place, 1);
          resolve(null);
        }
      }, { once: true });
    });
  }

  #give(seat) {
    const next = this.#waiting.shift();
    if (next === undefined) this.#idle.push(seat);
    else next.resolve(seat);
  }
}
