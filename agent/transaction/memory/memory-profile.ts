import { DeviceProfile } from '../../../shared/device-profile.ts';

const unit = (name: string, summary: string) => ({
  name,
  summary,
  paths: [{ glob: `/etc/${name}/*.conf`, mode: '0644' }],
  validate: [{ id: 'syntax', argv: [name, 'validate'] }],
  preflight: [{ argv: [name, 'load'] }],
  apply: [{ argv: [name, 'reload'] }],
  verify: [{ id: 'works', argv: [name, 'works'] }],
  cold_check: [{ id: 'starts', argv: [name, 'start'] }],
  running: { argv: [name, 'show'] },
  secrets: [{ id: 'password', match: '^\\s*password (?<secret>\\S+)', replace: 'token' }],
});

/** What the machine in memory has: three services whose commands it knows. */
export const memoryProfile = DeviceProfile.parse({
  id: 'memory',
  rev: 1,
  summary: 'A machine in memory, for demonstrations, development and tests',
  platform: 'linux',
  tried: 'run',
  units: [
    unit('firewall', 'A packet filter that exists in memory only'),
    unit('router', 'A routing daemon that exists in memory only'),
    unit('resolver', 'A name server that exists in memory only'),
  ],
  confirm_s: 60,
  probe: { every_s: 1, need: 3, over_s: 5 },
});
