import OpenAI, { APIConnectionError, APIError } from 'openai';
import type {
  ChatCompletionCreateParamsBase,
  ChatCompletionMessageParam,
} from 'openai/resources/chat/completions';
import pRetry from 'p-retry';
import { z } from 'zod';
import type { Logger } from '../../shared/node/logger.ts';
import { boundedFetch } from './bounded-fetch.ts';
import {
  type ChatAnswer,
  type ChatMessage,
  type ChatModel,
  ModelError,
  type ToolDescription,
} from './chat-model.ts';

export interface OpenAiModelOptions {
  baseUrl: string;
  model: string;
  /** None for endpoints that ask for none. */
  apiKey: string | undefined;
  /** Of one request. */
  timeoutMs: number;
  maxOutputTokens: number;
  stream: boolean;
  /** First pause; each is about twice the one before, to a minute. */
  retryMs?: number;
  retries?: number;
}

/** With pauses from a second to a minute: about four minutes without an answer. */
const defaultRetries = 8;
const maxPauseMs = 60_000;
/** An endpoint that asks for more patience is not waited for any longer than this at a time. */
const maxRetryAfterMs = 600_000;

/** What of an answer is used. Everything else may be as it likes. */
const Completion = z.object({
  choices: z
    .array(
      z.object({
        finish_reason: z.string().nullish(),
        message: z.object({
          content: z.string().nullish(),
          tool_calls: z
            .array(
              z.object({
                id: z.string().max(256).nullish(),
                function: z.object({ name: z.string().max(256), arguments: z.string().nullish() }),
              }),
            )
            .nullish(),
        }),
      }),
    )
    .min(1),
  usage: z
    .object({ prompt_tokens: z.int().min(0).nullish(), completion_tokens: z.int().min(0).nullish() })
    .nullish(),
});

/** A model behind any endpoint that speaks OpenAI's chat completions. The client's own retries are off: there is one place that retries. */
export class OpenAiModel implements ChatModel {
  readonly #client: OpenAI;
  readonly #options: OpenAiModelOptions;
  readonly #log: Logger;

  constructor(options: OpenAiModelOptions, log: Logger) {
    this.#options = options;
    this.#log = log;
    this.#client = new OpenAI({
      baseURL: options.baseUrl,
      apiKey: options.apiKey ?? 'none',
      // Whatever stands in the environment for other programs is not for this one.
      organization: null,
      project: null,
      adminAPIKey: null,
      webhookSecret: null,
      logLevel: 'off',
      maxRetries: 0,
      timeout: options.timeoutMs,
      fetch: boundedFetch,
    });
  }

  async ask(messages: ChatMessage[], tools: ToolDescription[], signal: AbortSignal): Promise<ChatAnswer> {
    try {
      return await pRetry(() => this.#request(messages, tools, signal), {
        retries: this.#options.retries ?? defaultRetries,
        minTimeout: this.#options.retryMs ?? 1_000,
        maxTimeout: maxPauseMs,
        randomize: true,
        signal,
        shouldRetry: ({ error }) => isPassing(error),
        onFailedAttempt: async ({ error, attemptNumber, retriesLeft }) => {
          this.#log.warn({ attempt: attemptNumber, reason: this.#told(error) }, 'the model did not answer');
          if (retriesLeft > 0 && isPassing(error)) await pause(retryAfterMs(error), signal);
        },
      });
    } catch (error) {
      signal.throwIfAborted();
      throw this.#explained(error);
    }
  }

  async #request(
    messages: ChatMessage[],
    tools: ToolDescription[],
    signal: AbortSignal,
  ): Promise<ChatAnswer> {
    const { model, maxOutputTokens, stream } = this.#options;
    const body = {
      model,
      messages: messages.map(shownToModel),
      max_completion_tokens: maxOutputTokens,
      ...(tools.length > 0 && {
        tools: tools.map((tool) => ({ type: 'function' as const, function: { ...tool } })),
      }),
    } satisfies ChatCompletionCreateParamsBase;
    const { completions } = this.#client.chat;
    const completion = stream
      ? await completions
          .stream({ ...body, stream_options: { include_usage: true } }, { signal })
          .finalChatCompletion()
      : await completions.create(body, { signal });
    return readAnswer(completion);
  }

  #explained(error: unknown): ModelError {
    if (error instanceof ModelError) return error;
    const what = `The endpoint of the model ${this.#options.model}`;
    if (error instanceof APIError && error.status !== undefined && !isPassing(error)) {
      return new ModelError('model_refused', `${what} refused the request: ${this.#told(error)}`);
    }
    return new ModelError(
      'model_unavailable',
      `${what} did not answer, also when asked again: ${this.#told(error)}`,
    );
  }

  /** A sentence without the key, which an endpoint may repeat. */
  #told(error: unknown): string {
    const cause = error instanceof Error && error.cause instanceof Error ? ` (${error.cause.message})` : '';
    const text = `${error instanceof Error ? error.message : String(error)}${cause}`;
    const { apiKey } = this.#options;
    return (apiKey ? text.replaceAll(apiKey, '[key]') : text).slice(0, 500);
  }
}

function shownToModel(message: ChatMessage): ChatCompletionMessageParam {
  switch (message.role) {
    case 'system':
    case 'user':
      return { role: message.role, content: message.text };
    case 'tool':
      return { role: 'tool', content: message.text, tool_call_id: message.toolCallId };
    case 'assistant':
      return {
        role: 'assistant',
        content: message.text,
        ...(message.toolCalls.length > 0 && {
          tool_calls: message.toolCalls.map((call) => ({
            id: call.id,
            type: 'function' as const,
            function: { name: call.name, arguments: call.arguments },
          })),
        }),
      };
  }
}

function readAnswer(completion: unknown): ChatAnswer {
  const { data, error } = Completion.safeParse(completion);
  const [choice] = data?.choices ?? [];
  if (data === undefined || choice === undefined) {
    const [issue] = error?.issues ?? [];
    throw new ModelError(
      'model_nonsense',
      `The endpoint answered with something that is no chat completion: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`,
    );
  }
  const { message, finish_reason: reason } = choice;
  return {
    text: message.content ?? '',
    toolCalls: (message.tool_calls ?? []).map(({ id, function: { name, arguments: text } }, index) => ({
      id: id ?? `call_${index}`,
      name,
      arguments: text ?? '',
    })),
    tokensIn: data.usage?.prompt_tokens ?? null,
    tokensOut: data.usage?.completion_tokens ?? null,
    isCut: reason === 'length',
  };
}

/** Another try may succeed. What is not an answer of the endpoint at all is taken for an accident on the way. */
function isPassing(error: unknown): boolean {
  if (error instanceof APIConnectionError) return true;
  if (!(error instanceof APIError) || error.status === undefined) return true;
  if (error.code === 'insufficient_quota') return false;
  return error.status >= 500 || [408, 409, 425, 429].includes(error.status);
}

/** What the endpoint asks for, in seconds, milliseconds or as a date. */
function retryAfterMs(error: unknown): number {
  if (!(error instanceof APIError)) return 0;
  const precise = Number(error.headers?.get('retry-after-ms') ?? Number.NaN);
  const text = error.headers?.get('retry-after') ?? '';
  const seconds = text === '' ? Number.NaN : Number(text);
  const dated = Date.parse(text) - Date.now();
  const wanted = [precise, seconds * 1000, dated].find((value) => Number.isFinite(value)) ?? 0;
  return Math.min(Math.max(wanted, 0), maxRetryAfterMs);
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0) return;
  const { setTimeout: sleep } = await import('node:timers/promises');
  await sleep(ms, undefined, { signal });
}
