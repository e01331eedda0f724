import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Appliance, applianceUnavailable } from '../../../test/harness/appliance.ts';
import { notTested } from '../../../test/harness/not-tested.ts';
import { projectRoot } from '../../../test/harness/source-files.ts';

interface Staged {
  path: string;
  /** Nothing: the path is staged as absent. */
  text?: string;
  mode?: string;
  owner?: string;
}

/** Stages files and runs commands in the view of them. */
const program = `
  import { createCommands } from '${join(projectRoot, 'agent/transaction/linux/commands.ts')}';
  import { stageAbsence, stageFile } from '${join(projectRoot, 'agent/transaction/linux/workspace-staged.ts')}';
  import { WorkspaceLayout } from '${join(projectRoot, 'agent/transaction/linux/workspace-layout.ts')}';
  import { createProcesses } from '${join(projectRoot, 'agent/system/processes.ts')}';
  import { mkdtempSync, rmSync } from 'node:fs';
  import { join } from 'node:path';

  const steps = JSON.parse(process.argv[1]);
  const folder = mkdtempSync('/var/lib/transactions-');
  const workspace = { id: 'aB3dE6gH' };
  const layout = new WorkspaceLayout(folder, workspace.id);
  const run = createCommands({ processes: createProcesses(), folder });
  const signal = new AbortController().signal;
  const records = [];
  for (const { stage = [], argv, forgotten } of steps) {
    if (forgotten) rmSync(join(layout.path, 'candidate', 'view'), { recursive: true });
    for (const { path, text, mode = '0644', owner = 'root' } of stage) {
      if (text === undefined) await stageAbsence(layout, path);
      else await stageFile(layout, { path, mode, owner, group: owner }, [Buffer.from(text)]);
    }
    const command = { argv, timeout_s: 10, ok_exit_codes: [0] };
    try {
      records.push(await run(command, 'candidate', { signal, workspace }));
    } catch (error) {
      records.push({ error: error.message });
    }
  }
  console.log(JSON.stringify(records));`;

/** With the rights that a service has there, not with all of this machine's. */
const asService = ['systemd-run', '--quiet', '--pipe', '--wait', '--collect'];

describe.skipIf(notTested('the candidate view', applianceUnavailable()))('a candidate view', () => {
  let appliance: Appliance;
  beforeAll(async () => {
    appliance = await Appliance.boot({
      files: {
        '/etc/app/main.conf': 'old',
        '/etc/app/old.conf': 'goes',
        '/etc/app/kept.conf': 'stays\n',
        '/etc/app/odd, name:x/a b.conf': 'old',
      },
    });
    await appliance.must('chmod', '0750', '/etc/app');
    await appliance.must('chown', 'root:daemon', '/etc/app');
  });
  afterAll(() => appliance[Symbol.asyncDispose]());

  const inView = async (
    ...steps: { stage?: Staged[]; argv: string[]; forgotten?: boolean }[]
  ): Promise<{ exitCode: number; output: string; error?: string }[]> => {
    const argv = [
      ...asService,
      process.execPath,
      '--input-type=module-typescript',
      '-e',
      program,
      JSON.stringify(steps),
    ];
    return JSON.parse(await appliance.must(...argv)) as { exitCode: number; output: string }[];
  };

  const look = ['sh', '-c', 'cd /etc/app; head -v -n 9 *.conf; stat -c "%n %a %U:%G" . main.conf'];

  test('shows staged files at their real paths, hides absent ones, and leaves the machine alone', async () => {
    const before = await appliance.must(...look);
    const [record] = await inView({
      stage: [
        { path: '/etc/app/main.conf', text: 'new\n', mode: '0640', owner: 'daemon' },
        { path: '/etc/app/old.conf' },
        { path: '/etc/app/never-there.conf' },
      ],
      argv: look,
    });
    expect(record?.output).toBe(
      '==> kept.conf <==\nstays\n\n==> main.conf <==\nnew\n. 750 root:daemon\nmain.conf 640 daemon:daemon\n',
    );
    expect(await appliance.must(...look)).toBe(before);
    expect(await appliance.must('findmnt', '-rn', '-t', 'overlay')).toMatch(/^\/ .*\n$/);
  });

  test('shows files in folders that are not there yet, and through links', async () => {
    await appliance.must('ln', '-sfn', '/etc/app', '/var/linked');
    const [record] = await inView({
      stage: [
        { path: '/etc/app/new/deep/x.conf', text: 'x' },
        { path: '/var/linked/y.conf', text: 'y' },
        { path: '/etc/gone/z.conf' },
      ],
      argv: [
        'sh',
        '-c',
        'cat /etc/app/new/deep/x.conf /etc/app/y.conf; stat -c %a /etc/app/new; ls -d /etc/gone',
      ],
    });
    expect(record?.output).toBe("xy755\nls: cannot access '/etc/gone': No such file or directory\n");
    expect((await appliance.exec(['ls', '/etc/app/new'])).exitCode).toBe(2);
  });

  test('covers a folder and one far above it, whatever their names', async () => {
    const [record] = await inView({
      stage: [
        { path: '/etc/top.conf', text: 'top' },
        { path: '/etc/app/odd, name:x/a b.conf', text: 'odd' },
        { path: '/usr/local/etc/other.conf', text: 'other' },
      ],
      argv: [
        'cat',
        '/etc/top.conf',
        '/etc/app/odd, name:x/a b.conf',
        '/usr/local/etc/other.conf',
        '/etc/app/kept.conf',
      ],
    });
    expect(record?.output).toBe('topoddotherstays\n');
  });

  test('shows what is mounted below, also with staged files on it', async () => {
    await appliance.must(
      'sh',
      '-c',
      'mkdir -p /etc/app/disk && mount -t tmpfs disk /etc/app/disk && echo on it >/etc/app/disk/file',
    );
    await appliance.must(
      'sh',
      '-c',
      'echo one >/etc/single; touch /run/single; mount --bind /run/single /etc/single',
    );
    const [first, second] = await inView(
      {
        stage: [{ path: '/etc/top.conf', text: 'top' }],
        argv: ['cat', '/etc/top.conf', '/etc/app/disk/file'],
      },
      {
        stage: [
          { path: '/etc/app/disk/new', text: 'new' },
          { path: '/etc/single', text: 'staged' },
        ],
        argv: ['cat', '/etc/app/disk/file', '/etc/app/disk/new', '/etc/single'],
      },
    );
    await appliance.must('umount', '/etc/app/disk', '/etc/single');
    expect(first?.output).toBe('topon it\n');
    expect(second?.output).toBe('on it\nnewstaged');
  });

  test('follows what is staged later, and is made anew when it was cleared away', async () => {
    const argv = ['cat', '/etc/app/main.conf'];
    const records = await inView(
      { argv },
      { stage: [{ path: '/etc/app/main.conf', text: 'first' }], argv },
      { stage: [{ path: '/etc/app/main.conf', text: 'second' }], argv },
      { forgotten: true, argv },
      { stage: [{ path: '/etc/app/main.conf' }], argv },
    );
    expect(records.map(({ output }) => output)).toEqual([
      'old',
      'first',
      'second',
      'second',
      'cat: /etc/app/main.conf: No such file or directory\n',
    ]);
  });

  test('cannot be written to, nor can the kernel’s parameters', async () => {
    const [first, second] = await inView(
      {
        stage: [{ path: '/etc/app/main.conf', text: 'new' }],
        argv: ['sh', '-c', 'echo x >>/etc/app/kept.conf'],
      },
      { argv: ['sysctl', '-w', 'net.ipv4.ip_forward=1'] },
    );
    expect(first).toMatchObject({ exitCode: 2, output: expect.stringContaining('Read-only file system') });
    expect(second?.output).toMatch(/permission denied|Read-only/);
    expect(await appliance.read('/etc/app/kept.conf')).toBe('stays\n');
  });

  test('tells a view that cannot be had from a check that failed', async () => {
    const [record, failing] = await inView(
      { stage: [{ path: '/nowhere/x.conf', text: 'x' }], argv: ['true'] },
      { stage: [{ path: '/nowhere/x.conf' }], argv: ['sh', '-c', 'exit 125'] },
    );
    expect(record?.error).toBe(
      '/nowhere/x.conf cannot be shown to a check: its folder is not on the machine',
    );
    expect(failing).toMatchObject({ exitCode: 125 });
  });

  test('nft, asked about a file in the view, reads the files it includes from there', async () => {
    const [good, bad] = await inView(
      {
        stage: [
          { path: '/etc/nftables.conf', text: 'include "/etc/nftables.d/*.nft"\n' },
          { path: '/etc/nftables.d/a.nft', text: 'table inet a { }\n' },
        ],
        argv: ['nft', '-c', '-f', '/etc/nftables.conf'],
      },
      {
        stage: [{ path: '/etc/nftables.d/a.nft', text: 'tabel inet a { }\n' }],
        argv: ['nft', '-c', '-f', '/etc/nftables.conf'],
      },
    );
    expect(good).toMatchObject({ exitCode: 0, output: '' });
    expect(bad).toMatchObject({
      exitCode: 1,
      output: expect.stringContaining('/etc/nftables.d/a.nft:1:'),
    });
  });
});
