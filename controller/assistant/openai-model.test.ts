import { describe, expect, test } from 'vitest';
import { silentLogger } from '../../shared/node/logger.ts';
import { ChatServer, type Reply } from '../../test/harness/chat-server.ts';
import type { ChatMessage } from './chat-model.ts';
import { OpenAiModel, type OpenAiModelOptions } from './openai-model.ts';

const messages: ChatMessage[] = [
  { role: 'system', text: 'Be short.' },
  { role: 'user', text: 'Hello?' },
];
const tools = [{ name: 'look', description: 'Looks.', parameters: { type: 'object' } }];
const apiKey = 'sk-very-secret';

const modelOf = (server: ChatServer, over: Partial<OpenAiModelOptions> = {}) =>
  new OpenAiModel(
    {
      baseUrl: server.url,
      model: 'scripted',
      apiKey,
      timeoutMs: 5_000,
      maxOutputTokens: 64,
      stream: false,
      retryMs: 1,
      retries: 3,
      ...over,
    },
    silentLogger(),
  );

const never = new AbortController().signal;

async function asked(replies: Reply[], over: Partial<OpenAiModelOptions> = {}) {
  await using server = await ChatServer.start(replies);
  const answer = await modelOf(server, over).ask(messages, tools, never);
  return { answer, requests: server.requests };
}

describe.each([
  ['whole', false],
  ['in pieces', true],
])('an answer that comes %s', (_how, stream) => {
  test('is read with what it cost', async () => {
    const { answer, requests } = await asked([{ text: 'Hello.', usage: [7, 2] }], { stream });
    expect(answer).toEqual({ text: 'Hello.', toolCalls: [], tokensIn: 7, tokensOut: 2, isCut: false });
    expect(requests).toMatchObject([
      {
        authorization: `Bearer ${apiKey}`,
        model: 'scripted',
        max_completion_tokens: 64,
        messages: [
          { role: 'system', content: 'Be short.' },
          { role: 'user', content: 'Hello?' },
        ],
        tools: [{ type: 'function', function: { name: 'look', parameters: { type: 'object' } } }],
      },
    ]);
  });

  test('may ask for several tools, with arguments that are no JSON', async () => {
    const calls: [string, object | string][] = [
      ['look', { at: 'fw-1' }],
      ['look', '{"at":'],
    ];
    const { answer } = await asked([{ text: 'Let me see.', calls, usage: 'none' }], { stream });
    expect(answer).toMatchObject({
      text: 'Let me see.',
      toolCalls: [
        { id: 'call_0', name: 'look', arguments: '{"at":"fw-1"}' },
        { id: 'call_1', name: 'look', arguments: '{"at":' },
      ],
      tokensIn: null,
      tokensOut: null,
    });
  });

  test('says that it was cut', async () => {
    const { answer } = await asked([{ text: 'Once upon a', finish: 'length' }], { stream });
    expect(answer).toMatchObject({ text: 'Once upon a', isCut: true });
  });

  test.each<[string, Reply]>([
    ['a rate limit', { status: 429, headers: { 'retry-after-ms': '2' } }],
    ['a server error', { status: 503 }],
    ['a broken connection', 'reset'],
    ['an answer that is no JSON', { raw: '{"choices": [' }],
    ['a page of a proxy', { raw: '<html>', headers: { 'content-type': 'text/html' } }],
    ['an answer without choices', { raw: '{"choices": []}' }],
  ])('is asked for again after %s', async (_what, reply) => {
    const { answer, requests } = await asked([reply, reply, { text: 'Hello.' }], { stream });
    expect(answer.text).toBe('Hello.');
    expect(requests).toHaveLength(3);
  });
});

test('what was said before is sent in the form of the endpoint', async () => {
  await using server = await ChatServer.start([{ text: 'Done.' }]);
  const call = { id: 'c1', name: 'look', arguments: '{}' };
  await modelOf(server).ask(
    [
      ...messages,
      { role: 'assistant', text: '', toolCalls: [call] },
      { role: 'tool', text: 'fw-1', toolCallId: 'c1' },
    ],
    [],
    never,
  );
  expect(server.requests[0]?.messages.slice(2)).toEqual([
    {
      role: 'assistant',
      content: '',
      tool_calls: [{ id: 'c1', type: 'function', function: { name: 'look', arguments: '{}' } }],
    },
    { role: 'tool', content: 'fw-1', tool_call_id: 'c1' },
  ]);
  expect(server.requests[0]).not.toHaveProperty('tools');
});

test('a refusal is not asked again, and does not repeat the key', async () => {
  await using server = await ChatServer.start(() => ({
    status: 401,
    error: { message: `Incorrect API key provided: ${apiKey}` },
  }));
  const failure = modelOf(server).ask(messages, tools, never);
  await expect(failure).rejects.toMatchObject({ code: 'model_refused' });
  await expect(failure).rejects.toThrow(/401 Incorrect API key provided: \[key\]/);
  expect(server.requests).toHaveLength(1);
});

test('an account without credit is refused at once, although it is told as a rate limit', async () => {
  await using server = await ChatServer.start(() => ({
    status: 429,
    error: { message: 'no credit', code: 'insufficient_quota' },
  }));
  await expect(modelOf(server).ask(messages, tools, never)).rejects.toMatchObject({ code: 'model_refused' });
  expect(server.requests).toHaveLength(1);
});

test.each<[string, Reply, string]>([
  ['errors of the server', { status: 500 }, 'model_unavailable'],
  ['nonsense', { raw: '[]' }, 'model_nonsense'],
])('%s that do not end are given up', async (_what, reply, code) => {
  await using server = await ChatServer.start(() => reply);
  await expect(modelOf(server).ask(messages, tools, never)).rejects.toMatchObject({ code });
  expect(server.requests).toHaveLength(4);
});

test('an endpoint that is not there is told as unavailable', async () => {
  const server = await ChatServer.start([]);
  const model = modelOf(server, { retries: 1 });
  await server[Symbol.asyncDispose]();
  await expect(model.ask(messages, tools, never)).rejects.toMatchObject({ code: 'model_unavailable' });
});

test('one that is too slow is asked again', async () => {
  await using server = await ChatServer.start(['silence', { text: 'Here.' }]);
  expect((await modelOf(server, { timeoutMs: 200 }).ask(messages, tools, never)).text).toBe('Here.');
});

test('a request that is no longer wanted ends at once, also between two tries', async () => {
  await using server = await ChatServer.start((_request, index) =>
    index === 0 ? 'silence' : { status: 429, headers: { 'retry-after': '600' } },
  );
  for (const _ of [1, 2]) {
    const abort = new AbortController();
    const answer = modelOf(server).ask(messages, tools, abort.signal);
    const count = server.requests.length;
    answer.catch(() => undefined);
    await expect.poll(() => server.requests.length).toBe(count + 1);
    abort.abort(new Error('not wanted'));
    await expect(answer).rejects.toThrow('not wanted');
  }
});

test('an answer without end is cut off', async () => {
  await using server = await ChatServer.start(() => ({ raw: `"${'x'.repeat(5 * 1024 * 1024)}"` }));
  await expect(modelOf(server, { retries: 0 }).ask(messages, tools, never)).rejects.toThrow(
    /at most 4194304 bytes/,
  );
});

test('the key is not carried elsewhere by a redirect', async () => {
  await using other = await ChatServer.start([]);
  await using server = await ChatServer.start(() => ({
    status: 307,
    headers: { location: `${other.url}/chat/completions` },
  }));
  await expect(modelOf(server, { retries: 0 }).ask(messages, tools, never)).rejects.toMatchObject({
    code: 'model_unavailable',
  });
  expect(other.requests).toEqual([]);
});
