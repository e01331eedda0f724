import { generateAgeKeys } from '../../shared/node/age.ts';
import type { Labels } from '../../shared/ids.ts';
import { ApiDevice } from './api-device.ts';
import type { ApiUnderTest } from './api.ts';
import { ScriptedDevice } from './scripted-device.ts';
import { memorySocketPair } from './memory-socket.ts';

const root = '/api/v1/organizations/default';

/** What tests of desired configuration do again and again. */
export class DesiredUnderTest {
  readonly api: ApiUnderTest;

  constructor(api: ApiUnderTest) {
    this.api = api;
  }

  /** A device that has told facts, with a recipient of its own; returns the identity that decrypts. */
  async device(name: string, over: { labels?: Labels; facts?: object } = {}) {
    const { labels = {}, facts = {} } = over;
    const id = await this.api.device(name, { labels });
    const { identity, recipient } = await generateAgeKeys();
    const told = { hostname: name, encryption_recipient: recipient, ...facts };
    await this.api.store.devices.saveFacts(id, 'digest', told, Date.now());
    return { id, identity };
  }

  /** The same, which also talks to the API with its own key. */
  async speaking(name: string, labels: Labels = {}): Promise<{ device: ApiDevice; identity: string }> {
    const device = await ApiDevice.make(this.api, name);
    const { identity, recipient } = await generateAgeKeys();
    await this.api.store.devices.setLabels(device.id, labels, Date.now());
    await this.api.store.devices.saveFacts(
      device.id,
      'digest',
      { encryption_recipient: recipient },
      Date.now(),
    );
    return { device, identity };
  }

  async bundle(name: string, files: Record<string, string | null>, over: object = {}): Promise<void> {
    const list = Object.entries(files).map(([path, template]) =>
      template === null ? { path, unit: 'files', absent: true } : { path, unit: 'files', template },
    );
    const body = { profile: 'test', targets: { all: true }, files: list, ...over };
    await this.ok('PUT', `bundles/${name}`, body);
  }

  variable(name: string, value: unknown, over: object = {}) {
    return this.ok('PUT', 'variables', { name, value, ...over });
  }

  async sync(
    over: object = {},
  ): Promise<
    { run: string | null; tasks: { task: string; device_name: string }[] } & Record<string, unknown>
  > {
    return (await this.ok('POST', 'sync', { targets: { all: true }, ...over })) as never;
  }

  async status(name: string): Promise<Record<string, unknown>> {
    const { items } = await this.ok('GET', `sync/status?device=${name}`);
    return (items as Record<string, unknown>[])[0] ?? {};
  }

  /** Calls a route of the organization; throws when it is refused. */
  async ok(method: 'GET' | 'PUT' | 'POST' | 'DELETE', path: string, body?: unknown) {
    const answer = await this.call(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path} → ${answer.status} ${answer.text}`);
    return answer.body;
  }

  call(method: 'GET' | 'PUT' | 'POST' | 'DELETE', path: string, body?: unknown) {
    return this.api.call(method, `${root}/${path}`, body === undefined ? {} : { body });
  }

  /** Parameters of a task, as its device gets them. */
  async parameters(code: string) {
    const task = await this.api.store.tasks.get(undefined, code);
    if (task === undefined) throw new Error(`there is no task ${code}`);
    return { task, parameters: JSON.parse(task.parameters) as Record<string, unknown> };
  }

  /** Types of the events so far that a filter lets pass, with their data. */
  async events(type: string): Promise<Record<string, unknown>[]> {
    const filter = { organizationId: this.api.admin.organization.id };
    const events = await this.api.store.events.read(filter, 0, 10_000);
    return events.filter((event) => event.type === type).map(({ data }) => data);
  }

  /** A link of the device, past its welcome. */
  async link(deviceId: string): Promise<ScriptedDevice> {
    this.api.run();
    const [here, there] = memorySocketPair();
    const device = new ScriptedDevice(deviceId, there);
    this.api.core.openLink({ id: deviceId, organizationId: this.api.admin.organization.id }, here);
    device.hello();
    await device.next('welcome');
    return device;
  }
}

/** What a device reports of a SYNC, with only what a case is about. */
export const syncResult = (over: Record<string, unknown> = {}): Record<string, unknown> => ({
  outcome: 'applied',
  generation: 1,
  content: '',
  journal: 'CONFIRMED',
  changes: [],
  changes_total: 1,
  steps: [],
  probes: [],
  units: { files: 'state-1' },
  on_disk: 'new',
  ...over,
});
