import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { parseJson } from '../../../shared/parse.ts';

/** What the keeper of a lab is asked, one line of JSON per connection; it answers with one line. */
const Request = z.discriminatedUnion('ask', [
  z.object({ ask: z.literal('status') }),
  /** What runs this program inside. */
  z.object({ ask: z.literal('entering'), argv: z.array(z.string()) }),
  z.object({ ask: z.literal('power-cut') }),
  /** Answered when it is up. */
  z.object({ ask: z.literal('power-on') }),
  /** Answered at once. */
  z.object({ ask: z.literal('down') }),
]);
export type LabRequest = z.output<typeof Request>;

export const LabStatus = z.object({
  name: z.string(),
  state: z.enum(['starting', 'on', 'off', 'ending']),
  /** How often it was switched on or has rebooted. */
  boots: z.int(),
  addresses: z.array(z.string()),
  ends_at: z.string(),
  controller_url: z.string().nullable(),
  /** Of the lab's own controller. */
  admin_token: z.string().nullable(),
});
export type LabStatus = z.output<typeof LabStatus>;

const Answer = z.union([
  z.object({ error: z.string() }),
  z.object({ status: LabStatus, argv: z.array(z.string()).default([]) }),
]);
export type LabAnswer = Exclude<z.output<typeof Answer>, { error: string }>;

/** Booting takes the longest. */
const answerMs = 120_000;

/** Answers requests until it is disposed of. */
export async function serveControl(
  path: string,
  answer: (request: LabRequest) => Promise<LabAnswer>,
): Promise<AsyncDisposable> {
  const answered = async (line: string): Promise<z.output<typeof Answer>> => {
    try {
      return await answer(parseJson('the request', Request, line));
    } catch (error) {
      return { error: error instanceof Error ? error.message : String(error) };
    }
  };
  const server = createServer((socket) => {
    socket.on('error', () => {}); // whoever asked went away
    createInterface({ input: socket }).once('line', (line) => {
      void answered(line).then((told) => socket.end(`${JSON.stringify(told)}\n`));
    });
  });
  server.listen(path);
  await once(server, 'listening');
  return {
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, 'close');
    },
  };
}

/** Asks the keeper of a lab. Throws what it could not do; `LabGone` when nobody answers. */
export async function askLab(path: string, request: LabRequest): Promise<LabAnswer> {
  const text = await exchange(path, `${JSON.stringify(request)}\n`).catch((cause: unknown) => {
    throw new LabGone('nobody keeps it', { cause });
  });
  if (text === '') throw new LabGone('its keeper ended');
  const answer = parseJson('the answer', Answer, text);
  if ('error' in answer) throw new Error(answer.error);
  return answer;
}

export class LabGone extends Error {}

async function exchange(path: string, line: string): Promise<string> {
  const socket: Socket = connect(path);
  const late = setTimeout(() => socket.destroy(new Error(`no answer within ${answerMs} ms`)), answerMs);
  try {
    await once(socket, 'connect');
    socket.write(line);
    let text = '';
    for await (const chunk of socket.setEncoding('utf8')) text += String(chunk);
    return text;
  } finally {
    clearTimeout(late);
    socket.destroy();
  }
}
