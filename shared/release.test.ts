import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareVersions } from './release.ts';

test('versions are ordered as people mean them', () => {
  const ordered = ['0.9.9', '0.10.0', '1.0.0-alpha', '1.0.0-rc.2', '1.0.0-rc.10', '1.0.0', '1.0.1', '10.0.0'];
  expect(ordered.toReversed().sort(compareVersions)).toEqual(ordered);
});

test('comparing the other way round gives the opposite', () => {
  const number = fc.nat({ max: 20 });
  const suffix = fc.constantFrom('', '-rc', '-rc.1', '-rc.1.2', '-1');
  const version = fc.tuple(number, number, number, suffix).map(([a, b, c, end]) => `${a}.${b}.${c}${end}`);
  fc.assert(
    fc.property(version, version, (left, right) => {
      expect(Math.sign(compareVersions(left, right)) + Math.sign(compareVersions(right, left))).toBe(0);
      expect(compareVersions(left, right) === 0).toBe(left === right);
    }),
  );
});
