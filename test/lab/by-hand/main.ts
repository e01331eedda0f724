import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { formatDuration, parseDuration } from '../../../shared/time.ts';
import { applianceUnavailable, insideEnvironment } from '../../harness/appliance.ts';
import { askLab, type LabStatus } from './lab-control.ts';
import { LabFolder } from './lab-folder.ts';
import { down } from './down.ts';
import type { LabOptions } from './keep-lab.ts';
import { keep, up } from './up.ts';

const usage = `npm run lab -- COMMAND

Machines with systemd and the real package of the agent, for trying things by hand.
  up [NAME]                boots one (edge-1, edge-2, …), enrols it, and leaves it in the background
      --life DURATION      it ends by itself after so long (default 1h, at most 24h)
      --controller URL --token TOKEN
                           enrols it there, and nobody approves it; otherwise it gets a controller of its own
  list                     the labs of this checkout
  exec NAME -- COMMAND     runs a command inside, as root; ends as it does
  shell NAME               a shell inside, as root
  env NAME                 what makes \`muster\` speak to its controller: eval "$(npm run -s lab -- env NAME)"
  journal NAME [-- ARGS]   what the services of Muster wrote; ARGS are those of journalctl: --follow, -n 20
  power-cut NAME           everything inside is gone at once; files are as they were written
  power-on NAME            boots it again
  down NAME | --all        ends it, and all that was started for it

  -f, --format json        for up and list`;

const { values, positionals } = parseArgs({
  options: {
    life: { type: 'string', default: '1h' },
    controller: { type: 'string' },
    token: { type: 'string' },
    all: { type: 'boolean', default: false },
    format: { type: 'string', short: 'f', default: 'table' },
    help: { type: 'boolean', short: 'h', default: false },
  },
  allowPositionals: true,
});
const [command = '', name, ...rest] = positionals;
const maxLifeMs = 86_400_000;

class UsageError extends Error {}

/** Each returns the exit code. */
const commands: Record<string, () => Promise<number>> = {
  up: bringUp,
  list,
  exec: () => inside(rest),
  shell: () => inside(process.stdin.isTTY ? ['script', '-qec', 'bash -l', '/dev/null'] : ['bash', '-l']),
  env: printEnvironment,
  journal: () => inside(['journalctl', '--no-pager', '-u', 'muster-*', ...rest]),
  'power-cut': () => power('power-cut'),
  'power-on': () => power('power-on'),
  down: bringDown,
  keep: async () => {
    await keep(new LabFolder(basename(name ?? '')), JSON.parse(rest[0] ?? '') as LabOptions);
    return 0;
  },
};

async function bringUp(): Promise<number> {
  const reason = applianceUnavailable();
  if (reason !== undefined) throw new Error(`no machine can be booted here: ${reason}`);
  const lab = name === undefined ? LabFolder.free() : new LabFolder(name);
  if (lab.exists) throw new UsageError(`${lab.name} is there already: npm run lab -- down ${lab.name}`);
  const lifeMs = parseDuration(values.life);
  if (lifeMs > maxLifeMs) throw new UsageError(`--life is ${values.life}: expected 24h at most`);
  const started = performance.now();
  const status = await up(lab, { lifeMs, ...ownController() }, (text) => {
    process.stderr.write(`${lab.name}: ${text} (${formatDuration(performance.now() - started)})\n`);
  });
  if (values.format === 'json') print(status);
  else process.stdout.write(welcome(status));
  return 0;
}

function ownController(): Pick<LabOptions, 'controller'> {
  const { controller: url, token } = values;
  if (url === undefined && token === undefined) return {};
  if (url !== undefined && token !== undefined && URL.canParse(url)) return { controller: { url, token } };
  throw new UsageError('--controller wants an URL, and --token with it');
}

function welcome({ name: lab, ends_at, controller_url, admin_token }: LabStatus): string {
  const run = 'npm run -s lab --';
  const approve = `as an admin of ${controller_url}: muster device approve ${lab}`;
  const lines = [
    `${lab} is up, and ends by itself at ${ends_at}`,
    `  inside    ${run} shell ${lab}`,
    admin_token === null ? `  approve   ${approve}` : `  as admin  eval "$(${run} env ${lab})"`,
    `            npm run -s muster -- run ping --device ${lab} --wait`,
    `  end       ${run} down ${lab}`,
  ];
  return `${lines.join('\n')}\n`;
}

async function list(): Promise<number> {
  const labs = await Promise.all(LabFolder.all().map(statusOf));
  if (values.format === 'json') {
    print(labs.map(({ admin_token: _, ...shown }) => shown));
    return 0;
  }
  const rows = labs.map((lab) => [
    lab.name,
    lab.state,
    String(lab.boots),
    lab.ends_at,
    lab.controller_url ?? '',
  ]);
  const table = [['NAME', 'STATE', 'BOOTS', 'ENDS AT', 'CONTROLLER'], ...rows];
  const widths =
    table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? [];
  for (const row of table) {
    process.stdout.write(
      `${row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
    );
  }
  return 0;
}

/** A lab whose keeper was killed is still listed, for `down`. */
async function statusOf(
  lab: LabFolder,
): Promise<Omit<LabStatus, 'state'> & { state: LabStatus['state'] | 'dead' }> {
  try {
    return (await askLab(lab.socket, { ask: 'status' })).status;
  } catch {
    const nothing = { boots: 0, addresses: [], ends_at: '', controller_url: null, admin_token: null };
    return { name: lab.name, state: 'dead', ...nothing };
  }
}

async function inside(argv: string[]): Promise<number> {
  if (argv.length === 0) throw new UsageError('which command? exec NAME -- COMMAND');
  const { argv: entering } = await askLab(named().socket, { ask: 'entering', argv });
  const [program = '', ...args] = entering;
  const env = { ...insideEnvironment, TERM: process.env['TERM'] ?? 'dumb' };
  process.on('SIGINT', () => {}); // for the command inside
  const child = spawn(program, args, { env, stdio: 'inherit' });
  const [status] = (await once(child, 'exit')) as [number | null];
  return status ?? 137;
}

async function printEnvironment(): Promise<number> {
  const { status } = await askLab(named().socket, { ask: 'status' });
  const { controller_url: url, admin_token: token } = status;
  if (token === null) throw new Error(`${status.name} has no controller of its own`);
  process.stdout.write(`export MUSTER_URL=${url} MUSTER_TOKEN=${token}\n`);
  return 0;
}

async function power(ask: 'power-cut' | 'power-on'): Promise<number> {
  const { status } = await askLab(named().socket, { ask });
  process.stderr.write(`${status.name} is ${status.state}\n`);
  return 0;
}

async function bringDown(): Promise<number> {
  const labs = values.all ? LabFolder.all() : [named()];
  for (const lab of labs) {
    await down(lab);
    process.stderr.write(`${lab.name} is gone\n`);
  }
  return 0;
}

/** The lab that the command line names. */
function named(): LabFolder {
  if (name === undefined) throw new UsageError(`which lab? ${command} NAME`);
  const lab = new LabFolder(name);
  if (lab.exists) return lab;
  const there =
    LabFolder.all()
      .map((one) => one.name)
      .join(', ') || 'none';
  throw new Error(`there is no lab ${name} of this checkout; there are: ${there}`);
}

const print = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);

async function main(): Promise<number> {
  const run = commands[command];
  if (values.help || (run === undefined && command === '')) {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  if (run === undefined) throw new UsageError(`${command} is no command`);
  return run();
}

try {
  // Whatever is half made ends with this process.
  process.exit(await main());
} catch (error) {
  process.stderr.write(`lab: ${error instanceof Error ? error.message : String(error)}\n`);
  if (error instanceof UsageError) process.stderr.write(`\n${usage}\n`);
  process.exit(error instanceof UsageError ? 2 : 1);
}
