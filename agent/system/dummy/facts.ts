import type { Facts } from '../system.ts';

export class DummyFacts implements Facts {
  values: Record<string, unknown> = {
    hostname: 'dummy',
    system: { manufacturer: 'Muster', model: 'dummy machine', virtual: true },
    os: { platform: 'linux', distribution: 'Dummy', release: '1' },
    kernel: '6.1.0-dummy',
    architecture: 'x64',
    cpu: { model: 'dummy', count: 2 },
    memory: { totalBytes: 2_147_483_648 },
    interfaces: [{ name: 'eth0', mac: '02:00:00:00:00:01', addresses: ['192.0.2.1/24'] }],
  };

  async collect(): Promise<Record<string, unknown>> {
    return structuredClone(this.values);
  }
}
