import { expect, test } from 'vitest';
import { FakeController, paged, refused } from './testing/fake-controller.ts';
import { runMuster } from './testing/run-muster.ts';
import { sampleTask } from './testing/samples.ts';

test('prints its version, as text and as JSON', async () => {
  const text = await runMuster(['version']);
  expect(text).toMatchObject({ exitCode: 0, stderr: '' });
  expect(text.stdout).toMatch(/^muster \d+\.\d+\.\d+\n$/);
  expect(JSON.parse((await runMuster(['version', '--json'])).stdout)).toHaveProperty('version');
});

test('a wrong command line ends with 2 and a suggestion, on stderr', async () => {
  const { exitCode, stdout, stderr } = await runMuster(['task', 'lst']);
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  expect(stderr).toBe("muster: unknown command 'lst'\nDid you mean list?\n");
  expect(await runMuster(['task', 'list', '--stauts', 'FAILED'])).toMatchObject({
    exitCode: 2,
    stderr: "muster: unknown option '--stauts'\nDid you mean --status?\n",
  });
});

test.each([
  [['webhook', 'create'], 'add'],
  [['question', 'describe'], 'show'],
  [['device', 'delete'], 'remove'],
  [['schedule', 'rm'], 'delete'],
  [['variable', 'add'], 'set'],
  [['enrolment-token', 'remove'], 'revoke'],
  [['run', 'reboot'], 'restart'],
])('who knows %j by another word is told ours', async (args, ours) => {
  const { exitCode, stderr } = await runMuster(args);
  expect({ exitCode, stderr }).toEqual({
    exitCode: 2,
    stderr: `muster: unknown command '${args[1] ?? ''}'\nDid you mean ${ours}?\n`,
  });
});

test('a wrong command line without a suggestion names the help of its command', async () => {
  const { exitCode, stderr } = await runMuster(['task', 'list', '--per-page', '500']);
  expect(exitCode).toBe(2);
  expect(stderr).toMatch(/from 1 to 100\nSee: muster help task list\n$/);
});

test('a group without a command prints its help on stderr and ends with 2', async () => {
  const { exitCode, stdout, stderr } = await runMuster(['task']);
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  expect(stderr).toContain('watch');
});

test('help says what restart and plugin-reload do', async () => {
  expect((await runMuster(['run', 'restart', '--help'])).stdout).toMatch(/Reboot the device/);
  expect((await runMuster(['help', 'run', 'plugin-reload'])).stdout).toMatch(/Restart the Muster agent/);
});

test('completion offers commands, options and their words', async () => {
  const words = async (...typed: string[]) => (await runMuster(['complete', '--', ...typed])).stdout;
  expect(await words('')).toMatch(/^task\t/m);
  expect(await words('run', 'plug')).toMatch(/^plugin-reload\t/m);
  expect(await words('task-type', 'describe', 'PI')).toMatch(/^PING/m);
  expect(await words('task', 'list', '--stat')).toMatch(/^--status\t/m);
  expect(await words('task', 'list', '--status', 'IN')).toMatch(/^IN_PROGRESS/m);
  expect(await words('backup', 'ver')).toMatch(/^verify\t/m);
  expect(await words('backup', 'config', 's')).toMatch(/^set\t/m);
  expect(await words('sync', 'apply', '--on-drift', '')).toMatch(/^overwrite/m);
  expect(await words('sync', 'status', '--drift-status', 'NEV')).toMatch(/^NEVER_SYNCED/m);
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { exitCode, stdout } = await runMuster(['completion', shell]);
    expect({ shell, exitCode }).toEqual({ shell, exitCode: 0 });
    expect(stdout).toContain('muster complete --');
  }
  expect((await runMuster(['completion', 'tcsh'])).exitCode).toBe(2);
});

test.each([
  [400, 'bad_request', 2],
  [401, 'not_authenticated', 4],
  [403, 'forbidden', 4],
  [404, 'not_found', 5],
  [409, 'not_cancellable', 6],
  [422, 'invalid_parameters', 2],
  [422, 'unresolved_targets', 5],
  [500, 'internal', 1],
])('an answer %i %s ends with %i and the controller’s own sentence', async (status, code, exitCode) => {
  await using controller = await FakeController.start();
  controller.on('GET /api/v1/tasks/aB3dE6gH', refused(status, code, 'Task aB3dE6gH is a sentence'));
  const told = await runMuster(['task', 'describe', 'aB3dE6gH'], { url: controller.url });
  expect(told).toMatchObject({ exitCode, stdout: '' });
  expect(told.stderr).toMatch(/^muster: Task aB3dE6gH is a sentence \(request request-1\)\n/);
});

test('with --json an error is JSON too', async () => {
  await using controller = await FakeController.start();
  controller.on('GET /api/v1/tasks/aB3dE6gH', refused(404, 'not_found', 'There is none', { why: 'so' }));
  const { stderr, exitCode } = await runMuster(['task', 'describe', 'aB3dE6gH', '--json'], {
    url: controller.url,
  });
  expect(JSON.parse(stderr)).toEqual({
    error: 'There is none',
    code: 'not_found',
    detail: { why: 'so' },
    request_id: 'request-1',
    exit_code: exitCode,
  });
  expect(JSON.parse((await runMuster(['tsk', '-f', 'json'])).stderr)).toMatchObject({
    code: 'usage',
    exit_code: 2,
  });
});

test('a controller that is not there is named, and ends with 8', async () => {
  const controller = await FakeController.start();
  await controller.close();
  const { exitCode, stderr } = await runMuster(['task', 'list', '--url', 'http://127.0.0.1:1234']);
  expect(exitCode).toBe(8);
  expect(stderr).toContain('http://127.0.0.1:1234: connection refused');
});

test('says what to do without a token', async () => {
  await using controller = await FakeController.start();
  controller.on('GET /api/v1/auth/me', refused(401, 'not_authenticated', 'No token came'));
  const { stderr } = await runMuster(['auth', 'me'], { url: controller.url, env: { MUSTER_TOKEN: '' } });
  expect(stderr).toContain('MUSTER_TOKEN');
  expect(controller.seen[0]?.headers.authorization).toBeUndefined();
});

test('something that is no controller is told as such', async () => {
  await using controller = await FakeController.start();
  controller.on('GET /api/v1/auth/me', { body: { hello: 'world' } });
  const { exitCode, stderr } = await runMuster(['auth', 'me'], { url: controller.url });
  expect(exitCode).toBe(1);
  expect(stderr).toContain('not understood');
});

test('waits as long as a busy controller asks, and tries again', async () => {
  await using controller = await FakeController.start();
  let busy = true;
  controller.on('GET /api/v1/tasks', ({ query }) => {
    if (!busy) return { body: paged([sampleTask()], query) };
    busy = false;
    return refused(429, 'too_many_requests', 'Slow down', { retry_after_ms: 10 });
  });
  expect(await runMuster(['task', 'list', '-q'], { url: controller.url })).toMatchObject({
    exitCode: 0,
    stdout: 'aB3dE6gH\n',
  });
});

test('flags go before environment, environment before defaults', async () => {
  await using controller = await FakeController.start();
  controller.on('GET /api/v1/tasks', ({ query }) => ({ body: paged([], query) }));
  const env = { MUSTER_ORGANIZATION: 'from-environment', MUSTER_OUTPUT_FORMAT: 'json' };
  const { stdout } = await runMuster(['task', 'list'], { url: controller.url, env });
  expect(stdout).toBe('[]\n');
  await runMuster(['task', 'list', '-o', 'from-flag'], { url: controller.url, env });
  await runMuster(['task', 'list'], { url: controller.url });
  expect(controller.requests('GET /api/v1/tasks').map(({ query }) => query.organization)).toEqual([
    'from-environment',
    'from-flag',
    'default',
  ]);
});
