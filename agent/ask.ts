import { connect } from 'node:net';
import { parseDuration } from '../shared/time.ts';
import { CommandError, exitCodes } from './command-error.ts';
import {
  AskReply,
  type AskRequest,
  askSocketVariable,
  askTokenVariable,
  maxAskBytes,
} from './system/ask-request.ts';

export interface AskOptions {
  safe?: string | undefined;
  timeout?: string | undefined;
}

const exitCodeOf: Record<string, number> = {
  unanswered: exitCodes.unanswered,
  bad_question: exitCodes.usage,
  forbidden: exitCodes.forbidden,
  too_many_questions: exitCodes.conflict,
};

/** Asks a person through the agent that runs this script; settles with one of the options. */
export async function ask(
  env: NodeJS.ProcessEnv,
  [prompt, options]: [string, string[]],
  { safe, timeout }: AskOptions,
): Promise<string> {
  const path = env[askSocketVariable];
  const token = env[askTokenVariable];
  if (path === undefined || token === undefined) {
    throw new CommandError('Only a script that the agent runs can ask', exitCodes.unreachable);
  }
  const request = {
    token,
    prompt,
    options,
    ...(safe === undefined ? {} : { safe }),
    ...(timeout === undefined ? {} : { deadline_ms: milliseconds(timeout) }),
  };
  const reply = await exchange(path, request);
  if ('answer' in reply) return reply.answer;
  const { code, message } = reply.error;
  throw new CommandError(message, exitCodeOf[code] ?? exitCodes.failed);
}

function milliseconds(timeout: string): number {
  try {
    return parseDuration(timeout);
  } catch (error) {
    throw new CommandError(`--timeout: ${error instanceof Error ? error.message : error}`, exitCodes.usage);
  }
}

function exchange(path: string, request: AskRequest): Promise<AskReply> {
  const { promise, resolve, reject } = Promise.withResolvers<AskReply>();
  const lost = (reason: string): void =>
    reject(
      new CommandError(`The agent that runs this script is not there: ${reason}`, exitCodes.unreachable),
    );
  const socket = connect(path, () => socket.write(`${JSON.stringify(request)}\n`));
  let text = '';
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    if (text.length < maxAskBytes) text += chunk;
  });
  socket.on('error', (error) => lost(error.message));
  socket.on('close', () => {
    const outcome = AskReply.safeParse(textAsJson(text));
    if (outcome.success) resolve(outcome.data);
    else lost('it ended before an answer came');
  });
  return promise;
}

function textAsJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
