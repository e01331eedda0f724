import { chmod, chown, mkdtemp, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { TaskError } from '../../shared/errors.ts';
import { hashSecret, sameDigest } from '../../shared/node/keys.ts';
import {
  type AskReply,
  AskRequest,
  askSocketVariable,
  askTokenVariable,
  maxAskBytes,
} from './ask-request.ts';
import { removeTree } from './remove-tree.ts';
import { type ScriptPlace, scriptFolderPrefix } from './script-file.ts';
import type { AskDoor, AskPerson } from './system.ts';
import { permittedUser } from './user.ts';

/** Whoever connects says what it wants within this time. */
const requestMs = 10_000;
const maxConnections = 16;

export interface DoorPlace extends ScriptPlace {
  /** Program and arguments that are this agent, for scripts that find no `muster-agent` of their own. */
  program?: readonly string[] | undefined;
}

/**
 * A socket through which what runs as `userName` asks people, in a folder of mode 0700 of that user. One line each way; who closes the
 * connection before the answer withdraws the question. Disposing ends the connections and removes the folder.
 */
export async function openAskDoor(
  place: DoorPlace,
  userName: string | undefined,
  ask: AskPerson,
): Promise<AskDoor> {
  const user = await permittedUser(userName);
  const token = randomBytes(32).toString('base64url');
  const folder = await mkdtemp(join(place.folder, scriptFolderPrefix(place)));
  const connections = new Set<Socket>();
  const server = createServer((socket) => {
    connections.add(socket);
    socket.on('close', () => connections.delete(socket));
    socket.on('error', () => undefined); // its close says enough
    void answerOne(socket, token, ask);
  });
  server.maxConnections = maxConnections;
  const close = async (): Promise<void> => {
    for (const socket of connections) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    await removeTree(folder);
  };
  try {
    const path = join(folder, 'ask');
    await listen(server, path);
    await chmod(path, 0o600);
    const made = [path, ...(await writeProgram(folder, place.program)), folder];
    if (user.uid !== process.getuid?.()) for (const one of made) await chown(one, user.uid, user.gid);
    return {
      env: { [askSocketVariable]: path, [askTokenVariable]: token },
      programs: folder,
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
}

/** `muster-agent` for who does not have it in the path. */
async function writeProgram(folder: string, program: readonly string[] | undefined): Promise<string[]> {
  if (!program) return [];
  const path = join(folder, 'muster-agent');
  const words = program.map((word) => `'${word.replaceAll("'", `'\\''`)}'`);
  await writeFile(path, `#!/bin/sh\nexec ${words.join(' ')} "$@"\n`, { mode: 0o700, flag: 'wx' });
  return [path];
}

/** Never rejects. */
async function answerOne(socket: Socket, token: string, ask: AskPerson): Promise<void> {
  const gone = new AbortController();
  socket.once('close', () => gone.abort(new TaskError('withdrawn', 'Who asked has gone')));
  const reply = await replyTo(socket, token, (request) => ask(request, gone.signal));
  socket.end(`${JSON.stringify(reply)}\n`);
}

async function replyTo(
  socket: Socket,
  token: string,
  ask: (request: Parameters<AskPerson>[0]) => Promise<string>,
): Promise<AskReply> {
  try {
    const line = await readLine(socket);
    const outcome = AskRequest.safeParse(JSON.parse(line));
    if (!outcome.success)
      throw new TaskError('bad_question', outcome.error.issues[0]?.message ?? 'not valid');
    const { token: given, prompt, options, safe, deadline_ms: deadlineMs } = outcome.data;
    if (!sameDigest(hashSecret(given), hashSecret(token))) {
      throw new TaskError('forbidden', 'The token is not the one of this task');
    }
    return { answer: await ask({ prompt, options, safe, deadlineMs }) };
  } catch (error) {
    if (error instanceof TaskError) return { error: { code: error.code, message: error.message } };
    return { error: { code: 'failed', message: 'The agent could not ask; its log says more' } };
  }
}

/** The first line; rejects when it is too long, too late, or does not come. */
function readLine(socket: Socket): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const chunks: Buffer[] = [];
  let bytes = 0;
  const fail = (message: string): void => reject(new TaskError('bad_question', message));
  socket.setTimeout(requestMs, () => fail(`Nothing was asked within ${requestMs / 1000} s`));
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    bytes += chunk.length;
    const end = chunk.indexOf(10);
    if (end !== -1) resolve(Buffer.concat(chunks).toString('utf8').split('\n', 1)[0] ?? '');
    else if (bytes > maxAskBytes) fail(`A question has at most ${maxAskBytes} bytes`);
    if (end !== -1 || bytes > maxAskBytes) {
      socket.setTimeout(0);
      socket.removeAllListeners('data');
      socket.resume(); // so that its end is heard
    }
  });
  socket.once('close', () => fail('Who asked has gone'));
  return promise;
}
