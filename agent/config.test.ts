import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../test/harness/temporary-folder.ts';
import { readConfig } from '../shared/node/config-file.ts';
import { AgentConfigFile, defaultAgentConfig } from './config.ts';

async function read(
  text: string | undefined,
  more: { env?: Record<string, string>; parts?: Record<string, string> } = {},
) {
  using folder = temporaryFolder('config-file');
  const file = join(folder.path, 'agent.yaml');
  if (text !== undefined) writeFileSync(file, text);
  if (more.parts) mkdirSync(join(folder.path, 'agent.conf.d'));
  for (const [name, part] of Object.entries(more.parts ?? {})) {
    writeFileSync(join(folder.path, 'agent.conf.d', name), part);
  }
  return await readConfig({
    schema: AgentConfigFile,
    file,
    mustExist: text !== undefined,
    prefix: 'MUSTER_AGENT',
    env: more.env ?? {},
    notConfig: ['MUSTER_AGENT_DATA'],
  });
}

test('without a file everything has its default', async () => {
  const { version: _version, ...defaults } = defaultAgentConfig;
  expect(await read(undefined)).toEqual(defaults);
  expect(await read('# nothing yet\n')).toEqual(defaults);
});

test('file, then parts in order of name, then environment: the last word counts, key by key', async () => {
  const config = await read('log_level: warn\nslots:\n  script: 3\n  read: 8\n', {
    parts: {
      '20-b.yaml': 'slots: { script: 5 }\n',
      '10-a.yaml': 'slots: { script: 4 }\ndrain_seconds: 1\n',
      'note.txt': 'ignored',
    },
    env: {
      MUSTER_AGENT_LOG_LEVEL: 'debug',
      MUSTER_AGENT_POLICY__TASK_TYPES: '[PING, SCRIPT]',
      MUSTER_AGENT_DATA: '/data',
    },
  });
  expect(config).toMatchObject({
    log_level: 'debug',
    drain_seconds: 1,
    slots: { script: 5, read: 8, exclusive: 1 },
    policy: { task_types: ['PING', 'SCRIPT'] },
  });
});

test.each([
  ['an unknown key', 'log_level: info\nlogg_level: info\n', /agent\.yaml:2: unknown key logg_level/],
  [
    'an unknown key inside',
    'slots:\n  script: 1\n  scripts: 2\n',
    /agent\.yaml:3: unknown key slots\.scripts/,
  ],
  ['a value of wrong shape', '\n\nslots:\n  script: many\n', /agent\.yaml:4: slots\.script: .*number/],
  [
    'an unknown word in a list',
    'policy:\n  task_types:\n    - PING\n    - DANCE\n',
    /agent\.yaml:2: policy\.task_types\.1/,
  ],
  ['text that is no YAML', 'a: [1\n', /agent\.yaml:\d+: /],
  ['a list instead of keys', '- a\n', /expected keys and values/],
])('%s is told with file and line', async (_what, text, message) => {
  await expect(read(text)).rejects.toThrow(message);
});

test('a problem in a part or a variable names that part or that variable', async () => {
  await expect(read('', { parts: { 'x.yaml': 'a: 1\n' } })).rejects.toThrow(
    /conf\.d\/x\.yaml:1: unknown key a/,
  );
  await expect(read('', { env: { MUSTER_AGENT_LOG_LEVL: 'info' } })).rejects.toThrow(
    /variable MUSTER_AGENT_LOG_LEVL: unknown key/,
  );
});

test('a file that was named must exist', async () => {
  await expect(
    readConfig({
      schema: AgentConfigFile,
      file: '/does/not/exist.yaml',
      mustExist: true,
      prefix: 'X',
      env: {},
      notConfig: [],
    }),
  ).rejects.toThrow('/does/not/exist.yaml: cannot be read');
});
