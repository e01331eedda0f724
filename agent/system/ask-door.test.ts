import { execFile } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { TaskError } from '../../shared/errors.ts';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { until } from '../../test/harness/until.ts';
import { openAskDoor } from './ask-door.ts';
import type { AskDoor, AskPerson } from './system.ts';

const program = [process.execPath, fileURLToPath(new URL('../bin.js', import.meta.url))];
const execute = promisify(execFile);

/** A door in a folder of its own. */
async function open(ask: AskPerson): Promise<AskDoor> {
  const folder = temporaryFolder('ask');
  const door = await openAskDoor({ folder: folder.path, agent: 'test', program }, undefined, ask);
  return {
    ...door,
    [Symbol.asyncDispose]: async () => {
      await door[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

/** Runs `muster-agent ask` as a script would; settles with its output and exit code. */
async function run(door: AskDoor, ...args: string[]) {
  const env = { ...process.env, ...door.env, PATH: `${process.env['PATH']}:${door.programs}` };
  try {
    const { stdout } = await execute('muster-agent', ['ask', ...args], { env });
    return { exitCode: 0, stdout };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { exitCode: code, stdout, stderr };
  }
}

test('muster-agent ask prints the answer, and says what it asks', async () => {
  const asked: unknown[] = [];
  await using door = await open(async (question) => {
    asked.push(question);
    return 'yes';
  });
  const prompt = `It's "full". Wipe?`;
  expect(await run(door, prompt, 'yes', 'no', '--safe', 'no', '--timeout', '90s')).toEqual({
    exitCode: 0,
    stdout: 'yes\n',
  });
  expect(asked).toEqual([{ prompt, options: ['yes', 'no'], safe: 'no', deadlineMs: 90_000 }]);
});

test('each way not to get an answer has its exit code', async () => {
  let code = 'unanswered';
  await using door = await open(async () => {
    throw new TaskError(code, `it is ${code}`);
  });
  expect(await run(door, 'Go?', 'yes', 'no')).toMatchObject({
    exitCode: 3,
    stderr: 'muster-agent: it is unanswered\n',
  });
  code = 'bad_question';
  expect(await run(door, 'Go?', 'yes')).toMatchObject({ exitCode: 2 });
  code = 'too_many_questions';
  expect(await run(door, 'Go?', 'yes', 'no')).toMatchObject({ exitCode: 6 });
  expect(await run(door, 'Go?', 'yes', '--timeout', 'soon')).toMatchObject({ exitCode: 2 });
  expect(await run({ ...door, env: {} }, 'Go?', 'yes', 'no')).toMatchObject({ exitCode: 8 });
});

test('only who knows the token asks, and what is no question is refused', async () => {
  let asked = 0;
  await using door = await open(async () => {
    asked += 1;
    return 'yes';
  });
  const path = door.env['MUSTER_ASK_SOCKET'] ?? '';
  expect(
    await say(path, `${JSON.stringify({ token: 'guess', prompt: 'Go?', options: ['a', 'b'] })}\n`),
  ).toMatchObject({
    error: { code: 'forbidden' },
  });
  expect(await say(path, '{"prompt": 3}\n')).toMatchObject({ error: { code: 'bad_question' } });
  expect(await say(path, `${'x'.repeat(40_000)}`)).toMatchObject({ error: { code: 'bad_question' } });
  expect(asked).toBe(0);
});

test('who goes away before the answer withdraws the question', async () => {
  let isAsked = false;
  let gone = false;
  await using door = await open(async (_question, withdrawn) => {
    isAsked = true;
    await new Promise((resolve) => withdrawn.addEventListener('abort', resolve, { once: true }));
    gone = true;
    throw withdrawn.reason;
  });
  const socket = connect(door.env['MUSTER_ASK_SOCKET'] ?? '');
  socket.write(
    `${JSON.stringify({ token: door.env['MUSTER_ASK_TOKEN'], prompt: 'Go?', options: ['a', 'b'] })}\n`,
  );
  await until('it is asked', () => isAsked);
  socket.destroy();
  await until('the question is withdrawn', () => gone);
});

test('the folder is of mode 0700, and gone afterwards', async () => {
  const door = await open(async () => 'yes');
  expect(statSync(door.programs).mode & 0o777).toBe(0o700);
  expect(statSync(door.env['MUSTER_ASK_SOCKET'] ?? '').mode & 0o777).toBe(0o600);
  await door[Symbol.asyncDispose]();
  expect(existsSync(door.programs)).toBe(false);
});

/** Settles with the reply to these bytes. */
function say(path: string, text: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => socket.write(text));
    let reply = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      reply += chunk;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(JSON.parse(reply)));
  });
}
