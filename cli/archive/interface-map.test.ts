import fc from 'fast-check';
import { expect, test } from 'vitest';
import { interfacePair, mapInterfaces } from './interface-map.ts';

test('replaces a name where it stands alone or with a VLAN or alias behind it', () => {
  const text =
    'auto eth0\niface eth0.100 inet\niface eth0:1\niifname "eth0" accept\n{eth0,eth1}\nuse eth0.\n';
  expect(mapInterfaces(text, { eth0: 'ens1' })).toBe(
    'auto ens1\niface ens1.100 inet\niface ens1:1\niifname "ens1" accept\n{ens1,eth1}\nuse ens1.\n',
  );
});

test('leaves names alone that only contain it', () => {
  const text = 'veth0 eth01 eth0-lan my.eth0 eth0.lan _eth0 eth0_1';
  expect(mapInterfaces(text, { eth0: 'ens1' })).toBe(text);
});

test('lets two interfaces change places, and takes the longer name first', () => {
  expect(mapInterfaces('eth0 eth1 eth10', { eth0: 'eth1', eth1: 'eth0', eth10: 'x' })).toBe('eth1 eth0 x');
});

test('a map and its reverse give the text back', () => {
  const word = fc.constantFrom('eth0', 'eth1', 'eth0.7', ' ', '\n', '"', 'veth0', 'accept', '.', '=');
  fc.assert(
    fc.property(fc.array(word), (words) => {
      const text = words.join(' ');
      const there = mapInterfaces(text, { eth0: 'lan', eth1: 'wan' });
      expect(mapInterfaces(there, { lan: 'eth0', wan: 'eth1' })).toBe(text);
    }),
  );
});

test('takes pairs of names and nothing else', () => {
  expect(interfacePair('eth1=ens2', interfacePair('eth0=ens1', undefined))).toEqual({
    eth0: 'ens1',
    eth1: 'ens2',
  });
  for (const text of ['eth0', '=ens1', 'eth0=', 'a=b=c', 'eth 0=x', 'eth0=a-name-that-is-too-long']) {
    expect(() => interfacePair(text, undefined), text).toThrow('expected two names');
  }
  expect(() => interfacePair('eth0=b', { eth0: 'a' })).toThrow('twice');
});
