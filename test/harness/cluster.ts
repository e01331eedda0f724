import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AgentProcess } from './agent-process.ts';
import { ControllerProcess } from './controller-process.ts';
import { type ProgramEnd, runProgram } from './program.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { until } from './until.ts';

/** A controller and its agents, all real processes on loopback; ends every one of them and removes their data. */
export class Cluster implements AsyncDisposable {
  readonly folder: string;
  readonly controller: ControllerProcess;
  readonly agents: AgentProcess[] = [];
  readonly #release: Disposable;

  private constructor(controller: ControllerProcess, folder: { path: string } & Disposable) {
    this.controller = controller;
    this.folder = folder.path;
    this.#release = folder;
  }

  static async create(
    purpose: string,
    options: {
      agents?: string[];
      startArguments?: string[];
      data?: string;
      /** Of the controller's configuration file. */
      config?: Record<string, unknown>;
    } = {},
  ): Promise<Cluster> {
    const folder = temporaryFolder(purpose);
    try {
      const data = options.data ?? join(folder.path, 'controller');
      mkdirSync(data, { recursive: true, mode: 0o700 });
      const startArguments = [...(options.startArguments ?? [])];
      if (options.config) {
        const path = join(folder.path, 'controller.yaml');
        writeFileSync(path, JSON.stringify(options.config)); // JSON is YAML
        startArguments.push('--config', path);
      }
      const controller = await ControllerProcess.create(data, { startArguments });
      const cluster = new Cluster(controller, folder);
      await Promise.all((options.agents ?? []).map((name) => cluster.join(name)));
      return cluster;
    } catch (error) {
      folder[Symbol.dispose]();
      throw error;
    }
  }

  /** A new agent, enrolled but neither approved nor started. `url` when it shall not dial the controller directly. */
  async enrolled(
    name: string,
    options: {
      url?: string;
      startArguments?: string[];
      env?: Record<string, string>;
      folder?: string;
      dummy?: boolean;
    } = {},
  ): Promise<AgentProcess> {
    const folder = options.folder ?? join(this.folder, name);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const agent = new AgentProcess(name, folder, options);
    await agent.enrol(options.url ?? this.controller.url, this.controller.enrolmentToken);
    this.agents.push(agent);
    return agent;
  }

  /** As `enrolled`, without a program of its own for it. */
  async enrolledHere(name: string): Promise<AgentProcess> {
    const agent = new AgentProcess(name, join(this.folder, name));
    mkdirSync(agent.folder, { mode: 0o700 });
    await agent.enrolHere(this.controller.url, this.controller.enrolmentToken);
    this.agents.push(agent);
    return agent;
  }

  /** A new agent, enrolled, approved, started and online. */
  async join(name: string, options: Parameters<Cluster['enrolled']>[1] = {}): Promise<AgentProcess> {
    const agent = await this.enrolled(name, options);
    await this.approve(name);
    agent.start();
    await this.online(name);
    return agent;
  }

  async approve(name: string): Promise<void> {
    await this.controller.call('POST', `${this.devicePath(name)}/approve`);
  }

  devicePath(name: string): string {
    return `/api/v1/organizations/default/devices/${name}`;
  }

  async online(name: string, online = true, deadlineMs = 30_000): Promise<void> {
    await until(
      `${name} is ${online ? 'online' : 'offline'}`,
      async () => (await this.controller.call('GET', this.devicePath(name)))['online'] === online,
      {
        deadlineMs,
        last: () =>
          this.agents
            .find((agent) => agent.name === name)
            ?.program.log()
            .slice(-3000),
      },
    );
  }

  agent(name: string): AgentProcess {
    const agent = this.agents.find((one) => one.name === name);
    if (!agent) throw new Error(`there is no agent ${name}`);
    return agent;
  }

  /** The CLI as the admin. */
  muster(
    args: string[],
    options: { stdin?: string; env?: Record<string, string> } = {},
  ): Promise<ProgramEnd> {
    return runProgram('muster', args, {
      ...options,
      env: {
        HOME: this.folder,
        MUSTER_URL: this.controller.url,
        MUSTER_TOKEN: this.controller.adminToken,
        ...options.env,
      },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.agents, this.controller].map((one) => one[Symbol.asyncDispose]()));
    this.#release[Symbol.dispose]();
  }
}
