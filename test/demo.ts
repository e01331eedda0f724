/**
 * `npm run demo`: a real controller and real agents on this machine, only their power switches are make-believe. Runs tasks of every
 * type, kills an agent and the controller on the way, and stays for you to try things. `--once` ends after the tour.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Cluster } from './harness/cluster.ts';
import { lacks } from './harness/not-tested.ts';
import { programEntry } from './harness/program.ts';
import { projectRoot } from './harness/source-files.ts';
import { until } from './harness/until.ts';

const names = ['edge-1', 'edge-2', 'edge-3', 'edge-4'];
const stayAfterwards = !process.argv.includes('--once');
const colours = process.stdout.isTTY && !process.env['NO_COLOR'];
const bold = (text: string) => (colours ? `\u001b[1m${text}\u001b[22m` : text);

const say = (text: string) => process.stdout.write(`\n${bold(`== ${text}`)}\n`);

/** What went differently than it should: the demo is also a test. */
const surprises: string[] = [];
function expectThat(what: string, holds: boolean): void {
  process.stdout.write(`   ${holds ? '✓' : '✗'} ${what}\n`);
  if (!holds) surprises.push(what);
}

class Tour {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  get environment(): Record<string, string> {
    const { url, adminToken } = this.#cluster.controller;
    return { MUSTER_URL: url, MUSTER_TOKEN: adminToken };
  }

  /** Runs the CLI before the reader's eyes, as he would. */
  async muster(args: string[], expected: readonly number[] = [0]): Promise<void> {
    process.stdout.write(`\n$ muster ${args.map(quoted).join(' ')}\n`);
    const child = spawn(process.execPath, [join(projectRoot, programEntry.muster), ...args], {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...this.environment },
    });
    const [exitCode] = (await once(child, 'close')) as [number | null];
    if (!expected.includes(exitCode ?? -1)) {
      expectThat(`muster ${args.join(' ')} ends with ${expected.join(' or ')}, not ${exitCode}`, false);
    }
  }

  async join(): Promise<void> {
    say(
      'Four agents enrol: each makes its key on the device, and trusts only the controller its ticket names',
    );
    for (const name of names) await this.#cluster.enrolled(name);
    await this.muster(['device', 'list']);
    say('A person approves them, and they come online');
    await this.muster(['device', 'approve', ...names]);
    for (const name of names) this.#cluster.agent(name).start();
    for (const name of names) await this.#cluster.online(name);
    await this.muster(['device', 'label', 'edge-1', 'site=berlin', '-q']);
    await this.muster(['device', 'list']);
  }

  async everyType(): Promise<void> {
    say('PING: the round trip to every device; then a real ping from one of them');
    await this.muster(['run', 'ping', '--all', '--wait']);
    const noPing = lacks('ping');
    if (noPing) process.stdout.write(`   (${noPing}: the ping from the device is left out)\n`);
    else {
      await this.muster([
        'run',
        'ping',
        '--device',
        'edge-1',
        '--host',
        '127.0.0.1',
        '--count',
        '2',
        '--wait',
      ]);
    }
    say('HEALTH_CHECK: a verdict for each check');
    await this.muster(['run', 'health-check', '--label', 'site=berlin', '--wait']);
    say('SCRIPT: the output arrives as it is written');
    await this.muster([
      'run',
      'script',
      '--device',
      'edge-[12]',
      '--follow',
      '--',
      'sh',
      '-c',
      'for i in 1 2 3; do echo step $i; sleep 0.3; done',
    ]);
    say('RESTART of the agent (plugin-reload): COMPLETED when its new process is back');
    await this.muster(['run', 'plugin-reload', '--device', 'edge-3', '--wait', '--yes']);
    say('REBOOT (restart), one device after the other: COMPLETED when the boot id has changed');
    await this.muster(['run', 'restart', '--device', 'edge-[34]', '--batch', '1', '--wait', '--yes']);
    await this.powerOff();
    await this.refusedType();
  }

  async refusedType(): Promise<void> {
    say('What comes with a later version is refused, not pretended');
    const { status, body } = await this.#cluster.controller.api(
      'POST',
      '/api/v1/organizations/default/tasks',
      {
        type: 'SYNC',
        targets: { all: true },
      },
    );
    process.stdout.write(
      `   a request for SYNC → ${status} ${String(body['code'])}: ${String(body['error'])}\n`,
    );
    expectThat('no task was made', status === 422);
  }

  async powerOff(): Promise<void> {
    say(
      'SHUTDOWN (poweroff): the device says goodbye, goes, and is proven off two minutes later, or when it is back',
    );
    const [code = ''] = await this.#cluster.controller.run({
      type: 'SHUTDOWN',
      targets: { devices: ['edge-4'] },
    });
    await this.#cluster.online('edge-4', false);
    await this.muster(['task', 'describe', code]);
    say('Somebody presses the power button of edge-4');
    await this.#cluster.agent('edge-4').restart();
    const { status } = await this.#cluster.controller.ended(code);
    await this.muster(['task', 'describe', code]);
    expectThat('the SHUTDOWN is COMPLETED', status === 'COMPLETED');
  }

  /** A script that tells a file that it began, and goes on until another file exists. */
  async #longScript(device: string): Promise<{ code: string; finish(): void }> {
    const { controller, folder } = this.#cluster;
    const [began, end] = [join(folder, `${device}.began`), join(folder, `${device}.end`)];
    const script = `echo started; date >> ${began}; until [ -e ${end} ]; do sleep 0.1; done; echo finished`;
    const [code = ''] = await controller.run({
      type: 'SCRIPT',
      targets: { devices: [device] },
      payload: { script },
    });
    await until('the script runs', () => existsSync(began));
    return { code, finish: () => writeFileSync(end, '') };
  }

  async killAgent(): Promise<void> {
    const { controller } = this.#cluster;
    const agent = this.#cluster.agent('edge-2');
    say('A long script runs on edge-2, and its agent is killed in the middle (kill -9)');
    const { code, finish } = await this.#longScript('edge-2');
    await this.muster(['task', 'list', '--status', 'IN_PROGRESS']);
    process.stdout.write(`\n$ kill -9 ${agent.program.pid}\n`);
    await agent.restart();
    const { status, error_code: error } = await controller.ended(code);
    await this.muster(['task', 'describe', code]);
    finish();
    expectThat(
      'nobody can know how far it got: FAILED interrupted, and it is not run again',
      status === 'FAILED' && error === 'interrupted',
    );
  }

  async killController(): Promise<void> {
    const { controller } = this.#cluster;
    say('A long script runs on edge-1, and the controller is killed in the middle (kill -9)');
    const { code, finish } = await this.#longScript('edge-1');
    process.stdout.write(`\n$ kill -9 ${controller.program.pid}\n`);
    await controller.kill();
    say(
      'The device does not mind: it finishes, keeps the result, and hands it over when the controller is back',
    );
    finish();
    await controller.start();
    const { status, attempt } = await controller.ended(code);
    await this.muster(['task', 'logs', code]);
    await this.muster(['task', 'list']);
    expectThat('the script is COMPLETED, and ran once', status === 'COMPLETED' && attempt === 1);
  }

  tellWhatNext(): void {
    const { MUSTER_URL: url, MUSTER_TOKEN: token } = this.environment;
    say(`The controller stays at ${url}. In another terminal, in this folder:`);
    process.stdout.write(`
  export MUSTER_URL=${url} MUSTER_TOKEN=${token}

  npm run -s muster -- device list
  npm run -s muster -- run script --all --follow -- uptime
  npm run -s muster -- run health-check --all --wait
  npm run -s muster -- run restart --device edge-1 --at 1m
  npm run -s muster -- task list --created-after 1h
  npm run -s muster -- events
  curl -s $MUSTER_URL/api/v1/tasks -H "Authorization: Bearer $MUSTER_TOKEN"

  Kill an agent:  kill -9 ${this.#cluster.agent('edge-3').program.pid}   (edge-3), and look at: npm run -s muster -- device list
  Its log:        ${join(this.#cluster.agent('edge-3').folder, 'agent.log')}

Ctrl-C ends the controller and the agents, and removes their data.
`);
  }
}

const quoted = (word: string): string => (/^[A-Za-z0-9_=:.,/@-]+$/.test(word) ? word : `'${word}'`);

async function main(): Promise<void> {
  const stopped = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopped.resolve());

  say('A controller starts, with an empty database');
  await using cluster = await Cluster.create('demo');
  process.stdout.write(`   ${cluster.controller.url}, data in ${cluster.folder}\n`);
  const tour = new Tour(cluster);
  const walk = async () => {
    await tour.join();
    await tour.everyType();
    await tour.killAgent();
    await tour.killController();
    if (!stayAfterwards) return;
    tour.tellWhatNext();
    await stopped.promise;
  };
  await Promise.race([walk(), stopped.promise]);
  say('Ending');
}

await main();
if (surprises.length > 0) {
  process.stderr.write(`\nThis was not as it should be:\n${surprises.map((one) => `- ${one}`).join('\n')}\n`);
  process.exitCode = 1;
}
