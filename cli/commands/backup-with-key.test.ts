import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { until } from '../../test/harness/until.ts';
import type { RestoreRequest } from '../../shared/api/sync.ts';
import { ageDecrypt, generateAgeKeys } from '../../shared/node/age.ts';
import { generateKeyPair, keyFingerprint } from '../../shared/node/keys.ts';
import { sampleSyncResult } from '../testing/configuration-samples.ts';
import { FakeController } from '../testing/fake-controller.ts';
import { hasTerminals, runMuster, startOnTerminal } from '../testing/run-muster.ts';
import { sampleAnswer, sampleDevice, sampleTask } from '../testing/samples.ts';
import { collect, once, sealArchive, sha256 } from '../testing/sealed-archive.ts';
import type { SampleFile, SealedArchive } from '../testing/sealed-archive.ts';

const home = '/api/v1/organizations/default';
const one = `${home}/backups/Ab12Cd34`;
const restores = `POST ${home}/restores`;

const interfaces = 'auto eth0\niface eth0 inet dhcp\n# veth0 stays\n';
const secret = '[Interface]\nPrivateKey = canary-7f3a\n';
const files: SampleFile[] = [
  { path: '/etc/network/interfaces', text: interfaces, unit: 'interfaces' },
  { path: '/etc/wireguard/wg0.conf', text: secret, unit: 'wireguard', mode: '0600' },
  { path: '/etc/motd', text: Buffer.from('eth0 \xff', 'latin1'), unit: 'files' },
  { path: '/etc/muster/agent.yaml', text: 'log_level: info\n', unit: 'files' },
  { path: '/srv/more', text: 'x', unit: null },
];

let controller: FakeController;
let sealed: SealedArchive;
let device: Awaited<ReturnType<typeof generateAgeKeys>>;
let keyFile: string;
beforeEach(async () => {
  controller = await FakeController.start();
  sealed = await sealArchive(files);
  device = await generateAgeKeys();
  const folder = temporaryFolder('cli-escrow');
  keyFile = join(folder.path, 'escrow.key');
  writeFileSync(keyFile, `# escrow\n${sealed.keys.identity}\n`, { mode: 0o600 });
  controller.on(`GET ${one}`, { body: sealed.archive });
  controller.on(`GET ${one}/content`, { bytes: sealed.bytes });
  controller.on(`GET ${home}/devices/edge-1`, {
    body: sampleDevice({ facts: { encryption_recipient: device.recipient } }),
  });
  return async () => {
    folder[Symbol.dispose]();
    await controller.close();
  };
});
const backup = (args: string[], stdin = '') => runMuster(['backup', ...args], { url: controller.url, stdin });
const verify = (...args: string[]) => backup(['verify', 'Ab12Cd34', ...args]);

/** The controller makes a SYNC that has ended so. */
function willEnd(changes: Parameters<typeof sampleTask>[0]): void {
  controller.on(restores, () => {
    const task = sampleTask({ type: 'SYNC', completed_at: '2026-01-01T00:01:00.000Z', ...changes });
    controller.add(task);
    return { body: sampleAnswer(task) };
  });
}
const sentRestores = () => controller.requests(restores).map(({ body }) => body as RestoreRequest);

/** What the device finds when it decrypts. */
async function decrypted({ files: sent }: RestoreRequest) {
  const opened: Record<string, string> = {};
  for (const { path, content, sha256: digest } of sent) {
    const plain = await collect(ageDecrypt(once(Buffer.from(content, 'base64')), device.identity));
    expect(sha256(plain)).toBe(digest);
    opened[path] = plain.toString('latin1');
  }
  return opened;
}

describe('verify', () => {
  test('without a key the controller reads the archive again', async () => {
    controller.on(`POST ${one}/verify`, {
      body: { archive: 'Ab12Cd34', ok: true, level: 'readable', message: 'All 4096 bytes are there' },
    });
    expect(await verify()).toMatchObject({
      exitCode: 0,
      stderr: 'Ab12Cd34: All 4096 bytes are there (readable)\n',
    });
    controller.on(`POST ${one}/verify`, {
      body: { archive: 'Ab12Cd34', ok: false, level: 'stored', message: 'it is gone' },
    });
    expect(await verify()).toMatchObject({ exitCode: 1, stderr: 'muster: Ab12Cd34: it is gone\n' });
    expect((await verify('--drill', 'edge-1')).exitCode).toBe(2);
  });

  test('with a key opens it, checks signature and every file, and says by which key it was signed', async () => {
    const { exitCode, stdout, stderr } = await verify('--identity-file', keyFile);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/Signature: +valid\n/);
    expect(stdout).toContain(keyFingerprint(sealed.deviceKey.publicKey));
    expect(stdout).toMatch(/Files: +5, each as the manifest says\n/);
    expect(stdout + stderr).not.toMatch(/canary-7f3a|AGE-SECRET/);
    expect(JSON.parse((await verify('--identity-file', keyFile, '--json')).stdout)).toMatchObject({
      archive: 'Ab12Cd34',
      ok: true,
      files: 5,
      drill: null,
    });
  });

  test('takes the key from standard input, and the archive from a file', async () => {
    using folder = temporaryFolder('cli-verify');
    const file = join(folder.path, 'archive.age');
    writeFileSync(file, sealed.bytes);
    const args = ['verify', 'Ab12Cd34', '--identity-file', '-', '--file', file];
    expect((await backup(args, sealed.otherKeys.identity)).exitCode).toBe(0);
    expect(controller.requests(`GET ${one}/content`)).toEqual([]);
    writeFileSync(file, sealed.bytes.subarray(0, -1));
    expect((await backup(args, sealed.otherKeys.identity)).exitCode).toBe(1);
    expect((await backup([...args.slice(0, -1), `${file}.none`], sealed.keys.identity)).stderr).toContain(
      'cannot read',
    );
  });

  test('goes on where the connection broke', async () => {
    let first = true;
    controller.on(`GET ${one}/content`, () => {
      const cut = first ? { cutAfter: 300 } : {};
      first = false;
      return { bytes: sealed.bytes, ...cut };
    });
    expect((await verify('--identity-file', keyFile)).exitCode).toBe(0);
    expect(controller.requests(`GET ${one}/content`).at(-1)?.headers.range).toMatch(/^bytes=\d+-$/);
  });

  test('refuses another signer, a wrong key, and changed bytes, each with its code', async () => {
    const fingerprint = keyFingerprint(generateKeyPair().publicKey);
    const code = async (...args: string[]) => {
      const { stderr, exitCode } = await verify('--json', '--identity-file', ...args);
      return {
        exitCode,
        code: (JSON.parse(stderr.trim().split('\n').at(-1) ?? '') as { code: string }).code,
      };
    };
    expect(await code(keyFile, '--device-key', fingerprint)).toEqual({ exitCode: 1, code: 'bad_signature' });
    const other = `${keyFile}.other`;
    writeFileSync(other, device.identity, { mode: 0o600 });
    expect(await code(other)).toEqual({ exitCode: 1, code: 'wrong_key' });
    const bytes = Buffer.from(sealed.bytes);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    controller.on(`GET ${one}/content`, { bytes });
    expect(await code(keyFile)).toEqual({ exitCode: 1, code: 'damaged' });
  });

  test('warns of a key that others can read', async () => {
    const open = `${keyFile}.open`;
    writeFileSync(open, sealed.keys.identity, { mode: 0o644 });
    expect((await verify('--identity-file', open)).stderr).toContain(`others can read ${open}`);
  });
});

describe('drill', () => {
  const restorable = `POST ${one}/restorable`;
  const drill = (...args: string[]) => verify('--identity-file', keyFile, '--drill', 'edge-1', ...args);

  test('lets a device accept the files in a dry run, and records it', async () => {
    willEnd({ status: 'COMPLETED', result: sampleSyncResult({ outcome: 'dry_run' }) });
    controller.on(restorable, { body: sealed.archive });
    const { exitCode, stdout } = await drill('--json');
    expect(exitCode).toBe(0);
    const [request] = sentRestores();
    expect(request).toMatchObject({
      device: 'edge-1',
      archive: 'Ab12Cd34',
      dry_run: true,
      profile: { id: 'debian', rev: 1 },
    });
    expect(Object.keys(await decrypted(request as RestoreRequest))).toEqual([
      '/etc/network/interfaces',
      '/etc/wireguard/wg0.conf',
      '/etc/motd',
    ]);
    expect(controller.requests(restorable).map(({ body }) => body)).toEqual([{ task: 'aB3dE6gH', files: 3 }]);
    const { drill: told } = JSON.parse(stdout) as { drill: { left: object[] } };
    expect(told).toMatchObject({ task: 'aB3dE6gH', files: 3 });
    expect(told.left).toHaveLength(2);
  });

  test('a device that does not accept them leaves the archive as it was', async () => {
    willEnd({ status: 'FAILED', error_code: 'rejected_validate', error_message: 'nft says no' });
    const { exitCode, stderr } = await drill();
    expect(exitCode).toBe(1);
    expect(stderr).toContain('is readable, but edge-1 does not accept it: nft says no');
    expect(controller.requests(restorable)).toEqual([]);
  });

  test('a device that told no key is refused before anything is downloaded', async () => {
    controller.on(`GET ${home}/devices/edge-1`, { body: sampleDevice({ facts: {} }) });
    const { exitCode, stderr } = await drill();
    expect({ exitCode, stderr }).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('has not told a key'),
    });
    expect(controller.requests(`GET ${one}/content`)).toEqual([]);
  });
});

describe('restore', () => {
  beforeEach(() => willEnd({ status: 'COMPLETED', result: sampleSyncResult() }));
  const restore = (...args: string[]) =>
    backup(['restore', 'Ab12Cd34', '--device', 'edge-1', '--identity-file', keyFile, ...args]);

  test('sends the files encrypted for the device, without secrets and the agent’s own', async () => {
    const { exitCode, stdout, stderr } = await restore(
      '--yes',
      '--wait',
      '-f',
      'simple',
      '--confirm-seconds',
      '90',
    );
    expect(exitCode).toBe(0);
    const [request] = sentRestores();
    expect(request).toMatchObject({ dry_run: false, on_drift: 'overwrite', confirm_seconds: 90 });
    expect(await decrypted(request as RestoreRequest)).toEqual({
      '/etc/network/interfaces': interfaces,
      '/etc/motd': 'eth0 \xff',
    });
    expect(request?.files[0]).toMatchObject({
      unit: 'interfaces',
      mode: '0644',
      owner: 'root',
      group: 'root',
    });
    expect(stderr).toContain('Left out /etc/wireguard/wg0.conf: it is secret; --with-secrets restores it\n');
    expect(stderr).toContain('Left out /etc/muster/agent.yaml: it is the agent’s own\n');
    expect(stdout).toMatch(/edge-1 +applied/);
    expect(JSON.stringify(request) + stdout + stderr).not.toMatch(/canary-7f3a|AGE-SECRET|auto eth0/);
  });

  test('--path and --with-secrets choose; --interface-map changes texts and nothing else', async () => {
    await restore('--yes', '--with-secrets', '--path', '/etc/wireguard', '--path', '/etc/mot*');
    await restore('--yes', '--interface-map', 'eth0=ens1', '--path', '/etc/network/*', '--path', '/etc/motd');
    const [chosen, mapped] = sentRestores();
    expect(Object.keys(await decrypted(chosen as RestoreRequest))).toEqual([
      '/etc/wireguard/wg0.conf',
      '/etc/motd',
    ]);
    expect(await decrypted(mapped as RestoreRequest)).toEqual({
      '/etc/network/interfaces': 'auto ens1\niface ens1 inet dhcp\n# veth0 stays\n',
      '/etc/motd': 'eth0 \xff',
    });
  });

  test('a dry run needs no yes; JSON has everything', async () => {
    const { exitCode, stdout } = await restore('--dry-run', '--wait', '--json');
    expect(exitCode).toBe(0);
    expect(sentRestores()).toMatchObject([{ dry_run: true }]);
    expect(JSON.parse(stdout)).toMatchObject({
      archive: 'Ab12Cd34',
      restored: [{ path: '/etc/network/interfaces', unit: 'interfaces' }, { path: '/etc/motd' }],
      left: [{ path: '/etc/wireguard/wg0.conf' }, {}, {}],
      tasks: [{ task: 'aB3dE6gH', result: { outcome: 'applied' } }],
    });
  });

  test('nothing is sent when the last byte is wrong', async () => {
    const bytes = Buffer.from(sealed.bytes);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    controller.on(`GET ${one}/content`, { bytes });
    expect((await restore('--yes')).exitCode).toBe(1);
    expect(sentRestores()).toEqual([]);
  });

  test('is refused without --yes off a terminal, with nothing to restore, and with --timeout alone', async () => {
    expect(await restore()).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--yes') });
    expect((await restore('--yes', '--timeout', '1m')).exitCode).toBe(2);
    expect(controller.seen).toEqual([]);
    const { exitCode, stderr } = await restore('--yes', '--path', '/etc/muster');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('nothing of archive Ab12Cd34 would be restored');
    expect(sentRestores()).toEqual([]);
  });

  describe.runIf(hasTerminals())('on a terminal', () => {
    test('asks with the name of the device that it comes from, and sends nothing without a yes', async () => {
      controller.on(`GET ${home}/devices/edge-1`, {
        body: sampleDevice({
          uuid: 'other',
          name: 'edge-new',
          facts: { encryption_recipient: device.recipient },
        }),
      });
      const args = ['backup', 'restore', 'Ab12Cd34', '--device', 'edge-1', '--identity-file', keyFile];
      const muster = startOnTerminal(args, { url: controller.url, env: { TERM: 'xterm', COLUMNS: '200' } });
      await until('it asks', () => muster.stdout.includes('of edge-1, another device'));
      muster.type('\r');
      expect((await muster.ended).exitCode).toBe(1);
      expect(sentRestores()).toEqual([]);
    });
  });
});
