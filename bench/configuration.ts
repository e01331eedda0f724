/** Configuration on one device, all real processes: SYNC of many files, PULL of a large one, BACKUP against the tools by hand. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Cluster } from '../test/harness/cluster.ts';
import { residentPeak } from '../test/harness/resident-peak.ts';
import { temporaryFolder } from './children.ts';
import { cpuSeconds, emit, median, numberOption, tell } from './measure.ts';

const mib = 1024 * 1024;
const files = 200;

/** A unit over a folder of ours: nothing of this machine is touched. */
const profile = (folder: string): string => `
id: bench
rev: 1
summary: a folder of files
platform: linux
tried: run
confirm_s: 60
probe: { every_s: 0.2, need: 1, over_s: 0 }
units:
  - name: small
    summary: many small files
    paths: [{ glob: ${folder}/small/*.conf }]
    max_files: 1000
  - name: large
    summary: one large file
    paths: [{ glob: ${folder}/large/*, max_bytes: 268435456 }]
`;

export async function configuration(): Promise<void> {
  const runs = numberOption('runs', 5);
  const folder = temporaryFolder();
  for (const name of ['small', 'large', 'huge', 'profiles']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'profiles', 'bench.yaml'), profile(folder));
  const config = join(folder, 'agent.yaml');
  const sizeMib = numberOption('mib', 1024);
  writeFileSync(config, `configuration: { profile: bench, profiles_folder: ${folder}/profiles }\n`);
  await using cluster = await Cluster.create('bench-configuration');
  const agent = await cluster.join('edge-1', { dummy: false, startArguments: ['--config', config] });
  const pids = { agent: agent.program.pid, controller: cluster.controller.program.pid };
  const work = { folder, runs: Math.min(runs, 3), pids };
  if (isAsked('sync')) await syncs(cluster, folder, runs);
  if (isAsked('pull')) await pulls(cluster, work, numberOption('pull-mib', 50));
  if (isAsked('backup')) await backups(cluster, work, sizeMib);
}

/** `--no-sync`, `--no-pull`, `--no-backup` leave one out. */
const isAsked = (part: string): boolean => !process.argv.includes(`--no-${part}`);

const device = ['--device', 'edge-1', '--wait', '--json'];

async function muster(cluster: Cluster, ...args: string[]): Promise<string> {
  const end = await cluster.muster(args);
  if (end.exitCode !== 0)
    throw new Error(`muster ${args.join(' ')}: ${end.exitCode} ${end.stderr}${end.stdout}`);
  return end.stdout;
}

/** From the request to COMPLETED, as the controller's clock has it. */
async function taskMs(cluster: Cluster, type: string): Promise<number> {
  const list = JSON.parse(await muster(cluster, 'task', 'list', '--type', type, '--json')) as {
    created_at: string;
    completed_at: string;
  }[];
  const [task] = list;
  return Date.parse(task?.completed_at ?? '') - Date.parse(task?.created_at ?? '');
}

async function syncs(cluster: Cluster, folder: string, runs: number): Promise<void> {
  const path = join(folder, 'bundle.yaml');
  const took: number[] = [];
  for (let run = 0; run <= runs; run += 1) {
    const list = Array.from(
      { length: files },
      (_, index) =>
        `  - { path: ${folder}/small/${index}.conf, unit: small, template: "# ${run} ${index}\\n${'key value\\n'.repeat(200)}" }`,
    );
    writeFileSync(path, ['profile: bench', 'targets: { all: true }', 'files:', ...list].join('\n'));
    await muster(cluster, 'bundle', 'put', 'bench', '-F', path);
    await muster(cluster, 'sync', 'apply', '--yes', ...device);
    const ms = await taskMs(cluster, 'SYNC');
    tell(`sync of ${files} files: ${ms} ms`);
    if (run > 0) took.push(ms); // the first one only creates
  }
  emit('sync', { files, runs, endToEndMs: median(took) });
}

interface Work {
  folder: string;
  runs: number;
  pids: { agent: number; controller: number };
}

async function pulls(cluster: Cluster, { folder, runs, pids }: Work, sizeMib: number): Promise<void> {
  const took: number[] = [];
  const memory = [residentPeak(pids.agent), residentPeak(pids.controller)];
  for (let run = 0; run < runs; run += 1) {
    // Text, so that all of it is looked through for secrets and goes into the view.
    const line = `${run} option value of a configuration line that is as long as such lines are\n`;
    writeFileSync(join(folder, 'large', 'big.conf'), line.repeat(Math.ceil((sizeMib * mib) / line.length)));
    await muster(cluster, 'pull', ...device);
    took.push(await taskMs(cluster, 'PULL'));
    tell(`pull of ${sizeMib} MiB: ${took.at(-1)} ms`);
  }
  writeFileSync(join(folder, 'large', 'big.conf'), '');
  const [agentMib, controllerMib] = memory.map((peak) => peak());
  emit('pull', { sizeMib, runs, mbPerSecond: sizeMib / (median(took) / 1000), agentMib, controllerMib });
}

async function backups(cluster: Cluster, { folder, runs, pids }: Work, sizeMib: number): Promise<void> {
  const pieceMib = Math.min(sizeMib, 64);
  for (let index = 0; index < sizeMib / pieceMib; index += 1) {
    writeFileSync(join(folder, 'huge', `${index}.bin`), randomBytes(pieceMib * mib));
  }
  const keys = ['one', 'two'].map((name) => {
    const key = join(cluster.folder, `${name}.key`);
    execFileSync('age-keygen', ['-o', key], { stdio: 'pipe' });
    return execFileSync('age-keygen', ['-y', key]).toString().trim();
  });
  const recipients = keys.flatMap((key) => ['--recipient', key]);
  const limit = ['--max-bytes', String((sizeMib + 64) * mib)];
  await muster(cluster, 'backup', 'config', 'set', ...recipients, ...limit, '--include', `${folder}/huge`);

  const times: Record<'byHand' | 'sent' | 'proven' | 'whole', number[]> = {
    byHand: [],
    sent: [],
    proven: [],
    whole: [],
  };
  const cpu: Record<'agent' | 'controller', number[]> = { agent: [], controller: [] };
  const memory = [residentPeak(pids.agent), residentPeak(pids.controller)];
  for (let run = 0; run < runs; run += 1) {
    const started = performance.now();
    const pipe = 'tar -c -C "$1" . | zstd -q -T1 -3 | age -r "$2" -r "$3" > "$4" && sync "$4"';
    execFileSync('sh', ['-c', pipe, 'sh', join(folder, 'huge'), ...keys, join(folder, 'by-hand.age')]);
    times.byHand.push(performance.now() - started);

    const before = [cpuSeconds(pids.agent), cpuSeconds(pids.controller)];
    await muster(cluster, 'backup', 'run', '--full', ...device);
    cpu.agent.push(cpuSeconds(pids.agent) - (before[0] ?? 0));
    cpu.controller.push(cpuSeconds(pids.controller) - (before[1] ?? 0));
    times.whole.push(await taskMs(cluster, 'BACKUP'));
    const { sentMs, provenMs } = await archiveMs(cluster);
    times.sent.push(sentMs);
    times.proven.push(provenMs);
    const last = Object.entries(times).map(([name, list]) => `${name} ${list.at(-1)?.toFixed(0)} ms`);
    tell(`backup of ${sizeMib} MiB: ${last.join(', ')}`);
  }
  const seconds = (name: keyof typeof times): number => median(times[name]) / 1000;
  const ratio = (name: keyof typeof times): number =>
    median(times.byHand.map((ms, run) => ms / (times[name][run] ?? Number.NaN)));
  const [agentMib, controllerMib] = memory.map((peak) => peak());
  emit('backup', {
    sizeMib,
    runs,
    byHandMbPerSecond: sizeMib / seconds('byHand'),
    mbPerSecondSent: sizeMib / seconds('sent'),
    mbPerSecondReadBack: sizeMib / seconds('proven'),
    mbPerSecondWhole: sizeMib / seconds('whole'),
    ratioSent: ratio('sent'),
    ratioWhole: ratio('whole'),
    agentCpuSeconds: median(cpu.agent),
    controllerCpuSeconds: median(cpu.controller),
    agentMib,
    controllerMib,
  });
}

/** From the request until the archive was made, sent and on the controller's disk; and from then until it was read back and proven. */
async function archiveMs(cluster: Cluster): Promise<{ sentMs: number; provenMs: number }> {
  const [archive] = JSON.parse(await muster(cluster, 'backup', 'list', '--json')) as {
    task: string;
    stored_at: string;
    readable_at: string;
  }[];
  const stored = Date.parse(archive?.stored_at ?? '');
  const [task] = JSON.parse(await muster(cluster, 'task', 'list', '--type', 'BACKUP', '--json')) as {
    code: string;
    created_at: string;
  }[];
  return {
    sentMs: stored - Date.parse(task?.created_at ?? ''),
    provenMs: Date.parse(archive?.readable_at ?? '') - stored,
  };
}
