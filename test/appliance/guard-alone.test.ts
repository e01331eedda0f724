import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  apply,
  armed,
  confirmedState,
  crashFiles,
  TransactionUnderTest,
  writeCrashFiles,
} from '../harness/linux-transaction.ts';
import { notTested } from '../harness/not-tested.ts';
import { SmallDisk } from '../harness/small-disk.ts';
import { projectRoot } from '../harness/source-files.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { until } from '../harness/until.ts';

const driver = join(projectRoot, 'test', 'harness', 'transaction-driver.ts');

/** A real process that has got as far as `holdAt` and stays there. */
async function holding(
  device: TransactionUnderTest,
  holdAt: string,
  deadlineSeconds: number,
): Promise<ChildProcess> {
  const plan = JSON.stringify({ holdAt, deadlineSeconds });
  const agent = spawn(process.execPath, [driver, device.path, plan], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [said] = (await once(agent.stdout, 'data')) as [Buffer];
  expect(said.toString()).toBe(`${holdAt}\n`);
  return agent;
}

async function deadlineOf(device: TransactionUnderTest): Promise<number> {
  const [deadline] = readFileSync(device.transactions('first', 'deadline'), 'utf8').split(' ');
  return Number(deadline);
}

describe('when the agent is gone for good', () => {
  for (const holdAt of ['ARMED', 'APPLYING', 'PROBING']) {
    test(`killed at ${holdAt}, the guard has everything back within 2 s of the deadline`, async () => {
      using device = new TransactionUnderTest();
      writeCrashFiles(device);
      const before = device.look();
      const agent = await holding(device, holdAt, 2);
      if (holdAt !== 'ARMED') expect(device.look()).not.toEqual(before);
      agent.kill('SIGKILL');
      await once(agent, 'exit');

      const workspace = await device.machine.find('first');
      const end = await until('the guard has acted', async () => {
        const last = (await workspace?.journal())?.at(-1);
        return last?.state.startsWith('ROLL') && last.state !== 'ROLLING_BACK' ? last : undefined;
      });
      expect(end).toMatchObject({ state: 'ROLLED_BACK', detail: 'not confirmed before the deadline' });
      expect(end.uptimeMs).toBeGreaterThanOrEqual(await deadlineOf(device));
      expect(end.uptimeMs).toBeLessThanOrEqual((await deadlineOf(device)) + 2000);
      expect(device.look()).toEqual(before);
    });
  }

  test('an agent that slept over the deadline cannot go on', async () => {
    using device = new TransactionUnderTest();
    writeCrashFiles(device);
    const before = device.look();
    const files = crashFiles(device);
    const workspace = await armed(device, { files, deadlineSeconds: 0.5 });
    await workspace.append('APPLYING', 'files');
    await workspace.install(device.etc('changed'));
    await until(
      'the deadline has passed',
      async () => (await workspace.journal()).at(-1)?.state === 'ROLLED_BACK',
    );

    await expect(apply(workspace, files)).rejects.toMatchObject({ code: 'rolled_back' });
    await expect(workspace.install(device.etc('made.d/made'))).rejects.toMatchObject({ code: 'rolled_back' });
    expect(await workspace.confirm(confirmedState('first'))).toBe('rolled_back');
    rmSync(device.etc('made.d'), { recursive: true, force: true }); // an empty folder at most
    expect(device.look()).toEqual(before);
  });

  test('a guard that waits ends by itself when the transaction is over', async () => {
    using device = new TransactionUnderTest();
    const path = device.write('file', 'old');
    const workspace = await device.machine.begin('first');
    await workspace.snapshot([path]);
    await workspace.append('SNAPSHOTTED', '');
    const { guard } = await workspace.arm({ deadlineSeconds: 600, commands: [] });
    if (
      notTested(
        'a guard that waits as a process',
        guard.startsWith('process') ? undefined : 'Here it is a timer',
      )
    )
      return;
    const pid = guard.replace('process ', '');
    expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).toContain('wait');

    await workspace.confirm(confirmedState('first'));
    await until('the process is gone', () => !existsSync(`/proc/${pid}/exe`) || isZombie(pid));
  });
});

const isZombie = (pid: string): boolean => / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));

/** All that the guard may use. */
const programs =
  'cp mv rm ln rmdir mkdir sync sha256sum stat date tr head tail wc touch truncate sleep timeout flock';

test('of many files, one that cannot come back keeps no other from it, and is named', async () => {
  using device = new TransactionUnderTest();
  const names = Array.from({ length: 120 }, (_, index) => `conf.d/${String(index).padStart(3, '0')} a file`);
  for (const name of names) device.write(name, `old ${name}`, 0o640);
  const files = Object.fromEntries(names.map((name) => [device.etc(name), `new ${name}`]));
  const before = device.look();
  await apply(await armed(device, { files }), files);
  const lost = names[60] ?? '';
  rmSync(device.etc(lost));
  mkdirSync(device.etc(lost, 'in the way'), { recursive: true });

  const workspace = await device.machine.find('first');
  expect(await workspace?.rollBack('tried')).toBe('rollback_failed');
  const last = (await workspace?.journal())?.at(-1);
  expect(last?.detail).toBe(`these files are not as before: ${device.etc(lost)}`);
  rmSync(device.etc(lost), { recursive: true });
  delete before[lost];
  expect(device.look()).toEqual(before);
}, 120_000);

test('the guard needs a shell, coreutils and flock, and nothing else', async () => {
  using device = new TransactionUnderTest();
  using folder = temporaryFolder('programs');
  for (const name of programs.split(' ')) symlinkSync(join('/usr/bin', name), join(folder.path, name));
  writeCrashFiles(device);
  const before = device.look();
  const files = crashFiles(device);
  await apply(await armed(device, { files, deadlineSeconds: 1 }), files);
  const end = spawnSync(
    '/bin/sh',
    [device.transactions('first', 'guard.sh'), 'expire', device.transactions('first')],
    {
      env: { MUSTER_GUARD_PATH: folder.path },
      encoding: 'utf8',
    },
  );
  expect(end).toMatchObject({ status: 0, stderr: '' });
  expect(device.look()).toEqual(before);
});

test('the guard is read by the shells that are found as /bin/sh', () => {
  for (const shell of ['dash', 'bash']) {
    const end = spawnSync(shell, ['-n', join(projectRoot, 'agent', 'transaction', 'guard.sh')]);
    expect(end.stderr.toString(), shell).toBe('');
  }
});

using probe = temporaryFolder('mount');
const noMounts = notTested('full and read-only disks', SmallDisk.unavailable(probe.path));

interface OnSmallDisk extends Disposable {
  device: TransactionUnderTest;
  disk: SmallDisk;
}

/** A device whose files all lie on a small disk, or only those that a transaction changes. */
function onSmallDisk(what: 'everything' | 'configuration'): OnSmallDisk {
  using opened = new DisposableStack();
  const { path } = opened.use(temporaryFolder('small-disk'));
  const mount = what === 'everything' ? path : join(path, 'etc');
  mkdirSync(mount, { recursive: true });
  const disk = opened.use(new SmallDisk(mount, (what === 'everything' ? 4 : 2) * 1_048_576));
  const closing = opened.move();
  return {
    device: new TransactionUnderTest({ path, [Symbol.dispose]: () => {} }),
    disk,
    [Symbol.dispose]: () => closing.dispose(),
  };
}

async function comesBackOnFullDisk(
  { device, disk }: OnSmallDisk,
  files: Record<string, string | null>,
): Promise<void> {
  const before = device.look();
  const workspace = await armed(device, { files });
  await apply(workspace, files);
  disk.fill();

  expect(await workspace.rollBack('no room')).toBe('rolled_back');
  rmSync(join(disk.path, 'ballast'));
  expect(device.look()).toEqual(before);
}

describe.skipIf(noMounts)('when the disk fails after ARMED', () => {
  test('full: the old files come back without room for a copy, and the journal says so', async () => {
    using given = onSmallDisk('everything');
    const { device } = given;
    writeCrashFiles(device);
    device.write('changed', 'o'.repeat(300_000));
    await comesBackOnFullDisk(given, crashFiles(device));
  });

  test('full, and another one than the snapshot’s: room was set aside', async () => {
    using given = onSmallDisk('configuration');
    const { device } = given;
    device.write('changed', 'o'.repeat(300_000), 0o600);
    await comesBackOnFullDisk(given, { [device.etc('changed')]: 'new' });
  });

  test('full before ARMED: nothing is touched and the error says so', async () => {
    using given = onSmallDisk('configuration');
    const { device, disk } = given;
    device.write('changed', 'old', 0o600);
    disk.fill();
    await expect(armed(device, { files: { [device.etc('changed')]: 'new' } })).rejects.toMatchObject({
      code: 'disk_full',
    });
    await (await device.machine.pending())?.append('REJECTED', 'disk full');
    rmSync(join(disk.path, 'ballast'));
    expect(Object.keys(device.look())).toEqual(['changed']);
  });

  test('room that was set aside is given back when the transaction ends before ARMED', async () => {
    using given = onSmallDisk('configuration');
    const { device } = given;
    const path = device.write('changed', 'old');
    const workspace = await device.machine.begin('first');
    await workspace.snapshot([path]);
    await expect(workspace.arm({ deadlineSeconds: 600, commands: [] })).rejects.toThrow(); // SNAPSHOTTED is missing
    expect(Object.keys(device.look())).toEqual(['.muster-first.reserve', 'changed']);
    await workspace.append('REJECTED', '');
    expect(Object.keys(device.look())).toEqual(['changed']);
  });

  test('read-only: the rollback fails at once and says so; when the disk can be written again, it succeeds', async () => {
    using given = onSmallDisk('everything');
    const { device, disk } = given;
    writeCrashFiles(device);
    const before = device.look();
    const files = crashFiles(device);
    const workspace = await armed(device, { files });
    await apply(workspace, files);
    const remount = (how: string) =>
      expect(spawnSync('mount', ['-o', `remount,${how}`, disk.path]).stderr.toString()).toBe('');

    remount('ro');
    expect(await workspace.rollBack('x')).toBe('rollback_failed');
    expect((await device.machine.pending())?.id).toBe('first');
    remount('rw');
    expect(await workspace.rollBack('x')).toBe('rolled_back');
    expect(device.look()).toEqual(before);
  });

  test('read-only: the files are elsewhere, and the journal tells which of them are not as before', async () => {
    using given = onSmallDisk('configuration');
    const { device, disk } = given;
    const path = device.write('changed', 'old');
    const workspace = await armed(device, { files: { [path]: 'new' } });
    await apply(workspace, { [path]: 'new' });
    spawnSync('mount', ['-o', 'remount,ro', disk.path]);

    expect(await workspace.rollBack('x')).toBe('rollback_failed');
    expect((await workspace.journal()).at(-1)).toMatchObject({
      state: 'ROLLBACK_FAILED',
      detail: `these files are not as before: ${path}`,
    });
    expect(await device.machine.pending()).toBeUndefined();
  });
});
