import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { Appliance } from '../../harness/appliance.ts';
import { Hub, type Service } from '../../harness/appliance-hub.ts';
import { ControllerProcess } from '../../harness/controller-process.ts';
import { until } from '../../harness/until.ts';
import { builtPackages } from '../built-packages.ts';
import { allowServices } from '../installed-device.ts';
import type { LabFolder } from './lab-folder.ts';
import { type LabAnswer, type LabRequest, type LabStatus, serveControl } from './lab-control.ts';

export interface LabOptions {
  lifeMs: number;
  /** Somebody else's controller; otherwise the lab starts one of its own. */
  controller?: { url: string; token: string };
}

/** The keepers of namespaces go a little later than the lab, and only if it did not end them. */
const slackSeconds = 120;
const onlineMs = 120_000;

/** One machine and, unless there is another, one controller: from `up` to `down`, or to the end of its life. */
export class LabKeeper {
  readonly #folder: LabFolder;
  readonly #options: LabOptions;
  readonly #say: (text: string) => void;
  readonly #stop = new AbortController();
  readonly #endsAt: Date;
  #box: Appliance | undefined;
  #controller: ControllerProcess | undefined;
  #state: 'starting' | 'up' | 'ending' = 'starting';

  constructor(folder: LabFolder, options: LabOptions, say: (text: string) => void) {
    this.#folder = folder;
    this.#options = options;
    this.#say = say;
    this.#endsAt = new Date(Date.now() + options.lifeMs);
  }

  stop(): void {
    this.#stop.abort(new Error('the lab was ended'));
  }

  /** Returns when the lab is over. `up` is called with its status when it can be used. */
  async run(up: (status: LabStatus) => void): Promise<void> {
    const life = setTimeout(() => this.stop(), this.#options.lifeMs);
    const stopped = once(this.#stop.signal, 'abort');
    await using held = new AsyncDisposableStack();
    held.defer(() => {
      clearTimeout(life);
      this.#state = 'ending';
    });
    held.use(await serveControl(this.#folder.socket, (request) => this.#answer(request)));
    const begun = this.#begin(held);
    await Promise.race([begun, stopped]);
    if (this.#stop.signal.aborted) {
      begun.catch(() => undefined);
      throw this.#stop.signal.reason as Error;
    }
    this.#state = 'up';
    up(this.#status());
    await stopped;
  }

  async #begin(held: AsyncDisposableStack): Promise<void> {
    const { name } = this.#folder;
    this.#say('building the packages of this checkout, unless that was done before');
    const { agent } = await builtPackages();
    const enrolment = this.#options.controller ?? (await this.#ownController(held));
    this.#say('booting a machine');
    const hub = held.use(await Hub.open(Math.ceil(this.#options.lifeMs / 1000) + slackSeconds));
    const box = held.use(await Appliance.boot({ name, hub }));
    this.#box = box;
    await allowServices(box);
    const way = wayTo(enrolment.url);
    await box.expose(way.service.port, way.service);
    await box.must('sh', '-c', `echo "${hub.address} ${way.name}" >>/etc/hosts`);
    this.#say('installing the package');
    await box.must('dpkg', '--install', agent);
    this.#say(`enrolling it to ${enrolment.url}`);
    await box.must('muster-agent', 'enrol', enrolment.token, '--url', way.url, '--name', name);
    await this.#approved();
  }

  async #ownController(held: AsyncDisposableStack): Promise<{ url: string; token: string }> {
    this.#say('starting a controller');
    mkdirSync(this.#folder.controller, { mode: 0o700 });
    const controller = held.use(await ControllerProcess.create(this.#folder.controller));
    writeFileSync(this.#folder.pidFile('controller'), `${controller.program.pid}`);
    this.#controller = controller;
    return { url: controller.url, token: controller.enrolmentToken };
  }

  /** Somebody else's controller is approved at by somebody else. */
  async #approved(): Promise<void> {
    const controller = this.#controller;
    if (!controller) return;
    const device = `/api/v1/organizations/default/devices/${this.#folder.name}`;
    await controller.call('POST', `${device}/approve`);
    const isOnline = async () => (await controller.call('GET', device))['online'] === true;
    await until(`${this.#folder.name} is online`, isOnline, { deadlineMs: onlineMs });
  }

  async #answer(request: LabRequest): Promise<LabAnswer> {
    switch (request.ask) {
      case 'status':
        break;
      case 'down':
        this.stop();
        break;
      case 'entering':
        return { status: this.#status(), argv: this.#running().entering(request.argv) };
      case 'power-cut':
        await this.#running().kill();
        break;
      case 'power-on':
        await this.#machine().start();
        break;
    }
    return { status: this.#status(), argv: [] };
  }

  #machine(): Appliance {
    if (this.#box) return this.#box;
    throw new Error(`${this.#folder.name} is still being made`);
  }

  #running(): Appliance {
    const box = this.#machine();
    if (box.isOn) return box;
    throw new Error(`${this.#folder.name} is off: power-on ${this.#folder.name}`);
  }

  #status(): LabStatus {
    const box = this.#box;
    return {
      name: this.#folder.name,
      state: this.#state === 'up' ? (box?.isOn ? 'on' : 'off') : this.#state,
      boots: box?.boots ?? 0,
      addresses: box?.addresses ?? [],
      ends_at: this.#endsAt.toISOString(),
      controller_url: this.#controller?.url ?? this.#options.controller?.url ?? null,
      admin_token: this.#controller?.adminToken ?? null,
    };
  }
}

/** How a machine of the lab reaches a controller: by its own name, behind which is the lab's hub; addresses become the name `hub`. */
function wayTo(url: string): { service: Service; name: string; url: string } {
  const { protocol, hostname, port: said } = new URL(url);
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  const port = Number(said) || (protocol === 'https:' ? 443 : 80);
  const name = isIP(host) !== 0 || host === 'localhost' ? 'hub' : host;
  return { service: { host, port }, name, url: `${protocol}//${name}:${port}` };
}
