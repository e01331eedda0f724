import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { pluginContract } from '../shared/node/plugin-contract.ts';
import { PluginManifest } from '../shared/plugin.ts';
import { lacks } from './harness/not-tested.ts';
import { projectRoot } from './harness/source-files.ts';

const folder = join(projectRoot, 'plugins/netdiag');
const manifest = PluginManifest.parse(JSON.parse(readFileSync(join(folder, 'plugin.json'), 'utf8')));

/** Asks the program of the example; returns its last line, held against its own schema. */
async function ask(type: string, given: object): Promise<Record<string, unknown>> {
  const { parameters, result } = pluginContract(manifest, type);
  const program = spawn(process.execPath, [join(folder, 'netdiag.js')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const request = { op: 'run', task: 'aB3dE6gH', task_type: type, parameters: parameters.parse(given) };
  program.stdin.end(`${JSON.stringify(request)}\n`);
  const said = (await text(program.stdout)).trim().split('\n');
  const last = JSON.parse(said.at(-1) ?? '') as { result?: unknown; error?: Record<string, unknown> };
  return last.error ?? (result.parse(last.result) as Record<string, unknown>);
}

test('PORTS tells open ones from closed ones', async () => {
  const [open, closed] = [createServer().listen(0, '127.0.0.1'), createServer().listen(0, '127.0.0.1')];
  await Promise.all([once(open, 'listening'), once(closed, 'listening')]);
  const ports = [open, closed].map((server) => (server.address() as AddressInfo).port);
  closed.close();
  const { ports: found } = await ask('PORTS', { host: '127.0.0.1', ports });
  open.close();
  expect(found).toMatchObject([{ state: 'open' }, { state: 'closed' }]);
});

test('PORTS of a name that has no address fails', async () => {
  expect(await ask('PORTS', { host: 'nothing.invalid', ports: [1] })).toMatchObject({ code: 'name_unknown' });
});

test('LOOKUP that nobody answers fails with the reason', async () => {
  expect(await ask('LOOKUP', { name: 'example.invalid', server: '127.0.0.1' })).toMatchObject({
    code: expect.stringMatching(/^[a-z_]+$/),
    message: expect.stringContaining('A of example.invalid'),
  });
});

test.skipIf(lacks('ip') !== undefined)('ROUTE says the way of an address', async () => {
  expect(await ask('ROUTE', { address: '127.0.0.1' })).toEqual({
    ...{ address: '127.0.0.1', interface: 'lo', gateway: null, source: '127.0.0.1' },
  });
  expect(await ask('ROUTE', { address: '1.2.3.4.5' })).toMatchObject({ code: 'no_route' });
});

test.skipIf(lacks('ping') !== undefined)('TRACEROUTE ends at the host', async () => {
  expect(await ask('TRACEROUTE', { host: '127.0.0.1', max_hops: 3 })).toMatchObject({
    ...{ reached: true, hops: [{ hop: 1, address: '127.0.0.1' }] },
  });
  expect(await ask('TRACEROUTE', { host: 'nothing.invalid', max_hops: 3 })).toMatchObject({
    code: 'ping_failed',
  });
});
