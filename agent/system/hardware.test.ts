import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { readHardware } from './hardware.ts';

function machineOf(files: Record<string, string>): Record<string, unknown> {
  using folder = temporaryFolder('hardware');
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder.path, path)), { recursive: true });
    writeFileSync(join(folder.path, path), text);
  }
  return readHardware(folder.path);
}

test('a server says who made it, and what runs on it', () => {
  const machine = machineOf({
    'sys/class/dmi/id/sys_vendor': 'Deciso B.V.\n',
    'sys/class/dmi/id/product_name': 'DEC750\n',
    'sys/class/dmi/id/product_serial': '4711\n',
    'proc/cpuinfo': 'processor\t: 0\nflags\t\t: fpu vme\n',
    'etc/os-release': 'NAME="Debian GNU/Linux"\nVERSION_ID=\'12\'\nVERSION_CODENAME=bookworm\nID=debian\n',
  });
  expect(machine).toEqual({
    system: { manufacturer: 'Deciso B.V.', model: 'DEC750', serial: '4711', virtual: false },
    os: { platform: 'linux', distribution: 'Debian GNU/Linux', release: '12', codename: 'bookworm' },
  });
});

test.each([
  ['by its processor', { 'proc/cpuinfo': 'flags\t\t: fpu hypervisor lahf_lm\n' }],
  ['by its maker', { 'sys/class/dmi/id/sys_vendor': 'QEMU' }],
])('a virtual machine is known %s', (_how, files) => {
  expect(machineOf(files)).toMatchObject({ system: { virtual: true } });
});

test('a board names itself in its device tree; one that says nothing is told as that', () => {
  expect(machineOf({ 'proc/device-tree/model': 'Raspberry Pi 4\0' })).toMatchObject({
    system: { model: 'Raspberry Pi 4', serial: '-' },
  });
  expect(machineOf({})).toMatchObject({
    system: { manufacturer: '', model: '', serial: '-', virtual: false },
    os: { distribution: 'unknown', release: 'unknown', codename: '' },
  });
});
