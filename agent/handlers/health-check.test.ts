import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { freePort } from '../../test/harness/free-port.ts';
import { TaskError } from '../../shared/errors.ts';
import { systemClock } from '../../shared/node/system-clock.ts';
import { HealthCheck } from '../../shared/task-types/health-check.ts';
import { createFacts } from '../system/facts.ts';
import { probes } from '../system/probes/probes.ts';
import { type DummyContext, dummyContext } from './dummy-context.ts';
import { healthCheck } from './health-check.ts';

type Given = Record<string, unknown>;

const start = (checks: Given[] | undefined, context: DummyContext) =>
  healthCheck.run(HealthCheck.parameters.parse(checks ? { checks } : {}), context);

const run = async (checks: Given[] | undefined, context: DummyContext) =>
  HealthCheck.result.parse(await context.clock.through(start(checks, context)));

/** Every kind of check once. */
const every: Given[] = [
  { check: 'disk' },
  { check: 'memory' },
  { check: 'load' },
  { check: 'service', unit: 'nginx' },
  { check: 'tcp', host: '10.0.0.1', port: 53 },
  { check: 'http', url: 'http://10.0.0.1/health' },
  { check: 'certificate', host: 'fd00::1' },
  { check: 'dns', name: 'edge.test', server: '10.0.0.1' },
  { check: 'ntp', server: '10.0.0.1' },
];

test('a healthy machine passes every check, in the order they were asked', async () => {
  const context = dummyContext();
  context.system.services.run('nginx');
  const result = await run(every, context);
  expect(result.verdict).toBe('pass');
  expect(result.facts).toMatchObject({ hostname: 'dummy' });
  expect(result.checks.map(({ name, verdict }) => `${verdict} ${name}`)).toEqual([
    'pass disk /',
    'pass memory',
    'pass load',
    'pass service nginx',
    'pass tcp 10.0.0.1:53',
    'pass http http://10.0.0.1/health',
    'pass certificate [fd00::1]:443',
    'pass dns edge.test at 10.0.0.1',
    'pass ntp 10.0.0.1:123',
  ]);
  expect(context.progresses.at(-1)).toMatchObject({ percent: 100 });
  expect(context.lines).toHaveLength(9);
});

test('without a list it checks disk, memory and load', async () => {
  const { checks } = await run(undefined, dummyContext());
  expect(checks.map(({ check }) => check)).toEqual(['disk', 'memory', 'load']);
});

test.each<[string, Given, (context: DummyContext) => void, 'warn' | 'fail', RegExp]>([
  [
    'a disk at the warning',
    { check: 'disk' },
    ({
      system: {
        probes: { answers },
      },
    }) => {
      answers.disk.usedPercent = 80;
    },
    'warn',
    /80 % used/,
  ],
  [
    'a full disk',
    { check: 'disk' },
    ({
      system: {
        probes: { answers },
      },
    }) => {
      answers.disk.usedPercent = 99.96;
    },
    'fail',
    /100 % used/,
  ],
  ['memory', { check: 'memory', warn_percent: 40 }, () => undefined, 'warn', /50 % used, 1024 of 2048 MiB/],
  [
    'load',
    { check: 'load' },
    ({
      system: {
        probes: { answers },
      },
    }) => {
      answers.load.load5 = 8;
    },
    'fail',
    /on 2 processors/,
  ],
  [
    'a failed service',
    { check: 'service', unit: 'nginx' },
    ({ system }) => system.services.fail('nginx'),
    'fail',
    /failed \(failed\)/,
  ],
  ['an unknown service', { check: 'service', unit: 'nginx' }, () => undefined, 'fail', /no unit nginx/],
  [
    'an HTTP error',
    { check: 'http', url: 'http://a/' },
    ({
      system: {
        probes: { answers },
      },
    }) => {
      answers.http.status = 503;
    },
    'fail',
    /503.*expected less than 400/,
  ],
  [
    'another status',
    { check: 'http', url: 'http://a/', expect_status: 204 },
    () => undefined,
    'fail',
    /expected 204/,
  ],
  [
    'a certificate that ends soon',
    { check: 'certificate', host: 'a' },
    ({
      clock,
      system: {
        probes: { answers },
      },
    }) => {
      answers.certificate.expiresAt = clock.now() + 20 * 86_400_000;
    },
    'warn',
    /expires in 20 days/,
  ],
  [
    'an expired certificate',
    { check: 'certificate', host: 'a' },
    ({
      clock,
      system: {
        probes: { answers },
      },
    }) => {
      answers.certificate.expiresAt = clock.now() - 86_400_000;
    },
    'fail',
    /expired 1 days ago/,
  ],
  [
    'an untrusted certificate',
    { check: 'certificate', host: 'a' },
    ({
      system: {
        probes: { answers },
      },
    }) => {
      answers.certificate.trusted = false;
    },
    'warn',
    /not trusted/,
  ],
  [
    'another address',
    { check: 'dns', name: 'a', expect_address: '10.9.9.9' },
    () => undefined,
    'fail',
    /answered 192.0.2.1, expected 10.9.9.9/,
  ],
  [
    'a clock behind',
    { check: 'ntp', server: 'a' },
    ({
      system: {
        probes: { answers },
      },
    }) => {
      answers.ntp.offsetMs = 100;
    },
    'warn',
    /100 ms behind/,
  ],
  [
    'a clock far ahead',
    { check: 'ntp', server: 'a' },
    ({
      system: {
        probes: { answers },
      },
    }) => {
      answers.ntp.offsetMs = -5000;
    },
    'fail',
    /5000 ms ahead/,
  ],
])('%s is found', async (_name, check, arrange, verdict, message) => {
  const context = dummyContext();
  arrange(context);
  const result = await run([check], context);
  expect(result.checks[0]).toMatchObject({ verdict, message: expect.stringMatching(message) });
  expect(result.verdict).toBe(verdict);
});

test('what cannot be measured fails with the reason, and the others are still judged', async () => {
  const context = dummyContext();
  context.system.probes.failing.set('disk', new TaskError('path_missing', '/data does not exist'));
  const result = await run([{ check: 'disk', path: '/data' }, { check: 'load' }], context);
  expect(result.verdict).toBe('fail');
  expect(result.checks).toMatchObject([
    { verdict: 'fail', message: '/data does not exist', measured: {} },
    { verdict: 'pass' },
  ]);
});

test.each(['tcp', 'disk'] as const)('a %s that gives no answer fails at its time-out', async (probe) => {
  const context = dummyContext();
  context.system.probes.hanging.add(probe);
  const check =
    probe === 'tcp' ? { check: 'tcp', host: 'a', port: 1, timeout_seconds: 2 } : { check: 'disk' };
  const result = await run([check], context);
  expect(result.checks[0]).toMatchObject({
    verdict: 'fail',
    message: `there was no answer within ${probe === 'tcp' ? 2 : 10} s`,
    duration_ms: probe === 'tcp' ? 2000 : 10_000,
  });
});

test('measures eight at a time', async () => {
  const context = dummyContext();
  context.system.probes.takesMs = 1000;
  const checks = Array.from({ length: 20 }, () => ({ check: 'load' }));
  await run(checks, context);
  expect(context.clock.monotonic()).toBe(3000);
});

test('facts that cannot be collected do not cost the verdicts', async () => {
  const context = dummyContext();
  context.system.facts.collect = () => Promise.reject(new Error('no /proc'));
  const result = await run([{ check: 'load' }], context);
  expect(result).toMatchObject({ verdict: 'pass', facts: {} });
  expect(context.lines[0]).toBe('agent: facts could not be collected: no /proc');
});

test('a cancel request ends it in the middle', async () => {
  const context = dummyContext();
  context.system.probes.hanging.add('tcp');
  const running = start([{ check: 'tcp', host: 'a', port: 1 }], context);
  await context.clock.advance(100);
  context.abort(new TaskError('cancelled', 'cancelled by somebody'));
  await expect(running).rejects.toMatchObject({ code: 'cancelled' });
});

test('the real machine is measured', async () => {
  const server = createServer((_request, response) => response.end('well')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const closed = await freePort();
  const context = dummyContext();
  Object.assign(context.system, { probes, facts: createFacts() });
  const checks: Given[] = [
    { check: 'disk', path: '/', warn_percent: 100, fail_percent: 100 },
    { check: 'memory', warn_percent: 100, fail_percent: 100 },
    { check: 'load', warn_per_cpu: 1000, fail_per_cpu: 1000 },
    { check: 'tcp', host: '127.0.0.1', port },
    { check: 'http', url: `http://127.0.0.1:${port}/` },
    { check: 'tcp', host: '127.0.0.1', port: closed },
  ];
  const result = HealthCheck.result.parse(
    await start(checks, Object.assign(context, { clock: systemClock })),
  );
  expect(result.checks.map(({ verdict }) => verdict)).toEqual([
    'pass',
    'pass',
    'pass',
    'pass',
    'pass',
    'fail',
  ]);
  expect(result.checks.at(-1)?.message).toContain('refused');
  server.close();
});
