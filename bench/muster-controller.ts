import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import type { ChildProcess } from 'node:child_process';
import { openStore } from '../controller/store/open.ts';
import { exportPrivateKey, generateKeyPair } from '../shared/node/keys.ts';
import { freePort, startProgram, stopProgram, temporaryFolder, waitForPort } from './children.ts';
import type { SwarmMember } from './swarm.ts';

const program = new URL('../controller/bin.js', import.meta.url).pathname;

/** A real controller process with its own data folder, and as many approved devices as a bench needs. */
export class MusterController {
  readonly folder: string;
  readonly port: number;
  readonly controllerId: string;
  readonly #adminToken: string;
  #process: ChildProcess | undefined;

  private constructor(port: number, init: { controller_id: string; admin_token: string }, folder: string) {
    this.port = port;
    this.folder = folder;
    this.controllerId = init.controller_id;
    this.#adminToken = init.admin_token;
  }

  static async create(): Promise<MusterController> {
    const folder = temporaryFolder();
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const printed = execFileSync(process.execPath, [
      program,
      'init',
      '--data',
      folder,
      '--url',
      url,
      '-f',
      'json',
    ]);
    return new MusterController(port, JSON.parse(String(printed)), folder);
  }

  /** Writes enabled devices straight into the store: enrolment is not what is measured. Before `start`. */
  async addDevices(count: number): Promise<SwarmMember[]> {
    const store = await openStore({ dialect: 'sqlite', path: this.databasePath });
    const organization = await store.access.organization('default');
    if (organization === undefined) throw new Error('init made no organization');
    const members: SwarmMember[] = [];
    await store.transaction(async ({ devices }) => {
      for (let index = 0; index < count; index += 1) {
        const keys = generateKeyPair();
        const id = randomUUID();
        members.push({ deviceId: id, privateKey: exportPrivateKey(keys.privateKey) });
        await devices.insert({
          id,
          organizationId: organization.id,
          name: `device-${index}`,
          status: 'ENABLED',
          publicKey: keys.publicKey,
          labels: {},
          agentVersion: '0.1.0',
          createdAt: Date.now(),
        });
      }
    });
    await store.close();
    return members;
  }

  get databasePath(): string {
    return `${this.folder}/controller.db`;
  }

  /** What the command line needs to reach it. */
  get environment(): { MUSTER_URL: string; MUSTER_TOKEN: string } {
    return { MUSTER_URL: `http://127.0.0.1:${this.port}`, MUSTER_TOKEN: this.#adminToken };
  }

  get pid(): number {
    if (this.#process?.pid === undefined) throw new Error('the controller does not run');
    return this.#process.pid;
  }

  async start(nodeFlags: string[] = []): Promise<void> {
    const listen = ['--listen', `127.0.0.1:${this.port}`];
    this.#process = startProgram([...nodeFlags, program, 'start', '--data', this.folder, ...listen], {
      MUSTER_LOG_LEVEL: 'warn',
    });
    await waitForPort(this.port);
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.#process !== undefined) await stopProgram(this.#process, signal);
  }

  /** One request to the REST interface, as the administrator; throws what it answers when it refuses. */
  async request<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
    const response = await fetch(`http://127.0.0.1:${this.port}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#adminToken}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as Answer;
  }

  /** Asks for one SCRIPT on each of the targets. */
  async run(targets: { all: true } | { devices: string[] }, startedAt: number): Promise<{ total: number }> {
    const payload = {
      argv: ['uname', '-a'],
      env: { LANG: 'C', STARTED_AT: String(startedAt), NOTE: 'x'.repeat(100) },
    };
    return this.request('POST', '/organizations/default/tasks', { type: 'SCRIPT', targets, payload });
  }
}
