import { expect, test } from 'vitest';
import { matchesGlob } from './glob.ts';

test.each([
  ['/etc/nftables.conf', '/etc/nftables.conf'],
  ['/etc/nftables.d/*.nft', '/etc/nftables.d/10-nat.nft'],
  ['/etc/*/a*b*c', '/etc/x/a1b2c'],
  ['/etc/*', '/etc/hosts'],
])('%s matches %s', (glob, path) => expect(matchesGlob(glob, path)).toBe(true));

test.each([
  ['/etc/nftables.d/*.nft', '/etc/nftables.d/deep/10-nat.nft'],
  ['/etc/nftables.d/*.nft', '/etc/nftables.d/.hidden.nft'],
  ['/etc/nftables.d/*.nft', '/etc/nftables.d/.nft'],
  ['/etc/a*a', '/etc/a'],
  ['/etc/a*bc*c', '/etc/abc'],
  ['/etc/a.c', '/etc/abc'],
])('%s does not match %s', (glob, path) => expect(matchesGlob(glob, path)).toBe(false));
