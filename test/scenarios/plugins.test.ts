import { chmodSync, cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { minisignHash, minisignPublicKey, signMinisign } from '../../shared/node/minisign.ts';
import { buildPlugin } from '../../systemd/package/plugin.ts';
import { Cluster } from '../harness/cluster.ts';
import { confinementMissing } from '../harness/confinement.ts';
import { releaseSigner } from '../harness/signed-release.ts';
import { projectRoot } from '../harness/source-files.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { until } from '../harness/until.ts';

const withoutConfinement = confinementMissing('a plugin from its package to its result');

/** The way of an operator: a plugin is added, tried, promoted, run, and taken away, all by the CLI. */
let cluster: Cluster;
let archive: string;
const folder = temporaryFolder('plugins');

beforeAll(async () => {
  chmodSync(folder.path, 0o755); // plugins run as somebody else
  const publicKey = minisignPublicKey(releaseSigner).trim().split('\n').at(-1) ?? '';
  const controller = join(folder.path, 'controller.json');
  writeFileSync(controller, JSON.stringify({ releases: { public_keys: [publicKey] } }));
  cluster = await Cluster.create('plugins', { startArguments: ['--config', controller] });
  for (const name of ['fw-1', 'bare']) {
    const agent = join(folder.path, `${name}.json`);
    const releases = { folder: join(folder.path, `${name}-releases`), public_keys: [publicKey] };
    writeFileSync(agent, JSON.stringify({ releases, policy: { plugin_users: ['nobody'] } }));
    await cluster.join(name, { startArguments: ['--config', agent] });
  }
  archive = packed();
}, 120_000);
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

/** The example, as a user that every machine has. */
function packed(): string {
  const source = join(folder.path, 'netdiag');
  cpSync(join(projectRoot, 'plugins', 'netdiag'), source, { recursive: true });
  const file = join(source, 'plugin.json');
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  writeFileSync(file, JSON.stringify({ ...manifest, user: 'nobody' }));
  const out = folder.path;
  const { release, manifest: signed } = buildPlugin({ folder: source, platform: 'any', floor: '0.0.0', out });
  const digest = minisignHash().update(readFileSync(release)).digest();
  const comment = readFileSync(signed, 'utf8').trim();
  writeFileSync(`${release}.minisig`, signMinisign(digest, comment, releaseSigner));
  return release;
}

async function muster(args: string[], expected = 0): Promise<string> {
  const { exitCode, stdout, stderr } = await cluster.muster(args);
  expect({ args, exitCode, stderr: exitCode === expected ? '' : stderr }).toEqual({
    args,
    exitCode: expected,
    stderr: '',
  });
  return expected === 0 ? stdout : stderr;
}
const typesOf = async (device: string): Promise<string[]> =>
  (await cluster.controller.call('GET', cluster.devicePath(device)))['task_types'] as string[];

const ports = ['run', 'task', 'NETDIAG.PORTS', '--param', 'host=127.0.0.1'];

test.skipIf(withoutConfinement)(
  'a plugin is added, installed, run, scheduled, removed and yanked',
  async () => {
    const open = String(cluster.controller.port);
    expect(await muster([...ports, '--param', 'ports=1', '--device', 'fw-1'], 5)).toContain(
      'There is no task type NETDIAG.PORTS in this organization',
    );
    expect(await muster(['release', 'add', archive])).toContain('netdiag');
    expect(await muster(['task-type', 'list'])).toMatch(/NETDIAG\.PORTS .*netdiag 1\.0\.0/);
    expect(await muster(['task-type', 'describe', 'NETDIAG.PORTS'])).toMatch(
      /wait_ms .*integer 100 to 30000 .*3000/,
    );
    expect(await muster([...ports, '--param', `ports=${open}`, '--device', 'fw-1'], 2)).toContain(
      'the plugin netdiag is not installed there: muster run plugin-install netdiag',
    );

    expect(await muster(['run', 'plugin-install', 'netdiag', '--device', 'fw-1'], 5)).toContain('promote');
    await muster(['run', 'plugin-install', 'netdiag', '--version', '1.0.0', '--device', 'fw-1', '--wait']);
    await until('the device says so', async () => (await typesOf('fw-1')).includes('NETDIAG.PORTS'));
    await muster(['release', 'promote', 'netdiag@1.0.0']);
    expect(await muster(['device', 'describe', 'fw-1', '--json'])).toContain('"netdiag": "1.0.0"');

    const wanted = ['--param', `ports=${open}`, '--param', 'ports=1', '--wait', '--json'];
    const {
      tasks: [done],
    } = JSON.parse(await muster([...ports, ...wanted, '--device', 'fw-1'])) as {
      tasks: [{ type: string; result: { ports: { port: number; state: string }[] } }];
    };
    expect(done.type).toBe('NETDIAG.PORTS');
    expect(done.result.ports.map(({ state }) => state)).toEqual(['open', 'closed']);
    expect(await muster([...ports, '--param', 'ports=0', '--device', 'fw-1'], 2)).toContain('ports.0');
    expect(await muster([...ports, '--param', 'ports=1', '--all', '--dry-run', '-q'])).toBe('fw-1\n');

    await muster(['schedule', 'create', 'nightly', '--cron', '0 3 * * *']);
    await muster([...ports, '--param', 'ports=1', '--device', 'fw-1', '--schedule', 'nightly']);
    await muster(['schedule', 'run', 'nightly']);
    const count = (await muster(['task', 'list', '--type', 'netdiag.ports', '-q'])).trim().split('\n').length;
    expect(count).toBe(2);

    await muster(['run', 'plugin-remove', 'netdiag', '--device', 'fw-1', '--wait']);
    await until('it is gone there', async () => !(await typesOf('fw-1')).includes('NETDIAG.PORTS'));
    await muster(['release', 'yank', 'netdiag@1.0.0', '--yes']);
    expect(await muster(['task-type', 'list', '-q'])).not.toContain('NETDIAG');
  },
  120_000,
);
