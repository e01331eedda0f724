import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cluster } from '../harness/cluster.ts';
import { runProgram } from '../harness/program.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.create('start-up');
});
afterAll(() => cluster[Symbol.asyncDispose]());

const file = (name: string, text: string): string => {
  const path = join(cluster.folder, name);
  writeFileSync(path, text);
  return path;
};

/** Ends by itself, soon, with exit code 1 or 2, and says it on stderr in a few lines without a stack. */
async function refusesToStart(program: 'controller' | 'agent', args: string[]): Promise<string> {
  const { exitCode, stderr, stdout } = await runProgram(program, args, { timeoutMs: 15_000 });
  expect([1, 2], `${stdout}${stderr}`).toContain(exitCode);
  expect(stderr).not.toMatch(/\n\s+at .*:\d+/);
  expect(stderr.trim().split('\n').length).toBeLessThan(8);
  return stderr;
}

test('a controller without data says how to make them', async () => {
  const empty = join(cluster.folder, 'empty');
  mkdirSync(empty);
  expect(await refusesToStart('controller', ['start', '--data', empty])).toMatch(/init/);
});

test('a second controller on the same port says that it is taken', async () => {
  const { folder, port } = cluster.controller;
  const other = join(cluster.folder, 'second');
  await runProgram('controller', ['init', '--data', other]);
  const said = await refusesToStart('controller', [
    'start',
    '--data',
    other,
    '--listen',
    `127.0.0.1:${port}`,
  ]);
  expect(said).toContain(String(port));
  expect(folder).not.toBe(other);
});

test('init on existing data changes nothing and says so', async () => {
  const said = await refusesToStart('controller', ['init', '--data', cluster.controller.folder]);
  expect(said).toMatch(/already/i);
});

test('plain HTTP beyond loopback is refused unless asked for', async () => {
  const said = await refusesToStart('controller', [
    'start',
    '--data',
    cluster.controller.folder,
    '--listen',
    '0.0.0.0:0',
  ]);
  expect(said).toMatch(/loopback|plain|http/i);
});

test.each([
  ['a key that does not exist', 'lisen: 127.0.0.1:1\n', /lisen/],
  ['text that is no YAML', 'listen: [1\n', /line|yaml/i],
  ['a value of wrong shape', 'listen: true\n', /listen/],
])('a controller refuses a config file with %s, and names file and place', async (_name, text, says) => {
  const path = file('controller.yaml', text);
  const { folder } = cluster.controller;
  const said = await refusesToStart('controller', ['start', '--data', folder, '--config', path]);
  expect(said).toContain('controller.yaml');
  expect(said).toMatch(says);
});

test('an agent that did not enrol says how to', async () => {
  const empty = join(cluster.folder, 'no-agent');
  mkdirSync(empty);
  expect(await refusesToStart('agent', ['start', '--data', empty])).toMatch(/enrol/);
});

test('an agent refuses a config file with a key that does not exist', async () => {
  const agent = await cluster.enrolled('wrong-config');
  const path = file('agent.yaml', 'task_typos: [PING]\n');
  const said = await refusesToStart('agent', ['start', '--data', agent.folder, '--config', path]);
  expect(said).toContain('agent.yaml');
  expect(said).toContain('task_typos');
});

test('a second agent on the same data says that one runs already', async () => {
  const agent = await cluster.join('twice');
  const said = await refusesToStart('agent', ['start', '--data', agent.folder, '--dummy']);
  expect(said).toMatch(/already|another|lock/i);
  expect(agent.program.isAlive).toBe(true);
});
