/** `npm run dev`: a seeded controller and three agents from the sources, restarted on every change. Their data stays in `.muster/dev`. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type ProgramName, programEntry, runProgram } from './harness/program.ts';
import { projectRoot } from './harness/source-files.ts';
import { until } from './harness/until.ts';

const listen = process.env['MUSTER_DEV_LISTEN'] ?? '127.0.0.1:7443';
const url = `http://${listen}`;
const folder = join(projectRoot, '.muster', 'dev');
const agents = ['edge-1', 'edge-2', 'edge-3'];

interface Seed {
  admin_token: string;
  enrolment_token: string;
}

async function must(name: ProgramName, args: string[], env: Record<string, string> = {}): Promise<string> {
  const { exitCode, stdout, stderr } = await runProgram(name, args, { env });
  if (exitCode !== 0) throw new Error(`${name} ${args[0]} ended with ${exitCode}: ${stderr}${stdout}`);
  return stdout;
}

async function seed(): Promise<Seed> {
  const file = join(folder, 'init.json');
  if (!existsSync(file)) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const args = ['init', '--data', join(folder, 'controller'), '--url', url, '-f', 'json'];
    writeFileSync(file, await must('controller', args), { mode: 0o600 });
  }
  return JSON.parse(readFileSync(file, 'utf8')) as Seed;
}

/** Runs for ever, again on every change; each line of output carries the name. */
function watch(label: string, name: ProgramName, args: string[]): void {
  const child = spawn(
    process.execPath,
    ['--watch', '--watch-preserve-output', join(projectRoot, programEntry[name]), ...args],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  createInterface({ input: child.stdout }).on('line', (line) =>
    process.stdout.write(`${label.padEnd(10)} ${line}\n`),
  );
  process.once('exit', () => child.kill('SIGTERM'));
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(0));

const { admin_token: token, enrolment_token: ticket } = await seed();
watch('controller', 'controller', ['start', '--data', join(folder, 'controller'), '--listen', listen]);
await until('the controller is ready', async () => (await fetch(`${url}/readyz`)).ok);

for (const name of agents) {
  const data = join(folder, name);
  if (!existsSync(data)) {
    await must('agent', ['enrol', '--data', data, '--url', url, '--token', ticket, '--name', name]);
    await must('muster', ['device', 'approve', name], { MUSTER_URL: url, MUSTER_TOKEN: token });
  }
  watch(name, 'agent', ['start', '--data', data, '--dummy']);
}

process.stdout.write(`
controller  ${url}   (API: ${url}/api/openapi.json, data: .muster/dev, start afresh: rm -r .muster/dev)
agents      ${agents.join(', ')}

  export MUSTER_URL=${url} MUSTER_TOKEN=${token}
  npm run -s muster -- device list

Ctrl-C ends everything.
`);
