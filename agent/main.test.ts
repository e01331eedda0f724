import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runProgram } from '../test/harness/program.ts';
import { temporaryFolder } from '../test/harness/temporary-folder.ts';

test('prints its version', async () => {
  expect(await runProgram('agent', ['version'])).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^muster-agent \d+\.\d+\.\d+\n$/),
  });
});

test.each([
  ['an unknown command', ['dance'], /unknown command 'dance'/],
  ['an unknown option', ['start', '--fast'], /unknown option '--fast'/],
  ['no token', ['enrol', '--data', '/nowhere'], /enrolment token/],
  ['a name no device can have', ['enrol', 'me1.x', '--name', 'a b'], /a b cannot be the name of a device/],
  ['no address', ['enrol', 'me1.x', '--url', 'ftp://x'], /not an http or https address/],
])('%s is a usage error', async (_what, args, message) => {
  const { exitCode, stderr } = await runProgram('agent', args);
  expect(stderr).toMatch(message);
  expect(exitCode).toBe(2);
});

test('checks and shows its configuration', async () => {
  using folder = temporaryFolder('agent-config');
  const file = join(folder.path, 'agent.yaml');
  writeFileSync(file, 'policy:\n  task_types: [PING]\n');
  expect(await runProgram('agent', ['config', 'check', '--config', file])).toMatchObject({ exitCode: 0 });
  const { stdout } = await runProgram('agent', ['config', 'show', '--config', file, '-f', 'json'], {
    env: { MUSTER_AGENT_DRAIN_SECONDS: '3' },
  });
  expect(JSON.parse(stdout)).toMatchObject({ policy: { task_types: ['PING'] }, drain_seconds: 3 });

  writeFileSync(file, 'policy:\n  task_tips: [PING]\n');
  const { exitCode, stderr } = await runProgram('agent', ['config', 'check', '--config', file]);
  expect(stderr).toContain(`${file}:2: unknown key policy.task_tips`);
  expect(exitCode).toBe(2);
});

test('a device that did not enrol is told how to', async () => {
  using folder = temporaryFolder('agent-main');
  const { exitCode, stderr } = await runProgram('agent', ['start', '--data', folder.path]);
  expect(stderr).toMatch(/not enrolled.*muster-agent enrol TOKEN/);
  expect(exitCode).toBe(1);
});
