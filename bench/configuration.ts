/** Configuration on one device, all real processes: SYNC of many files, PULL of a large one, BACKUP against the tools by hand. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Cluster } from '../test/harness/cluster.ts';
import { temporaryFolder } from './children.ts';
import { emit, median, numberOption, residentKib, tell } from './measure.ts';

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
  await syncs(cluster, folder, runs);
  await pulls(cluster, folder, Math.min(runs, 3));
  await backups(cluster, { folder, sizeMib, runs: Math.min(runs, 3), pid: agent.program.pid });
}

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

async function pulls(cluster: Cluster, folder: string, runs: number): Promise<void> {
  const sizeMib = 50;
  const took: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    // Text, so that all of it is looked through for secrets and goes into the view.
    const line = `${run} option value of a configuration line that is as long as such lines are\n`;
    writeFileSync(join(folder, 'large', 'big.conf'), line.repeat(Math.ceil((sizeMib * mib) / line.length)));
    await muster(cluster, 'pull', ...device);
    took.push(await taskMs(cluster, 'PULL'));
    tell(`pull of ${sizeMib} MiB: ${took.at(-1)} ms`);
  }
  writeFileSync(join(folder, 'large', 'big.conf'), '');
  emit('pull', { sizeMib, runs, mbPerSecond: sizeMib / (median(took) / 1000) });
}

async function backups(
  cluster: Cluster,
  { folder, sizeMib, runs, pid }: { folder: string; sizeMib: number; runs: number; pid: number },
): Promise<void> {
  for (let index = 0; index < sizeMib / 64; index += 1) {
    writeFileSync(join(folder, 'huge', `${index}.bin`), randomBytes(64 * mib));
  }
  const keys = ['one', 'two'].map((name) => {
    const key = join(cluster.folder, `${name}.key`);
    execFileSync('age-keygen', ['-o', key], { stdio: 'pipe' });
    return execFileSync('age-keygen', ['-y', key]).toString().trim();
  });
  const recipients = keys.flatMap((key) => ['--recipient', key]);
  await muster(cluster, 'backup', 'config', 'set', ...recipients, '--include', `${folder}/huge`);

  const byHand: number[] = [];
  const ours: number[] = [];
  let agentMib = 0;
  let controllerMib = 0;
  for (let run = 0; run < runs; run += 1) {
    const started = performance.now();
    const pipe = 'tar -c -C "$1" . | zstd -q -T1 -3 | age -r "$2" -r "$3" > "$4" && sync "$4"';
    execFileSync('sh', ['-c', pipe, 'sh', join(folder, 'huge'), ...keys, join(folder, 'by-hand.age')]);
    byHand.push(performance.now() - started);

    const watch = setInterval(() => {
      agentMib = Math.max(agentMib, residentKib(pid) / 1024);
      controllerMib = Math.max(controllerMib, residentKib(cluster.controller.program.pid) / 1024);
    }, 100);
    await muster(cluster, 'backup', 'run', '--full', ...device);
    clearInterval(watch);
    ours.push(await taskMs(cluster, 'BACKUP'));
    tell(`backup of ${sizeMib} MiB: ${ours.at(-1)} ms, by hand ${byHand.at(-1)?.toFixed(0)} ms`);
  }
  const seconds = (values: number[]): number => median(values) / 1000;
  emit('backup', {
    sizeMib,
    runs,
    mbPerSecond: sizeMib / seconds(ours),
    byHandMbPerSecond: sizeMib / seconds(byHand),
    ratio: seconds(byHand) / seconds(ours),
    agentMib,
    controllerMib,
  });
}
