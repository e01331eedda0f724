import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLogger } from '../../shared/node/logger.ts';
import { ChatServer } from '../../test/harness/chat-server.ts';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { openModel } from './open-model.ts';

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder('model');
});
afterEach(() => folder[Symbol.dispose]());

const never = new AbortController().signal;

/** The authorization that a model opened so sends. */
async function authorization(file: string | undefined, env: NodeJS.ProcessEnv) {
  await using server = await ChatServer.start([{ text: 'Hello.' }]);
  const place = {
    base_url: server.url,
    model: 'scripted',
    api_key_file: file,
    timeout_seconds: 5,
    max_output_tokens: 64,
    stream: false,
  };
  const model = await openModel(place, env, silentLogger());
  await model.ask([{ role: 'user', text: 'Hello?' }], [], never);
  return server.requests[0]?.authorization;
}

function keyFile(name: string, text: string): string {
  const file = join(folder.path, name);
  writeFileSync(file, text);
  return file;
}

test('the key is read from the file, else from what systemd hands over', async () => {
  const file = keyFile('key', 'from-file\n');
  keyFile('assistant-api-key', 'from-systemd');
  const env = { CREDENTIALS_DIRECTORY: folder.path };
  expect(await authorization(file, env)).toBe('Bearer from-file');
  expect(await authorization(undefined, env)).toBe('Bearer from-systemd');
});

test('without a key none of another program is taken', async () => {
  process.env['OPENAI_API_KEY'] = 'of-another-program';
  try {
    expect(await authorization(undefined, {})).toBe('Bearer none');
  } finally {
    delete process.env['OPENAI_API_KEY'];
  }
});

test('a file that is missing, or holds no key, is told by name and not by content', async () => {
  const missing = join(folder.path, 'missing');
  await expect(authorization(missing, {})).rejects.toThrow(missing);
  const two = keyFile('two', 'first\nsecond');
  const failure = authorization(two, {});
  await expect(failure).rejects.toThrow(`${two} holds no key`);
  await expect(failure).rejects.not.toThrow('second');
});
